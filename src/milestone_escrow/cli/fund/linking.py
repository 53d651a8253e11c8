"""What `escrow fund --link` does: paying in with a wallet on a phone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from milestone_escrow.cli.shell.desk import open_desk
from milestone_escrow.cli.shell.output import bold, command, paragraph
from milestone_escrow.cli.shell.saving import require_free, save
from milestone_escrow.deals.funding import chosen_milestones, price
from milestone_escrow.deals.paying import PhoneLink, phone_links
from milestone_escrow.documents.files.wallet_links import png_code, terminal_code

if TYPE_CHECKING:
    from milestone_escrow.cli.shell.session import Session


def show_links(
    session: Session,
    name: str,
    keys: Sequence[str],
    everything: bool,
    page: str | None,
    png: Path | None,
) -> None:
    """The links with their codes, in the order in which the buyer scans them."""
    desk = open_desk(session, name)
    chosen = chosen_milestones(desk.standings(), keys, everything=everything)
    names = [standing.key for standing in chosen]
    units, buyer = price(chosen), desk.bound.terms.buyer
    links = phone_links(desk, buyer, units, page)
    files = _write(session, links, png) if png else {}
    amount = desk.amount(units)
    listed = ", ".join(f"'{key}'" for key in names)
    session.say(bold(f"pay {amount} in for {listed} with a phone, as {desk.person(buyer)}"))
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


def _rest(links: Sequence[PhoneLink]) -> str:
    allowed = "" if links else "The contract is allowed to take it already. "
    return (
        f"{allowed}Then pay in with the same wallet: no link can carry an agreement's terms, so "
        "that is done on its page, whose link --page adds, or with a wallet that takes this:"
    )


def _write(session: Session, links: Sequence[PhoneLink], png: Path) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for number, link in enumerate(links):
        file = png if not number else png.with_name(f"{png.stem}-{link.kind}{png.suffix}")
        require_free(session, file)
        files[link.kind] = file
    for link in links:
        save(session, files[link.kind], png_code(link.uri))
    return files
