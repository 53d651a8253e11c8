"""The edge of the program: whatever goes wrong leaves as one sentence and an exit status."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar

import click

from milestone_escrow.cli.shell.home import Home, debugging, wants_colour
from milestone_escrow.errors import EscrowError

INTERRUPTED = 130

_sending = ContextVar("sending", default=False)


def sending() -> None:
    """From here on an interruption may leave a transaction behind."""
    _sending.set(True)


@contextmanager
def catching(arguments: Sequence[str]) -> Iterator[None]:
    """Turn every exception of a command into a sentence on stderr, and exit."""
    as_json = "--json" in arguments
    _sending.set(False)
    try:
        yield
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, EOFError, click.Abort):
        sent = "a transaction may be on its way: look at `escrow status` before you try again"
        _tell(f"stopped; {sent if _sending.get() else 'nothing was sent'}", as_json=as_json)
        sys.exit(INTERRUPTED)
    except click.ClickException as error:
        if _asks_for_help(error):
            click.echo(error.format_message())
            sys.exit(0)
        _tell(_sentence(error), as_json=as_json)
        sys.exit(error.exit_code)
    except EscrowError as error:
        if debugging():
            traceback.print_exc()
        _remember(error)
        _tell(str(error), error, as_json=as_json)
        sys.exit(error.exit_status)
    except BrokenPipeError:
        # The reader of a pipe, `head` for example, has seen enough.
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        if debugging():
            traceback.print_exc()
        _tell(_unwritable(error), as_json=as_json)
        sys.exit(1)
    except Exception as error:
        if debugging():
            traceback.print_exc()
        sentence = f"this should not happen ({type(error).__name__}: {_first_line(error)})"
        _tell(f"{sentence}; run again with ESCROW_DEBUG=1 to see where", as_json=as_json)
        sys.exit(1)


def _unwritable(error: OSError) -> str:
    """What the system refused, a full disk for example; without a file it was the output."""
    what = error.filename or "the output"
    sent = "; look at `escrow status`: a transaction may be on its way" if _sending.get() else ""
    return f"{what} cannot be used ({error.strerror or type(error).__name__}){sent}"


def _asks_for_help(error: click.ClickException) -> bool:
    """Whether it is only click's way (since 8.2) to show a group's help when nothing follows."""
    return type(error).__name__ == "NoArgsIsHelpError"


def _sentence(error: click.ClickException) -> str:
    text = error.format_message().strip().rstrip(".")
    text = text[:1].lower() + text[1:] if text[1:2].islower() else text
    command = getattr(getattr(error, "ctx", None), "command_path", "")
    if isinstance(error, click.UsageError) and command and "; " not in text:
        return f"{text}; see `{command} --help`"
    return text


def _tell(message: str, error: EscrowError | None = None, *, as_json: bool) -> None:
    if as_json:
        fields = {
            name: value
            for name, value in (error.fields if error else {}).items()
            if isinstance(value, (str, int, float, dict, list, type(None)))
        }
        body = {
            **fields,
            "message": error.message if error else message,
            "hint": error.hint if error else "",
            "kind": type(error).__name__ if error else "Error",
        }
        click.echo(json.dumps({"error": body}, default=str), err=True)
    else:
        line = f"{click.style('Error:', fg='red', bold=True)} {message}"
        click.echo(line, err=True, color=None if wants_colour() else False)


def _remember(error: EscrowError) -> None:
    """Know a transaction's hash again that was sent and did not come through."""
    transaction = error.fields.get("transaction")
    if isinstance(transaction, str):
        with suppress(EscrowError, OSError):
            Home.find().remember_sent(transaction)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:200]
