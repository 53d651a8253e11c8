"""One thing worth telling, and the key by which it is told once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

DAY = 86_400
DEFAULT_LEADS = (7 * DAY, DAY)

MAX_ABOUT = 48

OPERATOR = "operator"
"""The audience that runs the service, in no agreement's terms."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to tell from `at` on and, where `until` is set, only before it; Unix seconds.

    `about` tells it from others of its kind about the same milestone. `audience` are the roles to
    write to; webhooks and the log get everything. `facts` is for programs: amounts are strings of
    token units. `block` is where it stands on chain, None for what the clock says.
    """

    kind: str
    agreement_id: bytes | None
    milestone: int | None
    about: str
    at: int
    subject: str
    text: str
    audience: tuple[str, ...] = ()
    until: int | None = None
    facts: Mapping[str, object] = field(default_factory=dict)
    block: int | None = None
    target: int = 0

    @property
    def key(self) -> str:
        """The same however often it is planned, by whichever instance, before or after a reorg."""
        place = "-" if self.milestone is None else str(self.milestone)
        agreement = self.agreement_id.hex() if self.agreement_id else "-"
        about = self.about
        if len(about) > MAX_ABOUT:
            about = sha256(about.encode()).hexdigest()[:32]
        return f"{self.kind}/{agreement}/{place}/{about}"

    @property
    def is_date(self) -> bool:
        """Whether the clock says it, so that it is void once things have moved on."""
        return self.block is None and not self.kind.startswith(("milestone.", "agreement."))


def moments(target: int, since: int, leads: tuple[int, ...]) -> tuple[tuple[str, int], ...]:
    """When to remind of `target`, by name, the earliest first.

    A window too short for any lead has one reminder half-way.
    """
    found = sorted((target - lead, str(lead)) for lead in leads if target - lead > since)
    if not found and leads and target > since:
        return (("half", since + (target - since) // 2),)
    return tuple((name, at) for at, name in found)
