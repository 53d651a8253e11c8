"""What to make of a call that the contract refuses, asked of the chain itself."""

from __future__ import annotations

from dataclasses import replace

from milestone_escrow.chain.node.rpc import RpcError
from milestone_escrow.chain.refusals.decoding import explain
from milestone_escrow.errors import EscrowError
from milestone_escrow.oracle.relaying import planning
from milestone_escrow.oracle.relaying.context import RelayContext
from milestone_escrow.oracle.relaying.intents import Intent
from milestone_escrow.oracle.relaying.judging import Forecast, Prospect
from milestone_escrow.oracle.viewing import AgreementView


def is_revert(error: RpcError) -> bool:
    """Whether the contract refused, and not the node."""
    return bool(error.data) or "revert" in error.message.lower()


def sentence(context: RelayContext, intent: Intent, error: RpcError) -> str:
    """Why the contract refused, in words."""
    with context.store.reading() as connection:
        known = planning.known_about(connection, [intent])
    view = known.views.get(intent.agreement_id or b"")
    return str(explain(error.data, context.tried(intent, view)))


def judge_on_chain(context: RelayContext, intent: Intent) -> Forecast:
    """What can be expected of an intent by the state that the node has now.

    Raises:
        ChainError: the node does not answer.
    """
    with context.store.reading() as connection:
        known = planning.known_about(connection, [intent])
    now = context.reader().now()
    fresh = {i: _as_on_chain(view, context) for i, view in known.views.items()}
    return planning.judge(intent, replace(known, views=fresh), now)


def refusal_now(context: RelayContext, intent: Intent, block: str = "latest") -> str:
    """Why the contract refuses a call as of a block; "" where it does not."""
    call = {"from": context.sender, "to": intent.to, "data": "0x" + intent.data.hex()}
    try:
        context.node.request("eth_call", [call, block])
    except RpcError as error:
        if is_revert(error):
            return sentence(context, intent, error)
    except EscrowError:
        return ""
    return ""


def is_hopeless(judgement: Forecast) -> bool:
    """Whether sending it again could change nothing."""
    return judgement.prospect in (Prospect.DONE, Prospect.NEVER)


def _as_on_chain(view: AgreementView, context: RelayContext) -> AgreementView:
    states = context.reader().states(view)
    pairs = zip(view.views, states, strict=True)
    return replace(view, views=tuple(replace(one, state=state) for one, state in pairs))
