"""Named moments between two durable effects, where tests stop the process. No-ops otherwise."""

from __future__ import annotations

from collections.abc import Callable

_hook: Callable[[str], None] | None = None


def failpoint(name: str) -> None:
    """The moment `name`, as "relay.signed"."""
    if _hook is not None:
        _hook(name)


def set_hook(hook: Callable[[str], None] | None) -> None:
    """Call `hook` at every failpoint from now on; None stops that. For tests only."""
    global _hook
    _hook = hook
