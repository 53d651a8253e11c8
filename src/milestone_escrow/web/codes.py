"""Links that a phone's wallet opens, with their codes: the same as `escrow fund --link` prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from milestone_escrow.documents.files.wallet_links import approve_link, fund_page, svg_code
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
    escrow, token = web.escrow, view.token
    units = sum(view.milestones[index].amount for index in indices)
    found: list[tuple[str, str]] = []
    if escrow.allowance(token, viewer.account or view.terms.buyer) < units:
        says = f"Allow the contract to take exactly {view.agreement.amount(units)}"
        permits = escrow.token_support(token.address).permit
        says += "; not needed where the wallet signs a permit on the page." if permits else "."
        chain = escrow.network.chain_id
        found.append((approve_link(token.address, chain, escrow.contract, units), says))
    page = fund_page(web.api.settings.origin, view.id)
    found.append((page, "Pay in on this page, opened in the browser of the same wallet."))
    return [Code(uri, says, svg_code(uri)) for uri, says in found]
