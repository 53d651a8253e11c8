"""`escrow settle`: both sides split what is held between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from milestone_escrow.cli.settle.choice import ALL, all_holding, require_choice
from milestone_escrow.cli.shell.deeds import do, until
from milestone_escrow.cli.shell.desk import Desk, open_desk
from milestone_escrow.cli.shell.options import sends
from milestone_escrow.cli.shell.paper import Paper, on_paper
from milestone_escrow.cli.shell.session import Session
from milestone_escrow.cli.shell.signers import at_hand, unlock
from milestone_escrow.deals.deeds import (
    missing_consents,
    require_consent,
    resolution,
    settlement,
    sides,
)
from milestone_escrow.deals.rights import SETTLE
from milestone_escrow.deals.shares import split
from milestone_escrow.deals.signed_deeds import require_current
from milestone_escrow.documents.files.signed_act import SignedAct, load_acts
from milestone_escrow.errors import EscrowError, UsageError
from milestone_escrow.protocol.acts import Resolution
from milestone_escrow.protocol.lifecycle import Split
from milestone_escrow.words.standing import Standing, split_words


@click.command(short_help="Split a milestone by agreement of both sides.")
@click.argument("agreement")
@click.argument("milestone", required=False)
@click.option("--to-supplier", metavar="PART", help="60%, 12,000.00, rest.")
@click.option("--to-buyer", metavar="PART", help="40%, 8,000.00, rest.")
@click.option(
    "--with", "partner", metavar="FILE|NAME", help="The other side's consent: a file, or a key."
)
@ALL
@sends
@on_paper
def settle(
    session: Session,
    agreement: str,
    milestone: str | None,
    to_supplier: str | None,
    to_buyer: str | None,
    partner: str | None,
    everything: bool,
    paper: Paper,
) -> None:
    """Split what is held between both sides, by agreement of both. Final.

    One side writes its consent to a file, the other sends it with its own. Whoever gives up
    nothing need not consent. Percentages are of what is still held.

    --all ends the deal: every milestone that holds money is split that way, in one transaction.

    \b
    Examples:
      escrow settle PO-2027-0114 packed --to-supplier 70% --to-buyer rest \\
          --sign-only consent.json --as supplier
      escrow settle PO-2027-0114 packed --with consent.json --as buyer
      escrow settle PO-2027-0114 packed --to-supplier 70% --to-buyer rest \\
          --as buyer --with supplier
      escrow settle PO-2027-0114 --all --to-supplier 20% --to-buyer rest \\
          --as buyer --with supplier
    """
    require_choice(milestone, everything)
    desk = open_desk(session, agreement, milestone)
    chosen = all_holding(desk) if milestone is None else [desk.standing(milestone)]
    for standing in chosen:
        SETTLE.require(standing)
    parts = _Parts(to_supplier, to_buyer)
    acts = _proposed(desk, chosen, parts, partner, paper)
    desk = _own_side(desk, chosen, acts, paper)
    deeds = []
    for standing, signed in zip(chosen, acts, strict=True):
        assert isinstance(signed.act, Resolution)
        deeds.append(settlement(standing, signed.act, signed.signatures))
    do(desk, "settle", deeds, paper)


@dataclass(frozen=True, slots=True)
class _Parts:
    """A split as it was asked for on the command line."""

    to_supplier: str | None
    to_buyer: str | None

    @property
    def are_named(self) -> bool:
        return self.to_supplier is not None or self.to_buyer is not None

    def of(self, standing: Standing) -> Split:
        return split(standing, self.to_supplier, self.to_buyer)


def _proposed(
    desk: Desk, chosen: Sequence[Standing], parts: _Parts, partner: str | None, paper: Paper
) -> list[SignedAct]:
    """The splits with the consent that is there already: in a file, or of a second key."""
    session = desk.session
    if partner and Path(partner).is_file():
        there = {
            act.planned.key: act for act in load_acts(Path(partner), desk.bound, session.wallets)
        }
        return [_of_partner(there, standing, parts, partner) for standing in chosen]
    acts = [
        SignedAct(desk.bound, resolution(one, parts.of(one), until(one, paper)), {}, {})
        for one in chosen
    ]
    if not partner:
        return acts
    keys = {key.name: key for key in at_hand(session, desk.bound, desk.network.chain_id)}
    if partner not in keys:
        raise UsageError(
            f"'{partner}' is neither a file nor a key here",
            hint="give the file that the other side wrote with --sign-only",
        )
    signer = unlock(session, keys[partner])
    return [act.sign(signer) for act in acts]


def _of_partner(
    there: Mapping[str, SignedAct], standing: Standing, parts: _Parts, partner: str
) -> SignedAct:
    """The other side's consent to this milestone's split, which must be the one asked for."""
    signed = there.get(standing.key)
    if signed is None or not isinstance(signed.act, Resolution):
        keys = " and ".join(f"'{key}'" for key in there)
        raise UsageError(f"{partner} settles {keys}, not '{standing.key}'")
    result = Split(signed.act.to_payee, signed.act.to_buyer)
    if parts.are_named and parts.of(standing) != result:
        raise UsageError(
            f"{partner} {split_words(standing, result)}, not what was asked for",
            hint="leave --to-supplier and --to-buyer out to take it as it is",
        )
    require_current(standing, signed, partner)
    return signed


def _own_side(
    desk: Desk, chosen: Sequence[Standing], acts: Sequence[SignedAct], paper: Paper
) -> Desk:
    """The key of the side whose consent is still missing; to a file, either side may sign."""
    pairs = list(zip(chosen, acts, strict=True))
    needed = [account for pair in pairs for account in missing_consents(*pair)]
    if paper.file:
        parties = [account for standing in chosen for account in sides(standing)]
        needed = [account for account in parties if account not in acts[0].signatures]
    candidates = tuple(dict.fromkeys(needed))
    desk = desk.chosen(candidates)
    if paper.file and desk.account not in candidates:
        names = " and ".join(desk.person(account) for account in candidates)
        raise EscrowError(
            f"{desk.person(desk.account)} is no side of '{chosen[0].key}'",
            hint=f"those are {names}",
        )
    if not paper.file:
        hint = "let them write it with --sign-only FILE, and add --with FILE"
        require_consent(chosen, acts, desk.account, hint)
    return desk
