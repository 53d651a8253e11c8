"""No secret on a command line: it would stay in the shell's history and the process list."""

from __future__ import annotations

import re
from collections.abc import Sequence

from milestone_escrow.cli.shell.home import Home
from milestone_escrow.errors import UsageError

_SEPARATORS = re.compile(r"[\s=,:;'\"]+")
_PRIVATE_KEY = re.compile(r"(?:0[xX])?[0-9a-fA-F]{64}")


def refuse_secrets(arguments: Sequence[str]) -> None:
    """Refuse anything that looks like a private key, without repeating it.

    An agreement's id and a transaction's hash look the same; those that this machine knows are no
    secrets.

    Raises:
        UsageError: some argument holds 64 hexadecimal digits that are no known id or hash.
    """
    home = Home.find()
    for position, argument in enumerate(arguments, start=1):
        for word in _SEPARATORS.split(argument):
            if not _PRIVATE_KEY.fullmatch(word):
                continue
            if not home.has_agreement(word) and not home.has_sent(word):
                raise UsageError(
                    f"argument {position} looks like a private key, which no command takes",
                    hint="keep it with `escrow key import`, which asks for it, and name it with "
                    "--as; if it is an agreement's id, give the agreement's file once; write a "
                    "transaction's hash as tx/0x…, a batch's digest as batches/0x…",
                )
