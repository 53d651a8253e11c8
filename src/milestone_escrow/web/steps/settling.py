"""Splitting what is held by consent: one side signs a split, the other one sends it."""

from __future__ import annotations

from milestone_escrow.deals.deeds import missing_consents, resolution, settlement, sides
from milestone_escrow.deals.rights import SETTLE
from milestone_escrow.documents.files.signed_act import SignedAct
from milestone_escrow.errors import UsageError
from milestone_escrow.oracle import proposals
from milestone_escrow.protocol.acts import Resolution
from milestone_escrow.protocol.lifecycle import Split
from milestone_escrow.web.steps.acting import split_of
from milestone_escrow.web.steps.proposing import keep
from milestone_escrow.web.steps.visit import Visit, WalletStep, done, send_deeds, sentences, sign
from milestone_escrow.words.standing import split_words, when

NAME = "resolution"


def settle(visit: Visit) -> WalletStep:
    """Take the other side's proposal, or sign one for it."""
    _require_side(visit)
    SETTLE.require(visit.here)
    chosen = visit.text("proposal", wanted=False)
    if chosen:
        return _taken(visit, chosen)
    if NAME in visit.answers:
        return _proposed(visit)
    act = resolution(visit.here, split_of(visit), visit.until)
    if missing_consents(visit.here, SignedAct(visit.bound, act, {}, {})) == [visit.account]:
        # Who gives alone needs nobody's answer.
        return send_deeds(visit, "Settle", settlement(visit.here, act, {}))
    held = {
        "to_payee": str(act.to_payee),
        "to_buyer": str(act.to_buyer),
        "held": str(act.held),
        "epoch": act.epoch,
        "valid_until": act.valid_until,
    }
    return sign(
        NAME,
        "Propose this split",
        act.typed_data(visit.escrow.domain),
        *_says(visit, act),
        f"Signing costs nothing and moves nothing. {_other(visit)} can accept it until "
        f"{when(visit.here, act.valid_until)}, unless something else happens to the milestone "
        "before.",
        held=held,
    )


def _proposed(visit: Visit) -> WalletStep:
    names = ("to_payee", "to_buyer", "held", "epoch", "valid_until")
    act = Resolution(visit.view.id, visit.index, *(visit.number(NAME, name) for name in names))
    keep(visit, act, NAME)
    finds = f"{_other(visit)} finds it on the agreement's page."
    return done("Proposed", *_says(visit, act), finds)


def _taken(visit: Visit, chosen: str) -> WalletStep:
    with visit.web.api.store.reading() as connection:
        now = visit.web.api.chain_now(connection)
        found = proposals.splits(connection, visit.view, visit.index, now)
    signed = proposals.named(found, chosen)
    assert isinstance(signed.act, Resolution)
    if visit.account in signed.signatures:
        raise UsageError("this is your own proposal", hint="the other side accepts it")
    return send_deeds(visit, "Settle", settlement(visit.here, signed.act, signed.signatures))


def _says(visit: Visit, act: Resolution) -> tuple[str, ...]:
    return sentences([split_words(visit.here, Split(act.to_payee, act.to_buyer))])


def _other(visit: Visit) -> str:
    return next(visit.person(side) for side in sides(visit.here) if side != visit.account)


def _require_side(visit: Visit) -> None:
    if visit.account not in sides(visit.here):
        buyer, payee = map(visit.person, sides(visit.here))
        raise UsageError(
            f"{visit.account} is neither the buyer nor the payee here",
            hint=f"{buyer} and {payee} split it between them",
        )
