"""An agreement on one contract, as far as anybody needs to know it to act on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from milestone_escrow.protocol.terms import Milestone, Terms


class OpenAgreement(Protocol):
    """Its id, its terms and its milestones; whether it has a document is another matter."""

    @property
    def id(self) -> bytes: ...

    @property
    def terms(self) -> Terms: ...

    @property
    def milestones(self) -> Sequence[Milestone]: ...
