"""Payments that the buyer signs to a file, and that somebody else sends."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from milestone_escrow.cli.shell.desk import Desk, desk_of
from milestone_escrow.cli.shell.letters import agreement_of
from milestone_escrow.cli.shell.outcome import run
from milestone_escrow.cli.shell.output import bold, command, good, paragraph
from milestone_escrow.cli.shell.paper import Paper, nothing_signed, say_unsigned, seconds
from milestone_escrow.cli.shell.saving import require_free, save
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.deals.absent import Absent
from milestone_escrow.deals.funding import (
    PaymentPlan,
    bringing,
    require_fundable,
    require_payable,
)
from milestone_escrow.documents.files.payment import SignedPayment, load_payment
from milestone_escrow.protocol.paying import SignedAuthorization
from milestone_escrow.words.standing import Standing, when


def sign_payment(desk: Desk, standings: Sequence[Standing], paper: Paper) -> None:
    """The payer's authorization, for anybody to send."""
    assert paper.file is not None
    session, lasts = desk.session, seconds(paper)
    plan = PaymentPlan.of(desk, standings, "authorization")
    first, keys = standings[0], list(plan.keys)
    require_free(session, paper.file)
    session.say(bold(f"{desk.doing('fund')}, to {paper.file}"))
    limits = (
        f"counts once, until {when(first, first.now + lasts)}, for exactly "
        f"{'this milestone' if len(keys) == 1 else 'these milestones'}"
    )
    for line in (*plan.will(), limits):
        session.say(paragraph(line, "  "))
    if nothing_signed(session, {"milestones": keys, "with": "authorization", "sent": False}):
        return
    if isinstance(desk.signer, Absent):
        asked = desk.escrow.authorization(desk.bound, keys, desk.account, valid_for=lasts)
        unsigned = SignedPayment(desk.bound, tuple(keys), SignedAuthorization(asked, b""))
        say_unsigned(session, desk.bound, desk.signer, paper.file, unsigned.dumps())
        return
    session.say()
    session.confirm("Sign it?")
    signed = desk.escrow.sign_authorization(desk.bound, keys, valid_for=lasts)
    # Whether the token takes it, only the token knows.
    desk.verbs.fund_authorized(desk.bound, keys, signed)
    save(session, paper.file, SignedPayment(desk.bound, tuple(keys), signed).dumps().encode())
    session.say(f"{good('Signed')}, nothing was sent. Anyone sends {paper.file} with")
    session.say(f"  {command(f'escrow fund --submit {paper.file}')}")
    session.emit(
        {
            "milestones": keys,
            "with": "authorization",
            "file": str(paper.file),
            "value": str(signed.authorization.value),
            "valid_until": signed.authorization.valid_before,
            "sent": False,
        }
    )


def submit_payment(session: Session, file: Path) -> None:
    """Bring the gas for what somebody else signed to pay."""
    agreement = agreement_of(session, file)
    payment = load_payment(file, agreement.bound)
    desk = desk_of(session, agreement)
    desk.require_open()
    there = {standing.key: standing for standing in desk.standings()}
    standings = require_fundable(there[key] for key in payment.milestones)
    require_payable(desk, standings[0], payment, str(file))
    desk = desk.chosen()
    run(desk, bringing(desk, standings, payment, str(file)), payment.milestones)
