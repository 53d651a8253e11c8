"""What `escrow agreement sign` does: one signature, added to the file that both sides share."""

from __future__ import annotations

from pathlib import Path

from milestone_escrow.cli.shell.output import bold, command, good, paragraph, table
from milestone_escrow.cli.shell.saving import STDOUT, is_stream, save, target
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.cli.shell.signers import choose
from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.documents.files.signed_agreement import PARTIES, SignedAgreement, signed_path
from milestone_escrow.documents.when import UTC, format_time
from milestone_escrow.errors import EscrowError, UsageError
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.words.checked import ReportTeller
from milestone_escrow.words.standing import person


def sign_agreement(session: Session, name: str) -> None:
    """Sign as the role of the key, keep the result beside the file and on the shelf."""
    signed = session.find(name)
    agreement, domain = signed.agreement, signed.domain
    file = _place(session, name, signed)
    require_no_change_order(signed, name)
    place = session.place_of(signed)
    missing = tuple(agreement.people[role] for role in signed.missing)
    if not missing and not session.signer_name:
        raise EscrowError(
            f"everybody has signed {agreement.reference}",
            hint=f"the buyer opens it with `escrow open {name}`",
        )
    signer = choose(session, signed.bound, domain.chain_id, missing)
    role = _role(signed, signer.address)
    if role in signed.signatures:
        kept = session.shelf.path(signed.id)
        raise EscrowError(
            f"{role} has signed {agreement.reference} already",
            hint=f"{kept} has all signatures known here, to send to the others"
            if kept.is_file()
            else "",
        )
    require_no_errors(session, signed)
    session.say(bold(f"sign {agreement.reference} for {place.network.title} as {role}"))
    session.say(paragraph(role_words(signed, role), "  "))
    if role in PARTIES:
        session.say(f"\n{deadlines(agreement)}\n")
    session.say(f"  agreement id 0x{signed.id.hex()}\n")
    session.confirm("Sign it?")
    signed = signed.sign(signer) if role in PARTIES else signed.appoint(role, signer)
    if file and (there := _same(session, file, signed)):
        signed = signed.merge(there)
    if file == STDOUT:
        save(session, file, signed.dumps().encode())
    elif file:
        signed.save(file)
    signed = session.shelf.put(signed)
    session.say(f"{good('Signed')} by {person(signed.bound, signer.address)}.")
    if file and file != STDOUT:
        session.say(f"The signatures are in {bold(str(file))}; send that file to the others.")
    _say_next(session, signed, name if file in (None, STDOUT) else str(file))
    session.emit(
        {
            "agreement": "0x" + signed.id.hex(),
            "reference": agreement.reference,
            "network": place.network.name,
            "role": role,
            "account": signer.address,
            "file": str(file) if file else None,
            "missing": list(signed.missing),
            "complete": signed.is_complete,
        }
    )


def _role(signed: SignedAgreement, account: Address) -> str:
    roles = signed.agreement.roles(account)
    if not roles:
        people = ", ".join(f"{r} {a[:8]}…" for r, a in signed.agreement.people.items())
        raise UsageError(
            f"{account} has no role in {signed.agreement.reference}", hint=f"roles: {people}"
        )
    # One person may hold two roles; each is signed for.
    return next((role for role in roles if role not in signed.signatures), roles[0])


def role_words(signed: SignedAgreement, role: str) -> str:
    """What signing means for a role."""
    agreement = signed.agreement
    buyer, supplier = agreement.name("buyer"), agreement.name("supplier")
    if role in PARTIES:
        return (
            f"binds {agreement.name(role)} to “{agreement.title}”: {buyer} pays {supplier} "
            f"{agreement.amount(agreement.price)} in {len(agreement.milestones)} milestones; "
            "no money moves by signing"
        )
    return (
        f"confirms that {agreement.people[role]} is the account of {agreement.name(role)} and that "
        f"they take the role of {role} in “{agreement.title}”, {buyer} and {supplier}"
    )


# What a signature fixes for ever is instants, not dates: in UTC, and beside it in the own zone.
def deadlines(agreement: Agreement) -> str:
    """A table of each milestone with its amount and the instant that is signed, in both zones."""
    rows = [
        (
            milestone.key,
            agreement.amount(milestone.amount),
            format_time(milestone.deadline, UTC) if milestone.deadline else "paid when funded",
            format_time(milestone.deadline, agreement.timezone) if milestone.deadline else "",
        )
        for milestone in agreement.milestones
    ]
    zone = agreement.timezone.key
    return table(rows, ("milestone", "pays", "silence decides, UTC", f"in {zone}"))


def require_no_change_order(signed: SignedAgreement, name: str) -> None:
    """Refuse to treat a new version as an agreement of its own: its money is in the old one.

    Raises:
        EscrowError: with the command for it.
    """
    if signed.agreement.replaces:
        raise EscrowError(
            f"{name} changes an agreement that is open",
            hint=f"both sides sign that with `escrow amend {signed.agreement.reference} {name}`",
        )


def require_no_errors(session: Session, signed: SignedAgreement) -> None:
    """Refuse what `escrow agreement check` calls an error.

    Raises:
        EscrowError: with the first of them, and its fix.
    """
    signed.require_understood()
    report = signed.agreement.check(now=session.now())
    if report.errors:
        first = report.errors[0]
        text, fix = ReportTeller(report).finding(first)
        raise EscrowError(
            f"{signed.agreement.reference} must not be signed like this: {first.where}: {text}",
            hint=fix,
        )


def _place(session: Session, name: str, signed: SignedAgreement) -> Path | None:
    """Where the signatures of a file go; an agreement named otherwise has only the shelf.

    A file of the same agreement gains one; another agreement's is not overwritten.
    """
    path = Path(name)
    beside = path if path.suffix.lower() == ".json" else signed_path(path)
    file = session.output or (beside if path.is_file() else None)
    if file is None or _same(session, file, signed):
        return file
    # Every command reads signatures from .json, and any other name as the agreement's own words.
    if file != STDOUT and file.suffix.lower() != ".json" and not is_stream(file):
        raise UsageError(
            f"{file} would not be read as signatures",
            hint=f"give -o a name that ends in .json, as {signed_path(file)}",
        )
    return target(session, file)


def _same(session: Session, file: Path, signed: SignedAgreement) -> SignedAgreement | None:
    """The signatures in a file, if it is of the same agreement."""
    try:
        there = SignedAgreement.load(file, session.wallets)
    except EscrowError:
        return None
    return there if there.id == signed.id else None


def _say_next(session: Session, signed: SignedAgreement, name: str) -> None:
    waiting = [role for role in PARTIES if role not in signed.signatures]
    if waiting:
        who = signed.agreement.name(waiting[0])
        session.say(f"\nNext\n  {who} signs:")
        session.say(f"    {command(f'escrow agreement sign {name} --as {waiting[0]}')}")
    else:
        session.say("\nNext\n  the buyer opens it and pays the first milestone in:")
        session.say(f"    {command(f'escrow open {name} --fund next')}")
