"""Links that a phone's wallet opens, with their codes: the same as `escrow fund --link` prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from milestone_escrow.deals.paying import phone_links
from milestone_escrow.deals.table import Table
from milestone_escrow.documents.files.wallet_links import svg_code
from milestone_escrow.oracle.api.viewers import Viewer
from milestone_escrow.oracle.viewing import DocumentedView
from milestone_escrow.web.page_deps import WebDeps


@dataclass(frozen=True, slots=True)
class Code:
    """A link to scan; `says` is what it does, `image` its code, as an address."""

    uri: str
    says: str
    image: str


def codes(web: WebDeps, view: DocumentedView, indices: Sequence[int], viewer: Viewer) -> list[Code]:
    """What to scan to pay these milestones in, in this order."""
    units = sum(view.milestones[index].amount for index in indices)
    payer, page = viewer.account or view.terms.buyer, web.api.settings.origin
    links = phone_links(Table(view.signed, web.escrow), payer, units, page)
    return [Code(one.uri, one.says, svg_code(one.uri)) for one in links]
