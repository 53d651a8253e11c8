"""What is signed to a file instead of being sent: anybody may send it later, with `escrow send`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from milestone_escrow.cli.shell.home import write
from milestone_escrow.cli.shell.output import command as as_command
from milestone_escrow.cli.shell.output import waiting
from milestone_escrow.errors import UsageError

if TYPE_CHECKING:
    from milestone_escrow.cli.shell.session import Session
    from milestone_escrow.documents.agreement import BoundAgreement
    from milestone_escrow.protocol.signatures import Signer

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Paper:
    """Where to write what is signed, None to send it at once, and how long it may be used."""

    file: Path | None = None
    valid_for: str = "30 days"


def seconds(paper: Paper) -> int:
    """How long what is signed now may be sent.

    Raises:
        UsageError: --valid-for is no time.
    """
    from milestone_escrow.documents.when import parse_duration

    found = parse_duration(paper.valid_for)
    if found <= 0:
        raise UsageError(
            f"--valid-for is '{paper.valid_for}'", hint="write a time, as 30 days or 48 hours"
        )
    return found


def require_no_transaction(session: Session) -> None:
    """Refuse --unsigned where something is written for others to send.

    Raises:
        UsageError: with what to leave out.
    """
    if session.unsigned:
        raise UsageError(
            "--unsigned prints a transaction, and here something is signed for others to send",
            hint="leave it out; with --from the file is written without a signature",
        )


def nothing_signed(session: Session, body: Mapping[str, object]) -> bool:
    """Whether this is a dry run, which ends before anything is signed."""
    if session.dry_run:
        session.say("\nNothing was signed: this was a dry run.")
        session.emit(body)
    return session.dry_run


def say_unsigned(
    session: Session, bound: BoundAgreement, absent: Signer, file: Path, text: str
) -> None:
    """Write what somebody is to sign elsewhere, and say how that gets in."""
    if session.dry_run:
        session.say("\nNothing was written: this was a dry run.")
        session.emit({"sent": False, "signed": False, "file": None})
        return
    write(file, text)
    role = next(iter(bound.agreement.roles(absent.address)), absent.address)
    who = f"{file} --for {role}"
    session.say(
        f"\n{waiting('Written, not signed')} by {absent.address}. A Safe's owners sign with"
    )
    session.say(f"  {as_command(f'escrow safe sign {who} --as OWNER')}")
    session.say("and the signature of any other wallet goes in with")
    session.say(f"  {as_command(f'escrow sign {who} --signature HEX')}")
    session.emit({"sent": False, "signed": False, "file": str(file)})


def on_paper(function: F) -> F:
    """Adds --sign-only and --valid-for, and hands the command a `Paper`."""

    @wraps(function)
    def command(
        session: Session, *args: Any, sign_only: Path | None, valid_for: str, **kwargs: Any
    ) -> Any:
        if sign_only:
            require_no_transaction(session)
        return function(session, *args, paper=Paper(sign_only, valid_for), **kwargs)

    options = (
        click.option(
            "--sign-only",
            type=click.Path(dir_okay=False, path_type=Path),
            metavar="FILE",
            help="Sign to FILE and send nothing; anyone sends it with `escrow send`.",
        ),
        click.option(
            "--valid-for",
            metavar="TIME",
            default="30 days",
            show_default=True,
            help="How long what is signed may be sent.",
        ),
    )
    wrapped: F = command  # type: ignore[assignment]
    for option in reversed(options):
        wrapped = option(wrapped)
    return wrapped
