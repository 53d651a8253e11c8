"""Where commands write what people keep: `-o/--output`, `-` for standard output, and --force.

What lies somewhere is never lost: a file of that name stops the command, before it asks or sends
anything, unless --force is given. Only files that gain something are updated where they lie, at
once or not at all: those that collect signatures, each read and verified before one is added
(agreements, verdicts, batches, acts, change orders, letters of a Safe), the agreement file whose
change was signed, which says from then on what it continues, and this machine's own state folder.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from milestone_escrow.errors import EscrowError, UsageError

if TYPE_CHECKING:
    from milestone_escrow.cli.shell.session import Session

F = TypeVar("F", bound=Callable[..., Any])

STDOUT = Path("-")

FORCE = click.option("--force", is_flag=True, help="Overwrite a file that is there.")


def output(what: str) -> Callable[[F], F]:
    """-o/--output, which every command that writes a file has."""
    return click.option(
        "--output",
        "-o",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help=f"{what}; - is standard output.",
    )


def saves(what: str) -> Callable[[F], F]:
    """Adds -o/--output and --force; the session has them then."""

    def decorate(function: F) -> F:
        return output(what)(FORCE(function))

    return decorate


def target(session: Session, usual: Path | str = "") -> Path:
    """Where this command writes: to `usual`, unless -o says otherwise; asked before anything else.

    Raises:
        EscrowError: something is there that would be lost.
        UsageError: --json and the file both want standard output.
    """
    file = session.output or Path(usual)
    if file != STDOUT:
        require_free(session, file)
    elif session.as_json:
        raise UsageError("--json and -o - both print", hint="give -o a file's name")
    return file


def require_free(session: Session, file: Path) -> None:
    """Refuse a place where something would be lost.

    Raises:
        EscrowError: with what is there.
    """
    if file.is_dir():
        raise EscrowError(f"{file} is a folder", hint="name a file in it with -o")
    if os.path.lexists(file) and not (session.force or is_stream(file)):
        raise EscrowError(
            f"{file} exists already", hint="name another with -o, or overwrite it with --force"
        )


def is_stream(file: Path) -> bool:
    """Whether it is a device or a pipe, which holds nothing that could be lost."""
    return file.exists() and not file.is_file() and not file.is_dir()


def save(session: Session, file: Path, data: bytes) -> None:
    """Write a new file, at once or not at all, readable for its owner only.

    Raises:
        EscrowError: it cannot be written, or somebody was faster.
    """
    from milestone_escrow.documents.files.writing import write_private

    if file == STDOUT:
        click.echo(data, nl=False)
    elif is_stream(file):
        try:
            file.write_bytes(data)
        except OSError as error:
            raise EscrowError(
                f"{file} cannot be written ({error.strerror})", hint="choose another place with -o"
            ) from error
    else:
        write_private(file, data, fresh=not session.force)
