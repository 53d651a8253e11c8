"""What `escrow send` does: look what a file is, and send it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from milestone_escrow.cli.receivable.offers import require_assignable
from milestone_escrow.cli.settle.consenting import require_current
from milestone_escrow.cli.shell.deeds import facts, missing_consents, remember, useful_until
from milestone_escrow.cli.shell.desk import Desk, desk_of
from milestone_escrow.cli.shell.letters import agreement_of, fields_of, not_sendable
from milestone_escrow.cli.shell.outcome import show_outcome
from milestone_escrow.cli.shell.sending import Intent, carry_out
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.cli.shell.signers import choose
from milestone_escrow.documents.files.signed_act import SignedAct, load_acts
from milestone_escrow.errors import EscrowError
from milestone_escrow.protocol.acts import Dispute, Resolution, Ruling, Submission
from milestone_escrow.protocol.lifecycle import Role, Verb, disputing_role
from milestone_escrow.protocol.receivables import Assignment, Offer
from milestone_escrow.protocol.signatures import Signer
from milestone_escrow.words.effects import effect
from milestone_escrow.words.standing import Standing, holders, only, person, require, when


def send_file(session: Session, file: Path) -> None:
    """Send whatever a file holds."""
    fields = fields_of(file)
    if "acts" in fields:
        send_acts(session, file)
    elif fields & {"attestation", "batch"}:
        from milestone_escrow.cli.attest.attesting import submit_files

        submit_files(session, [file])
    elif "authorization" in fields:
        from milestone_escrow.cli.fund.payments import submit_payment

        submit_payment(session, file)
    elif "closes" in fields:
        from milestone_escrow.cli.change.amending import send_change

        send_change(session, file)
    else:
        raise not_sendable(file)


def send_acts(session: Session, file: Path) -> None:
    """Acts of one agreement, in one transaction."""
    signed = agreement_of(session, file)
    acts = load_acts(file, signed.bound, session.wallets)
    desk = desk_of(session, signed)
    desk.require_open()
    standings = desk.standings()
    touched = [standings[act.act.milestone] for act in acts]
    for standing, act in zip(touched, acts, strict=True):
        _require_sendable(desk, standing, act, file)
    desk = desk.acting(_sender(session, desk, touched, acts))
    intent = Intent(
        doing=desk.doing(f"send {file} for"),
        will=[line for pair in zip(touched, acts, strict=True) for line in _will(desk, *pair)],
        prepare=lambda: desk.verbs.together(
            [desk.verbs.perform(desk.bound, act.act, act.signatures) for act in acts]
        ),
        facts={"file": str(file), **facts(acts)},
    )
    receipts = carry_out(session, desk, intent)
    if receipts:
        remember(session, acts)
    show_outcome(session, desk, intent, receipts, [standing.key for standing in touched])


def _will(desk: Desk, standing: Standing, signed: SignedAct) -> list[str]:
    names = " and ".join(person(desk.bound, account) for account in signed.signatures)
    until = when(standing, useful_until(standing, signed))
    signature = f"signed by {names}, which counts until {until}"
    return [*effect(standing, signed.act, signed.words), signature]


def _require_sendable(desk: Desk, standing: Standing, signed: SignedAct, file: Path) -> None:
    """Explain in words what the contract would refuse.

    Raises:
        EscrowError: nobody signed it, it is too late, or the milestone has changed.
    """
    if isinstance(signed.act, Offer):
        raise EscrowError(
            f"{file} offers a receivable, which is bought, not sent",
            hint=f"look at it with `escrow receivable buy {file} --dry-run`",
        )
    if not signed.signatures:
        raise EscrowError(f"nobody has signed {file}", hint="ask for the file again")
    if standing.now > signed.act.valid_until:
        raise EscrowError(
            f"{file} counted until {when(standing, signed.act.valid_until)}",
            hint="ask for a new signature",
        )
    _require_possible(standing, signed)
    require_current(standing, signed, str(file))


def _require_possible(standing: Standing, signed: SignedAct) -> None:
    act = signed.act
    if isinstance(act, Resolution):
        require(standing, Verb.RESOLVE, Role.BUYER, doing="settled")
        return
    if isinstance(act, Assignment):
        require_assignable(standing)
        role, does = Role.PAYEE, "assigns it"
    elif isinstance(act, Submission):
        role, does = Role.PAYEE, "submits"
        require(standing, Verb.SUBMIT, role, doing="submitted")
    elif isinstance(act, Dispute):
        role = disputing_role(standing.milestone, standing.state) or Role.BUYER
        does = "may dispute it now"
        require(standing, Verb.DISPUTE, role, doing="disputed")
    else:
        assert isinstance(act, Ruling)
        role, does = Role.ARBITER, "rules on it"
        require(standing, Verb.RULE, role, doing="ruled on")
    (owner,) = holders(standing, role)
    if owner not in signed.signatures:
        raise only(standing, role, does, next(iter(signed.signatures)))


def _sender(
    session: Session, desk: Desk, standings: Sequence[Standing], acts: Sequence[SignedAct]
) -> Signer:
    """Anybody; where a split lacks a consent, the one who gives it by sending."""
    missing = [
        account
        for standing, signed in zip(standings, acts, strict=True)
        for account in missing_consents(standing, signed)
    ]
    signer = choose(session, desk.bound, desk.network.chain_id, tuple(dict.fromkeys(missing)))
    others = [account for account in missing if account != signer.address]
    if others:
        raise EscrowError(
            f"this split also needs the consent of {person(desk.bound, others[0])}",
            hint="let them send it",
        )
    return signer
