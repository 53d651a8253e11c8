"""What `escrow fund --link` does: paying in with a wallet on a phone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from milestone_escrow.cli.fund.funding import chosen_milestones
from milestone_escrow.cli.shell.desk import Desk, look
from milestone_escrow.cli.shell.output import bold, command, paragraph
from milestone_escrow.documents.files.wallet_links import (
    approve_link,
    fund_page,
    png_code,
    terminal_code,
)
from milestone_escrow.documents.files.writing import write_private
from milestone_escrow.words.standing import person

if TYPE_CHECKING:
    from milestone_escrow.cli.shell.session import Session

APPROVE, PAGE = "approve", "page"


@dataclass(frozen=True, slots=True)
class Link:
    """A link to scan; `says` is what it does."""

    kind: str
    uri: str
    says: str


def show_links(
    session: Session,
    name: str,
    keys: Sequence[str],
    everything: bool,
    page: str | None,
    png: Path | None,
) -> None:
    """The links with their codes, in the order in which the buyer scans them."""
    desk = look(session, name)
    desk.require_open()
    chosen = chosen_milestones(desk.standings(), keys, everything=everything)
    names = [standing.key for standing in chosen]
    units = sum(standing.milestone.amount for standing in chosen)
    links = _links(desk, units, page)
    files = _write(links, png) if png else {}
    amount, buyer = desk.bound.agreement.amount(units), desk.bound.terms.buyer
    listed = ", ".join(f"'{key}'" for key in names)
    session.say(bold(f"pay {amount} in for {listed} with a phone, as {person(desk.bound, buyer)}"))
    for number, link in enumerate(links, start=1):
        session.say(f"\n{paragraph(f'{number}. {link.says}')}")
        if link.kind in files:
            session.say(f"   The code is in {bold(str(files[link.kind]))}.")
        else:
            session.say(terminal_code(link.uri))
        session.say(link.uri)
    if not page:
        session.say(f"\n{paragraph(_rest(links))}")
        line = f"escrow fund {desk.name} {' '.join(names)} --unsigned"
        session.say(f"  {command(line)}")
    session.emit(
        {
            "milestones": names,
            "amount": {"units": str(units), "text": amount},
            "payer": buyer,
            "links": [
                {
                    "kind": link.kind,
                    "uri": link.uri,
                    "png": str(files[link.kind]) if link.kind in files else None,
                }
                for link in links
            ],
            "sent": False,
        }
    )


def _links(desk: Desk, units: int, page: str | None) -> list[Link]:
    agreement, token, escrow = desk.bound.agreement, desk.bound.token, desk.escrow
    links: list[Link] = []
    if escrow.allowance(token, desk.bound.terms.buyer) < units:
        permits = page and escrow.token_support(token.address).permit
        says = f"Allow the contract to take exactly {agreement.amount(units)}"
        says += "; not needed where the wallet signs a permit on the page." if permits else "."
        uri = approve_link(token.address, desk.network.chain_id, escrow.contract, units)
        links.append(Link(APPROVE, uri, says))
    if page:
        says = "Pay in on the agreement's page, opened in the browser of the same wallet."
        links.append(Link(PAGE, fund_page(page, desk.bound.id), says))
    return links


def _rest(links: Sequence[Link]) -> str:
    allowed = "" if links else "The contract is allowed to take it already. "
    return (
        f"{allowed}Then pay in with the same wallet: no link can carry an agreement's terms, so "
        "that is done on its page, whose link --page adds, or with a wallet that takes this:"
    )


def _write(links: Sequence[Link], png: Path) -> dict[str, Path]:
    files = {}
    for number, link in enumerate(links):
        file = png if not number else png.with_name(f"{png.stem}-{link.kind}{png.suffix}")
        write_private(file, png_code(link.uri))
        files[link.kind] = file
    return files
