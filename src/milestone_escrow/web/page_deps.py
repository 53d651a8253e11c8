"""What the page needs beyond what the API has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, TypeAlias

from fastapi import Depends, Request

from milestone_escrow.chain.contract.client import Escrow
from milestone_escrow.oracle.api.deps import ApiDeps


@dataclass(frozen=True)
class WebDeps:
    """`api` is what the interface works with; `escrow` reads the chain and prepares transactions,
    which people's own wallets sign and send."""

    api: ApiDeps
    escrow: Escrow


def web_of(request: Request) -> WebDeps:
    deps: WebDeps = request.app.state.web
    return deps


Web: TypeAlias = Annotated[WebDeps, Depends(web_of)]
