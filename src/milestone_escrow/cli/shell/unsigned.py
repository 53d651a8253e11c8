"""Transactions for somebody else to sign and send: for a wallet, for cast, for a Safe."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from milestone_escrow.cli.shell.output import bold, paragraph, waiting
from milestone_escrow.cli.shell.saving import save, target
from milestone_escrow.errors import EscrowError

if TYPE_CHECKING:
    from milestone_escrow.chain.node.network import Network
    from milestone_escrow.chain.send.transactions import Prepared
    from milestone_escrow.cli.shell.session import Session

JSON, CAST, SAFE = "json", "cast", "safe"
FORMATS = (JSON, CAST, SAFE)


def hand_over(
    session: Session,
    network: Network,
    steps: Sequence[Prepared],
    facts: Mapping[str, object],
    *,
    name: str,
    nonce: int | None = None,
) -> None:
    """Print the transactions, or write them to the file of -o; nothing is sent.

    `nonce` is that of the first; without one, whoever signs takes the account's next.

    Raises:
        EscrowError: a batch is asked for, and the sender is no Safe.
    """
    sender = steps[0].sender
    shown = [_fields(step, nonce, number) for number, step in enumerate(steps)]
    body: dict[str, object] = {**facts, "sent": False, "unsigned": shown}
    if session.unsigned == CAST:
        body["cast"] = lines = [_cast(step, nonce, number) for number, step in enumerate(steps)]
        text = "\n".join(lines)
    elif session.unsigned == SAFE:
        body["batch"] = batch = _batch(session, network, steps, name)
        text = json.dumps(batch, indent=2, ensure_ascii=False)
    else:
        text = "\n".join(json.dumps(fields) for fields in shown)
    session.say(f"\n{waiting('Nothing was sent')}. {_what(session, steps)}")
    for line in _limits(session, steps):
        session.say(paragraph(line))
    if session.output:
        save(session, target(session), (text + "\n").encode())
        session.say(f"It is in {bold(str(session.output))}.")
    else:
        session.say(text)
    file = str(session.output) if session.output else None
    session.emit({**body, "sender": sender, "file": file})


def _fields(step: Prepared, nonce: int | None, number: int) -> dict[str, object]:
    fields = step.to_json()
    return fields if nonce is None else {**fields, "nonce": hex(nonce + number)}


def _cast(step: Prepared, nonce: int | None, number: int) -> str:
    """A line for Foundry's cast, which adds how it signs: --ledger, --account or --unlocked."""
    words = ["cast send", f"--from {step.sender}", f"--chain {step.chain_id}"]
    words += [f"--value {step.value}"] if step.value else []
    words += [f"--gas-limit {step.gas}"] if step.gas else []
    words += [] if nonce is None else [f"--nonce {nonce + number}"]
    words += ["--legacy"] if step.legacy else []
    data = "0x" + step.data.hex()
    return " ".join([*words, f"{step.to} {data}" if step.to else f"--create {data}"])


def _batch(
    session: Session, network: Network, steps: Sequence[Prepared], name: str
) -> dict[str, object]:
    from milestone_escrow.chain.contract.safes import NoSafeError, read_safe
    from milestone_escrow.documents.files.safe_batch import SafeCall, safe_batch

    safe = steps[0].sender
    try:
        read_safe(session.node_of(network.chain_id), safe)
    except NoSafeError:
        raise EscrowError(
            f"{safe} is no Safe on {network.title}, so the Transaction Builder cannot send this",
            hint="name the Safe with --from, or use --unsigned, which any wallet takes",
        ) from None
    calls = [SafeCall(step.to or "", step.data, step.value) for step in steps]
    return safe_batch(network.chain_id, safe, calls, session.now(), name=name)


def _what(session: Session, steps: Sequence[Prepared]) -> str:
    """What is printed, and for whom."""
    sender = steps[0].sender
    if session.unsigned == SAFE:
        return f"A batch for the Transaction Builder of the Safe {sender}:"
    count = "A transaction" if len(steps) == 1 else f"{len(steps)} transactions, in this order,"
    if session.unsigned == CAST:
        return f"{count} of {sender}; add --ledger, --account or --unlocked, and --rpc-url:"
    return f"{count} for the wallet of {sender}:"


def _limits(session: Session, steps: Sequence[Prepared]) -> list[str]:
    if session.unsigned == SAFE or all(step.gas for step in steps):
        return []
    known = sum(1 for step in steps if step.gas)
    if len(steps) - known == 1:
        return [
            "The last one needs the one before it, so its gas can only be estimated after that."
        ]
    return ["Each needs the one before it, so only the gas of the first can be estimated now."]
