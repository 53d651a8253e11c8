"""`escrow safe`: a Safe's signature, out of its owners'."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from milestone_escrow.cli.safe.safe_letters import Letter, open_letter
from milestone_escrow.cli.safe.sign import read_signatures
from milestone_escrow.cli.shell.home import write
from milestone_escrow.cli.shell.options import reads, signs
from milestone_escrow.cli.shell.output import bold, command, good, paragraph
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.cli.shell.signers import AtHand, at_hand, own_keys, unlock
from milestone_escrow.documents.files.envelope import Envelope, dumps
from milestone_escrow.errors import EscrowError, UsageError
from milestone_escrow.protocol.eip712 import Address, TypedData
from milestone_escrow.protocol.safe import joined, owner_of, safe_message
from milestone_escrow.words.standing import person

if TYPE_CHECKING:
    from milestone_escrow.chain.contract.safes import Safe
    from milestone_escrow.cli.shell.session import Session
    from milestone_escrow.protocol.signatures import Signer


_FOR = click.option(
    "--for",
    "who",
    required=True,
    metavar="WHO",
    help="The Safe: a role in the agreement, or its account.",
)


_FILE = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))


@click.group(short_help="Sign as a Safe: collect its owners' signatures.")
def safe() -> None:
    """Sign as a Safe: collect its owners' signatures, and join them to the Safe's own.

    A Safe has no key. It signs an agreement, an attestation or an act when enough of its owners
    sign a message of the Safe about it. What a Safe sends itself needs no signature of this kind:
    print it with --unsigned=safe.

    \b
    Examples:
      escrow safe show shed.yaml --for buyer
      escrow safe sign shed.yaml --for buyer --as anna
    """


@safe.command(short_help="Show what its owners sign.")
@_FILE
@_FOR
@reads
def show(session: Session, file: Path, who: str) -> None:
    """Show what a Safe's owners sign, so that it signs FILE: an agreement, or what --sign-only
    wrote with --from. With --json it is the typed data, for owners who sign in another wallet.

    \b
    Examples:
      escrow safe show shed.yaml --for buyer
      escrow safe show walls.json --for surveyor --json
    """
    found = _round(session, open_letter(session, file, who))
    session.say(bold(_heading(found)))
    for line in found.letter.says:
        session.say(paragraph(line, "  "))
    for message in found.messages:
        session.say(f"  the Safe's message 0x{message.digest().hex()}")
    owners = ", ".join(_name(found, owner) for owner in found.safe.owners)
    session.say(paragraph(f"{found.safe.threshold} of these owners sign it: {owners}"))
    session.say(f"\nNext\n  {command(_line(found))}")
    session.emit(
        {
            **_facts(found),
            "owners": list(found.safe.owners),
            "typed_data": [message.to_json() for message in found.messages],
        }
    )


@safe.command(short_help="Sign as one of its owners.")
@_FILE
@_FOR
@click.option(
    "--signature",
    metavar="HEX|FILE",
    help="An owner's signature from another wallet, instead of signing here.",
)
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@signs
def sign(session: Session, file: Path, who: str, signature: str | None) -> None:
    """Sign FILE as an owner of a Safe. Until enough have signed, the signatures wait in a file
    beside it, to send to the next owner; the last one puts the Safe's own signature into FILE.

    \b
    Examples:
      escrow safe sign shed.yaml --for buyer --as anna
      escrow safe sign walls.json --for surveyor --signer ledger
      escrow safe sign walls.json --for surveyor --signature 0x5c50…
    """
    found = _round(session, open_letter(session, file, who))
    session.say(bold(_heading(found)))
    for line in found.letter.says:
        session.say(paragraph(line, "  "))
    if signature is None:
        signer = _owner(session, found)
        session.say(f"  as {_name(found, signer.address)}, one of its owners\n")
        session.confirm("Sign it?")
        owner = signer.address
        given = tuple(signer.sign_typed_data(message) for message in found.messages)
    else:
        owner, given = _given(found, signature)
    known = {**found.signatures, owner: given}
    found = Round(found.letter, found.safe, found.messages, known)
    done = not found.missing
    if done:
        enough = dict(list(known.items())[: found.safe.threshold])
        whole = [
            joined({one: parts[number] for one, parts in enough.items()})
            for number in range(len(found.messages))
        ]
        target = found.letter.put(session, whole)
        found.file.unlink(missing_ok=True)
        session.say(f"{good('Signed')} by the Safe; its signature is in {bold(str(target))}.")
    else:
        write(found.file, found.dumps())
        session.say(f"{good('Signed')} by {len(known)} of {found.safe.threshold} owners.")
        session.say(f"Send {bold(str(file))} and {bold(str(found.file))} to the next one:")
        session.say(f"  {command(_line(found))}")
    session.emit({**_facts(found), "complete": done, "file": str(file)})


KIND = "a file of a Safe's owners' signatures"


_FIELDS = {"format", "safe", "chain_id", "signatures"}


@dataclass(frozen=True)
class Round:
    """A letter, the Safe that is to sign it, and its owners' signatures so far.

    `signatures` are by owner, one for each of the messages.
    """

    letter: Letter
    safe: Safe
    messages: tuple[TypedData, ...]
    signatures: Mapping[Address, tuple[bytes, ...]]

    @property
    def missing(self) -> int:
        return max(self.safe.threshold - len(self.signatures), 0)

    @property
    def file(self) -> Path:
        """Where signatures wait for the next owner."""
        path = self.letter.file
        return path.with_name(f"{path.stem}.{self.letter.name}.safe.json")

    def dumps(self) -> str:
        return dumps(
            {
                "format": "1",
                "safe": self.safe.address,
                "chain_id": str(self.letter.chain_id),
                "signatures": {
                    owner: ["0x" + one.hex() for one in given]
                    for owner, given in self.signatures.items()
                },
            }
        )


def _round(session: Session, letter: Letter) -> Round:
    """The signatures that wait beside a letter, each checked.

    Raises:
        DocumentError: the file there is damaged or forged, or of something else.
        ChainError: the account is no Safe.
    """
    from milestone_escrow.chain.contract.safes import read_safe

    safe = read_safe(session.node_of(letter.chain_id), letter.account)
    messages = tuple(
        safe_message(letter.chain_id, letter.account, data.digest()) for data in letter.data
    )
    empty = Round(letter, safe, messages, {})
    if not empty.file.is_file():
        return empty
    envelope = Envelope.read(empty.file, KIND, _FIELDS)
    known: dict[Address, tuple[bytes, ...]] = {}
    for owner, listed in envelope.group("signatures").items():
        given = listed if isinstance(listed, list) else []
        signatures = tuple(envelope.hexadecimal(one) for one in given)
        if len(signatures) != len(messages):
            raise envelope.damaged(f"it is about something else than {letter.file}")
        if owner not in safe.owners:
            # Owners may have changed since.
            raise envelope.damaged(f"{owner} is no owner of {safe.address} now")
        for message, one in zip(messages, signatures, strict=True):
            if _signed_by(message, one) != owner:
                raise envelope.damaged(f"{owner} did not sign {letter.file} as it is")
        known[owner] = signatures
    return Round(letter, safe, messages, known)


def _signed_by(message: TypedData, signature: bytes) -> Address | None:
    try:
        return owner_of(message, signature)
    except UsageError:
        return None


def _owner(session: Session, found: Round) -> Signer:
    """The key of an owner who has not signed yet.

    Raises:
        UsageError: none is here, or several are.
        EscrowError: the one named is no owner, or has signed.
    """
    chain_id = found.letter.chain_id
    here = (*at_hand(session, found.letter.bound, chain_id), *own_keys(session, chain_id))
    keys = {key.account: key for key in reversed(here)}
    left = [keys[o] for o in found.safe.owners if o in keys and o not in found.signatures]
    if session.signer_name:
        named = [key for key in here if _is(key, session.signer_name)]
        if not named:
            raise UsageError(
                f"there is no key '{session.signer_name}' here", hint=f"owners: {_left(found)}"
            )
        _require_owner(found, named[0].account)
        return unlock(session, named[0])
    if not left:
        raise UsageError("no key of an owner is here who has not signed", hint=_left(found))
    if len(left) > 1:
        names = " or ".join(f"--as {key.name}" for key in left)
        raise UsageError("several owners' keys are here", hint=f"say which: {names}")
    return unlock(session, left[0])


def _is(key: AtHand, name: str) -> bool:
    return key.name == name or key.account.lower() == name.lower()


def _given(found: Round, text: str) -> tuple[Address, tuple[bytes, ...]]:
    """An owner's signature from elsewhere; whose it is, it says itself."""
    parts = read_signatures(text, len(found.messages))
    owners = [owner_of(m, one) for m, one in zip(found.messages, parts, strict=True)]
    if len(set(owners)) > 1:
        raise UsageError("the signatures are of different owners", hint="give one owner's only")
    _require_owner(found, owners[0])
    return owners[0], parts


def _require_owner(found: Round, account: Address) -> None:
    if account not in found.safe.owners:
        raise EscrowError(f"{account} is no owner of {found.safe.address}", hint=_left(found))
    if account in found.signatures:
        raise EscrowError(f"{_name(found, account)} has signed this already", hint=_left(found))


def _left(found: Round) -> str:
    waiting = [_name(found, o) for o in found.safe.owners if o not in found.signatures]
    return f"it waits for {found.missing} of {', '.join(waiting)}"


def _name(found: Round, account: Address) -> str:
    return person(found.letter.bound, account)


def _heading(found: Round) -> str:
    return f"sign {found.letter.title} as the Safe {_name(found, found.safe.address)}"


def _line(found: Round) -> str:
    return f"escrow safe sign {found.letter.given} --for {found.letter.name} --as OWNER"


def _facts(found: Round) -> dict[str, object]:
    return {
        "safe": found.safe.address,
        "threshold": found.safe.threshold,
        "messages": ["0x" + message.digest().hex() for message in found.messages],
        "signed_by": list(found.signatures),
    }
