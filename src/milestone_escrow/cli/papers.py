"""What is signed to a file instead of being sent: anybody may send it later, with `escrow send`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from milestone_escrow.errors import UsageError

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


def on_paper(function: F) -> F:
    """Adds --sign-only and --valid-for, and hands the command a `Paper`."""

    @wraps(function)
    def command(*args: Any, sign_only: Path | None, valid_for: str, **kwargs: Any) -> Any:
        return function(*args, paper=Paper(sign_only, valid_for), **kwargs)

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
