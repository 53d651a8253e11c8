"""`escrow key`: encrypted keys of one's own."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from milestone_escrow.cli.shell import session as shell_session
from milestone_escrow.cli.shell.options import speaks
from milestone_escrow.cli.shell.output import bold, command, table
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.errors import KeyFileError, UsageError

_PASSWORD = click.option(
    "--password-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Holds the password; asked for otherwise.",
)


@click.group(short_help="Create, list and import encrypted keys.")
def key() -> None:
    """Create, list and import encrypted keys. A private key never stands on a command line.

    \b
    Examples:
      escrow key new treasury
      escrow key list
    """


@key.command(short_help="Make a new key.")
@click.argument("name")
@_PASSWORD
@speaks
def new(session: Session, name: str) -> None:
    """Make a new random key and keep it encrypted with a password.

    Whoever loses the file or forgets the password loses what the account can receive: keep a
    copy of the file.

    \b
    Examples:
      escrow key new treasury
      escrow key new surveyor --password-file ~/.surveyor-password
    """
    from milestone_escrow.keys import Keystore

    entry = Keystore(session.home.keys).create(name, _new_password(name, session.password_file))
    session.say(f"Key {bold(name)} has the account {entry.address}.")
    session.say(f"It is kept encrypted in {entry.path}; keep a copy of that file.")
    session.emit({"name": name, "account": entry.address, "file": str(entry.path)})


@key.command("list", short_help="Show the keys that are here.")
@speaks
def list_(session: Session) -> None:
    """Show the keys that are here, with their accounts.

    \b
    Examples:
      escrow key list
      escrow key list --json
    """
    from milestone_escrow.keys import Keystore

    entries = Keystore(session.home.keys).list()
    if entries:
        session.say(table([(e.name, e.address) for e in entries], ("key", "account")))
    else:
        session.say(f"There is no key in {session.home.keys} yet. Make one:")
        session.say(f"  {command('escrow key new NAME')}")
        session.say("On the sandbox nobody needs one: there --as buyer is enough.")
    session.emit(
        {"keys": [{"name": e.name, "account": e.address, "file": str(e.path)} for e in entries]}
    )


@key.command(short_help="Print the account of a key.")
@click.argument("name")
@speaks
def address(session: Session, name: str) -> None:
    """Print the account of a key, and nothing else, for scripts.

    
    Examples:
      escrow key address treasury
    """
    from milestone_escrow.keys import Keystore

    for entry in Keystore(session.home.keys).list():
        if entry.name == name:
            session.say(entry.address)
            session.emit({"name": name, "account": entry.address})
            return
    raise UsageError(f"there is no key '{name}' here", hint="see `escrow key list`")


@key.command("import", short_help="Keep a key that exists already.")
@click.argument("name")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@_PASSWORD
@speaks
def import_(session: Session, name: str, file: Path | None) -> None:
    """Keep a key that exists already: an encrypted key file (geth, MetaMask, Web3 Secret
    Storage), or a private key.

    FILE holds either; `-` is standard input. Without FILE the private key is asked for and not
    shown. An encrypted file keeps its password.

    \b
    Examples:
      escrow key import treasury
      escrow key import treasury UTC--2027-01-14T09-00-00Z--7e5f4552.json
      pass show treasury | escrow key import treasury - --password-file ~/.treasury-password
    """
    from milestone_escrow.keys import Keystore

    secret = _secret(file)
    encrypted = secret.lstrip().startswith("{")
    password = (
        _password(name, session.password_file)
        if encrypted
        else _new_password(name, session.password_file)
    )
    entry = Keystore(session.home.keys).import_key(name, secret, password)
    session.say(f"Key {bold(name)} has the account {entry.address}.")
    session.say(f"It is kept encrypted in {entry.path}.")
    session.emit({"name": name, "account": entry.address, "file": str(entry.path)})


def _secret(file: Path | None) -> str:
    if file is None:
        _require_terminal("the private key", "give a file, or `-` for standard input")
        return str(click.prompt("Private key (not shown)", hide_input=True, err=True))
    if str(file) == "-":
        return sys.stdin.read(20_000)
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise KeyFileError(f"{file} cannot be read ({reason})", hint="check the path") from error


def _new_password(name: str, file: Path | None) -> str:
    if file is None:
        _require_terminal("a password", "give one with --password-file")
        text = f"A password for key '{name}'"
        return str(click.prompt(text, hide_input=True, confirmation_prompt=True, err=True))
    return _password(name, file)


def _password(name: str, file: Path | None) -> str:
    from milestone_escrow.keys.passwords import read_password_file

    if file is not None:
        return read_password_file(file)
    _require_terminal("the password", "give it with --password-file")
    return str(click.prompt(f"Password of key '{name}'", hide_input=True, err=True))


def _require_terminal(what: str, hint: str) -> None:
    if not shell_session.has_terminal():
        raise UsageError(f"there is no terminal to ask for {what} on", hint=hint)
