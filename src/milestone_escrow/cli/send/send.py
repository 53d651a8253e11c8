"""`escrow send`: whatever somebody signed to a file, sent by anybody."""

from __future__ import annotations

from pathlib import Path

import click

from milestone_escrow.cli.shell.deeds import send_acts
from milestone_escrow.cli.shell.desk import desk_of
from milestone_escrow.cli.shell.letters import agreement_of, fields_of, not_sendable
from milestone_escrow.cli.shell.options import sends
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.deals.deeds import missing_consents, require_consent
from milestone_escrow.deals.signed_deeds import require_sendable, sending
from milestone_escrow.documents.files.signed_act import load_acts


@click.command(short_help="Send what somebody signed to a file.")
@click.argument("file", type=click.Path(path_type=Path))
@sends
def send(session: Session, file: Path) -> None:
    """Send what somebody signed to a file with --sign-only; the sender only brings the gas.

    It takes acts of the parties and the arbiter, attestations that enough have signed, payments
    into the contract and complete change orders. What was signed is shown first, with who signed
    it and until when it counts. A signature dies with its date, and as soon as anything else
    happens to its milestone.

    \b
    Examples:
      escrow send claim.json
      escrow send ruling.json --as mykey --dry-run
    """
    fields = fields_of(file)
    if "acts" in fields:
        _send_acts(session, file)
    elif fields & {"attestation", "batch"}:
        from milestone_escrow.cli.attest.attesting import submit_files

        submit_files(session, [file])
    elif "authorization" in fields:
        from milestone_escrow.cli.fund.authorized import submit_payment

        submit_payment(session, file)
    elif "closes" in fields:
        from milestone_escrow.cli.change.amend import send_change

        send_change(session, file)
    else:
        raise not_sendable(file)


def _send_acts(session: Session, file: Path) -> None:
    """Acts of one agreement, in one transaction; anybody's, but where a split lacks a consent, of
    the one who gives it by sending."""
    signed = agreement_of(session, file)
    acts = load_acts(file, signed.bound, session.wallets)
    desk = desk_of(session, signed)
    desk.require_open()
    standings = desk.standings()
    touched = [standings[act.act.milestone] for act in acts]
    pairs = list(zip(touched, acts, strict=True))
    for standing, act in pairs:
        require_sendable(standing, act, str(file))
    missing = [account for pair in pairs for account in missing_consents(*pair)]
    desk = desk.chosen(tuple(dict.fromkeys(missing)))
    require_consent(touched, acts, desk.account, "let them send it")
    send_acts(desk, sending(desk, touched, acts, str(file)), acts)
