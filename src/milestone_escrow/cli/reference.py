"""docs/cli.md, written from every command's help by `python -m milestone_escrow.cli.reference`."""

from __future__ import annotations

from collections.abc import Iterator

import click

from milestone_escrow.cli import COMMANDS, FAMILIES, cli

OPENING = """\
# The command line

Every command that sends a transaction first says in words what will happen, simulates it, and
asks. `--yes` does not ask, `--dry-run` stops before sending, `--json` prints one JSON object.

- AGREEMENT is an agreement file (`deal.yaml`), the signed file beside it (`deal.signed.json`), a
  reference (`PO-48213`), an id, or the first four or more digits of an id. What this machine has
  signed, opened or looked at once is known by reference and id afterwards.
- MILESTONE is the milestone's key in the agreement.
- `--as NAME` is a key of `escrow key list`, or on the sandbox a person of the agreement: `buyer`,
  `supplier`, `arbiter`, or a verifier's key. Without it, the one key at hand that may do it.
- `--sign-only FILE` signs and sends nothing; `escrow send FILE` sends what others signed, with
  anybody's key. Such a file is one of acts, attestations, a payment or a change order.
- Keys, agreements and collected signatures are kept in `~/.milestone-escrow`, or in the folder that
  `ESCROW_HOME` names. `NO_COLOR` switches colour off.
- The exit status is 0, 1 for a failure, 2 for a wrong request, 130 when interrupted. An error is
  one sentence on standard error; with `--json` an object
  `{"error": {"message": …, "hint": …, "kind": …}}` there.

This page is generated from `--help`; `python -m milestone_escrow.cli.reference` writes it anew.
"""


def page() -> str:
    """The whole page as Markdown."""
    return "\n".join([OPENING, *_families()]).rstrip() + "\n"


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command with its full name, groups before what is in them."""
    for name in COMMANDS:
        yield from _walk(f"escrow {name}", _load(name))


def help_of(name: str, command: click.Command) -> str:
    """What `--help` prints, at a fixed width."""
    context = click.Context(
        command,
        info_name=name,
        terminal_width=88,
        max_content_width=88,
        help_option_names=cli.context_settings["help_option_names"],
    )
    return command.get_help(context)


def _walk(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        # A group that loads its commands late knows them by name only; others keep their order.
        for inner in tuple(command.commands) or command.list_commands(context):
            subcommand = command.get_command(context, inner)
            assert subcommand is not None
            yield from _walk(f"{name} {inner}", subcommand)


def _load(name: str) -> click.Command:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    return command


def _families() -> Iterator[str]:
    for family, entries in FAMILIES.items():
        yield f"## {family}\n"
        for name in entries:
            for full, command in _walk(f"escrow {name}", _load(name)):
                yield f"### {full}\n\n```\n{help_of(full, command)}\n```\n"


if __name__ == "__main__":
    click.echo(page(), nl=False)
