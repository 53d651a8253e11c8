"""`escrow sign`: the signature of a wallet that signs elsewhere, put into a file."""

from __future__ import annotations

from pathlib import Path

import click

from milestone_escrow.cli.safe.safe_letters import Letter, open_letter
from milestone_escrow.cli.shell.options import reads
from milestone_escrow.cli.shell.output import bold, command, good, paragraph
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.errors import UsageError
from milestone_escrow.protocol.signatures import is_wrapped
from milestone_escrow.words.standing import person


@click.command(short_help="Put a wallet's own signature into a file.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--for",
    "who",
    required=True,
    metavar="WHO",
    help="Who signs: a role in the agreement, or an account.",
)
@click.option(
    "--signature",
    metavar="HEX|FILE",
    help="The wallet's signature, or the file that holds it. Without it, what is signed is shown.",
)
@reads
def sign(session: Session, file: Path, who: str, signature: str | None) -> None:
    """Put the signature of a wallet that signs elsewhere into FILE: an agreement, or what
    --sign-only wrote with --from. It may be a contract wallet of any kind (ERC-1271), whose
    contract is asked, or a key. What does not count is not written.

    Without --signature this shows what is to be signed; with --json, as the typed data that
    wallets take. A wallet that is not deployed yet is deployed first.

    \b
    Examples:
      escrow sign shed.yaml --for buyer --json
      escrow sign shed.yaml --for buyer --signature 0x5c50…
      escrow sign walls.json --for surveyor --signature signature.txt
    """
    letter = open_letter(session, file, who)
    session.say(bold(f"sign {letter.title} as {person(letter.bound, letter.account)}"))
    for line in letter.says:
        session.say(paragraph(line, "  "))
    for data in letter.data:
        session.say(f"  the digest 0x{data.digest().hex()}")
    facts = {
        "account": letter.account,
        "digests": ["0x" + data.digest().hex() for data in letter.data],
        "typed_data": [data.to_json() for data in letter.data],
    }
    if signature is None:
        line = f"escrow sign {file} --for {letter.name}"
        session.say(f"\nIts wallet signs what this prints:\n  {command(f'{line} --json')}")
        session.say(f"and the signature goes in with\n  {command(f'{line} --signature HEX')}")
        session.emit({**facts, "signed": False, "file": None})
        return
    target = _put(session, letter, read_signatures(signature, len(letter.data)))
    who = person(letter.bound, letter.account)
    session.say(f"{good('Signed')} by {who}; the signature is in {bold(str(target))}.")
    session.emit({**facts, "signed": True, "file": str(target)})


def _put(session: Session, letter: Letter, signatures: tuple[bytes, ...]) -> Path:
    try:
        return letter.put(session, signatures)
    except UsageError as error:
        if any(is_wrapped(one) for one in signatures):
            raise
        line = f"escrow sign {letter.given} --for {letter.name} --json"
        hint = f"its wallet must sign exactly the typed data that `{line}` prints"
        raise UsageError(error.message, hint=hint) from None


def read_signatures(given: str, count: int) -> tuple[bytes, ...]:
    """Signatures in hexadecimal, with commas or spaces between, given as such or as a file.

    Raises:
        UsageError: they are no hexadecimal, or not as many as there is to sign.
    """
    path = Path(given)
    is_text = given.lower().startswith("0x")
    try:
        text = given if is_text or not path.is_file() else path.read_text("ascii")
        parts = text.replace(",", " ").split()
        found = tuple(bytes.fromhex(part.lower().removeprefix("0x")) for part in parts)
    except (OSError, ValueError):
        raise UsageError(
            f"--signature is neither hexadecimal nor a file of it: '{given[:24]}'",
            hint="give 0x and its digits, as the wallet shows them",
        ) from None
    if len(found) != count or not all(found):
        raise UsageError(
            f"{count} messages are to be signed, and {len(found)} signatures given"
            if count > 1
            else "one message is to be signed, so --signature takes one signature",
            hint="give one for each, in their order, with commas between",
        )
    return found
