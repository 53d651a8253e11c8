"""What is kept and cannot be read: set aside, named and counted, so that it stops nothing else."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from milestone_escrow.errors import ChainError, EscrowError

log = logging.getLogger("milestone_escrow.oracle.aside")

UNREADABLE = (
    EscrowError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    AssertionError,
    RecursionError,
)
"""What reading a damaged record may raise."""

_found: dict[str, str] = {}


class apart:  # noqa: N801 - it is written like a verb
    """Let what cannot be read in a block stop the block and nothing else.

    Trouble with the node or the database is no record's fault, and goes on to whoever called.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if error is None:
            clear(self._name)
        elif isinstance(error, UNREADABLE) and not isinstance(error, ChainError):
            put(self._name, error)
            return True
        return False


def put(name: str, error: Exception | str) -> None:
    """Set one aside; it is said once, however often it is met."""
    why = reason(error)
    if name not in _found:
        log.error("set aside %s: %s", name, why, extra={"fields": {"record": name, "why": why}})
    _found[name] = why


def clear(name: str) -> None:
    """It can be read again."""
    _found.pop(name, None)


def forget() -> None:
    """Begin anew: whatever cannot be read will be met again."""
    _found.clear()


def everything() -> Mapping[str, str]:
    """What this process has set aside, and why."""
    return dict(_found)


def reason(error: Exception | str) -> str:
    """Why a record cannot be read, in a sentence."""
    if isinstance(error, str):
        return error
    if isinstance(error, EscrowError):
        return error.sentence
    return f"what it holds does not fit ({type(error).__name__}: {str(error)[:120]})"


def about(agreement_id: bytes, purpose: str) -> str:
    """What everything else that is kept of one agreement is called, for one purpose: where another
    one comes through, this one has not."""
    return f"what is kept of 0x{agreement_id.hex()} for {purpose}"
