"""The options that commands share, as decorators; each hands the command a `Session`."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from milestone_escrow.cli.shell.saving import FORCE, output
from milestone_escrow.cli.shell.session import Session

F = TypeVar("F", bound=Callable[..., Any])

_OWN = (
    "as_json",
    "network",
    "rpc",
    "mainnet",
    "signer_name",
    "password_file",
    "yes",
    "dry_run",
    "max_fee",
    "nonce",
    "signer_spec",
    "unsigned",
    "output",
    "force",
    "sender",
)


class _Format(click.ParamType[str]):
    """What --unsigned prints. Its value is joined with =, so that what follows is an argument."""

    name = "format"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from milestone_escrow.cli.shell.unsigned import FORMATS

        if value not in FORMATS:
            self.fail(
                f"'{value}' is no form of it; put --unsigned last, or write "
                f"{', '.join(f'--unsigned={one}' for one in FORMATS)}"
            )
        return value


_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_NETWORK = (
    click.option("--network", metavar="NAME", help="Instead of the agreement's own network."),
    click.option("--rpc", metavar="URL", help="A node of your own."),
    click.option("--mainnet", is_flag=True, help="Allow a network with real money."),
)
_KEY = (
    click.option("--as", "signer_name", metavar="NAME", help="The key to sign with."),
    click.option(
        "--password-file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Holds the key's password; asked for otherwise.",
    ),
    click.option(
        "--signer",
        "signer_spec",
        metavar="WHERE",
        help="Sign elsewhere: rpc (the node's own accounts), rpc:URL (a wallet's), ledger, "
        "ledger:PATH or kms:KEY; --as names the account there.",
    ),
)
_SENDER = click.option(
    "--from",
    "sender",
    metavar="ACCOUNT",
    help="Whose transaction it is, without its key: with --unsigned, --sign-only or --dry-run.",
)
_UNSIGNED = (
    click.option(
        "--unsigned",
        is_flag=False,
        flag_value="json",
        type=_Format(),
        metavar="[=cast|=safe]",
        help="Send nothing: print the transaction for a wallet, a `cast send` line (=cast), or a "
        "batch for a Safe's Transaction Builder (=safe).",
    ),
    output("Write what --unsigned prints to FILE"),
    FORCE,
    _SENDER,
)
_SENDING = (
    click.option("--dry-run", is_flag=True, help="Show what would happen, and stop."),
    click.option("--yes", "-y", is_flag=True, help="Do not ask."),
)
_FEES = (
    click.option("--max-fee", metavar="GWEI", help="Pay at most this for a unit of gas."),
    click.option(
        "--nonce", type=click.IntRange(0), metavar="N", help="Instead of the account's next one."
    ),
)


on_paper = click.option(
    "--font",
    "fonts",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A font for other scripts than Latin, Greek and Cyrillic, where this machine has none; "
    "may be repeated.",
)


def speaks(function: F) -> F:
    """A command that only prints: --json."""
    return _session(function, _JSON)


def reads(function: F) -> F:
    """A command that looks at a chain: --network, --rpc, --mainnet, --json."""
    return _session(function, *_NETWORK, _JSON)


def probes(function: F) -> F:
    """A command that is told which network to look at: --rpc, --mainnet, --json."""
    return _session(function, *_NETWORK[1:], _JSON)


def signs(function: F) -> F:
    """A command that signs: --as, --password-file and what `reads` adds."""
    return _session(function, *_KEY, *_NETWORK, _JSON)


def sends(function: F) -> F:
    """A command that sends a transaction: --dry-run, --yes, --unsigned, --max-fee, --nonce and what
    `signs` adds."""
    return _session(function, *_KEY, *_SENDING, *_UNSIGNED, *_FEES, *_NETWORK, _JSON)


def offers(function: F) -> F:
    """A command that signs a file of its own, and takes what `sends` adds."""
    return _session(function, *_KEY, *_SENDING, *_UNSIGNED, *_FEES, *_NETWORK, _JSON, has_file=True)


def replaces(function: F) -> F:
    """A command that sends a transaction in another's place: what `sends` adds, but no --nonce."""
    return _session(function, *_KEY, *_SENDING, *_UNSIGNED[:-1], _FEES[0], *_NETWORK, _JSON)


def examines(function: F) -> F:
    """A command that looks at a chain and at somebody's account: --as and what `reads` adds."""
    return _session(function, _KEY[0], *_NETWORK, _JSON)


def _session(function: F, *options: Callable[[F], F], has_file: bool = False) -> F:
    @wraps(function)
    def command(*args: Any, **kwargs: Any) -> Any:
        own = {name: kwargs.pop(name) for name in _OWN if name in kwargs}
        session = Session(**own)
        session.require_consistent(sends=_UNSIGNED[0] in options and not has_file)
        function(session, *args, **kwargs)
        if session.exit_status:
            click.get_current_context().exit(session.exit_status)

    wrapped: F = command  # type: ignore[assignment]
    for option in reversed(options):
        wrapped = option(wrapped)
    return wrapped
