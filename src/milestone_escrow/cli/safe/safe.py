"""`escrow safe`: a Safe's signature, out of its owners'."""

from __future__ import annotations

from pathlib import Path

import click

from milestone_escrow.cli.shell.options import reads, signs
from milestone_escrow.cli.shell.session import Session

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
    from milestone_escrow.cli.safe.safes import show_messages

    show_messages(session, file, who)


@safe.command(short_help="Sign as one of its owners.")
@_FILE
@_FOR
@click.option(
    "--signature",
    metavar="HEX",
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
    from milestone_escrow.cli.safe.safes import sign_as_owner

    sign_as_owner(session, file, who, signature)
