"""What `escrow agreement new`, `check` and `show` do; no key, and a chain only for its time."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from pathlib import Path

from milestone_escrow.cli.shell.output import bad, bold, command, good, table, waiting
from milestone_escrow.cli.shell.saving import STDOUT, save, target
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.documents.agreement import Agreement


def list_examples(session: Session) -> None:
    """Every example with its title and price."""
    from milestone_escrow.documents.examples import names, path

    agreements = [(name, Agreement.load(path(name))) for name in names()]
    rows = [(name, a.amount(a.price), a.title) for name, a in agreements]
    session.say(table(rows, ("example", "price", "what is bought"), right=(1,)))
    session.say(f"\nStart from one:\n  {command(f'escrow agreement new {names()[0]}')}")
    session.emit(
        {
            "examples": [
                {"name": name, "title": a.title, "price": a.amount(a.price)}
                for name, a in agreements
            ]
        }
    )


def write_example(session: Session, example: str) -> None:
    """A starting file with today's dates; on a running sandbox, today is what its clock says."""
    from milestone_escrow.documents.examples import starting_draft, write_starting_file

    file = target(session, "agreement.yaml")
    today = datetime.fromtimestamp(session.now(), timezone.utc).date()
    if file == STDOUT:
        save(session, file, starting_draft(example, today).encode())
        return
    written = write_starting_file(example, today, file, force=session.force)
    agreement = Agreement.load(file)
    session.say(f"{bold(str(file))}: {agreement.title}, {agreement.amount(agreement.price)}.")
    if len(written) > 1:
        session.say(f"Attached to it: {', '.join(path.name for path in written[1:])}.")
    session.say("\nEdit it in any text editor, then:")
    session.say(f"  {command(f'escrow agreement check {file}')}")
    session.emit(
        {"file": str(file), "example": example, "written": [str(path) for path in written]}
    )


def check_file(session: Session, file: str) -> None:
    """The report, and status 1 where something must be corrected before signing."""
    from milestone_escrow.words.check_report import render_report, report_json

    report = _load(file).check(now=session.now())
    for line in render_report(report).splitlines():
        session.say(_coloured(line))
    if report.ok:
        session.say(f"\n{good('It may be signed')} once both sides have read the above:")
        session.say(f"  {command(f'escrow agreement sign {file} --as buyer')}")
    else:
        session.say(f"\n{bad('Do not sign it')} before the errors are corrected.")
    session.emit(report_json(report))
    session.exit_status = 0 if report.ok else 1


def _coloured(line: str) -> str:
    text = line.lstrip()
    if text.startswith("error:"):
        return line.replace("error:", bad("error:"), 1)
    if text.startswith("warning:"):
        return line.replace("warning:", waiting("warning:"), 1)
    return bold(line) if text and line == text and not text.startswith("no ") else line


def show_file(session: Session, name: str) -> None:
    """The newest version as a file to change; its comments are kept where it came from one."""
    from milestone_escrow.documents.change_orders.extend import text_of

    path = Path(name)
    to = target(session) if session.output else None
    is_file = path.is_file() and path.suffix.lower() != ".json"
    text = text_of(Agreement.load(path) if is_file else session.shelf.find(name).agreement)
    if to:
        save(session, to, text.encode())
        session.say(f"{good('Written')} {to}")
    else:
        session.say(text.rstrip())
    session.emit({"yaml": text, "file": str(to) if to else None})


def print_agreement(session: Session, name: str, fonts: tuple[Path, ...]) -> None:
    """The agreement as a contract on paper; what is signed shows its signatures."""
    from milestone_escrow.papers.contract import contract_pdf
    from milestone_escrow.papers.sheet import Layout

    path = Path(name)
    if path.is_file() and path.suffix.lower() != ".json":
        agreement = Agreement.load(path)
        file = _paper_place(session, agreement)
        data = contract_pdf(agreement, layout=Layout(fonts=fonts))
    else:
        signed = session.shelf.find(name)
        agreement = signed.agreement
        file = _paper_place(session, agreement)
        data = contract_pdf(
            agreement,
            bound=signed.bound,
            signatures=signed.signatures,
            layout=Layout(fonts=fonts),
        )
    save(session, file, data)
    session.say(f"{good('Written')} {file}")
    session.emit({"file": str(file), "reference": agreement.reference})


def _paper_place(session: Session, agreement: Agreement) -> Path:
    return target(session, re.sub(r"[^\w.-]+", "-", agreement.reference) + ".pdf")


def show_agreement(session: Session, name: str) -> None:
    """The agreement for people; with --json the terms as the contract sees them, too."""
    from milestone_escrow.documents.render import render_agreement

    path = Path(name)
    if path.is_file() and path.suffix.lower() != ".json":
        agreement = Agreement.load(path)
        session.say(render_agreement(agreement).rstrip())
        session.emit(_as_json(agreement))
        return
    signed = session.shelf.find(name)
    agreement = signed.agreement
    session.say(render_agreement(agreement).rstrip())
    session.say(f"Agreement id: 0x{signed.id.hex()}\n")
    rows = [
        (
            role,
            agreement.name(role),
            good("signed") if role in signed.signatures else waiting("not signed"),
        )
        for role in agreement.people
    ]
    session.say(table(rows, ("role", "name", "signature")))
    session.emit({**_as_json(agreement), **signed.to_json()})


def _as_json(agreement: Agreement) -> dict[str, object]:
    return {
        "reference": agreement.reference,
        "title": agreement.title,
        "network": agreement.network,
        "token": agreement.token_symbol,
        "price": {"units": str(agreement.price), "text": agreement.amount(agreement.price)},
        "document_hash": "0x" + agreement.document_hash.hex(),
        "parties": {
            role: {"name": party.name, "account": party.account}
            for role, party in agreement.parties.items()
        },
        "milestones": [
            {
                "key": m.key,
                "title": m.title,
                "amount": {"units": str(m.amount), "text": agreement.amount(m.amount)},
                "due": m.due.isoformat() if m.due else None,
                "deadline": m.deadline or None,
                "pays_on_silence": m.pays_on_silence,
                "verifiers": list(m.verifiers),
                "quorum": m.quorum,
                "requires": [item.words() for item in m.requirements.items],
            }
            for m in agreement.milestones
        ],
        "document": agreement.document,
    }


def _load(file: str) -> Agreement:
    path = Path(file)
    if path.suffix.lower() == ".json":
        from milestone_escrow.documents.files.signed_agreement import SignedAgreement

        return SignedAgreement.load(path).agreement
    return Agreement.load(path)
