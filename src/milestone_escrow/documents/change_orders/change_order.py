"""A change order: what the new version does to each milestone of the old one, and to the money.

The rule. Milestones are the same where their keys are. What is settled stays as it is. What is
under way (submitted, decided but pending, disputed, or assigned to somebody) stays with the old
version, unless the change order changes it: money moves over, but no verdict and no assignment
does. Everything else closes in the old version and goes on in the new one, with the money that it
still holds. What a file leaves out is closed, and its money is returned or used for the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from milestone_escrow.documents.agreement import BoundAgreement
from milestone_escrow.documents.change_orders.difference import Difference, difference
from milestone_escrow.documents.resolve import PlannedMilestone
from milestone_escrow.errors import UsageError
from milestone_escrow.protocol.amendment import Amendment, Carried, carried, epochs, moved, signers
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.lifecycle import State, Status


@dataclass(frozen=True)
class ChangeOrder:
    """A change order as it stands now; keys name milestones, amounts are token units.

    Attributes:
        closes: keys that settle in the old version.
        funds: keys of the new version that are funded by this.
        stays: keys that the old version still decides, under its own terms.
        signers: whose signatures the contract asks for, in its order.
    """

    old: BoundAgreement
    new: BoundAgreement
    amendment: Amendment
    closes: tuple[str, ...]
    funds: tuple[str, ...]
    stays: tuple[str, ...]
    money: Carried
    signers: tuple[Address, ...]

    @property
    def difference(self) -> Difference:
        return difference(self.old.agreement, self.new.agreement)

    def effects(self) -> tuple[str, ...]:
        """What happens when it is carried out, one sentence each."""
        return tuple(_effects(self))


def change_order(
    old: BoundAgreement,
    new: BoundAgreement,
    states: Sequence[State],
    *,
    valid_until: int,
    fund: Iterable[str] = (),
) -> ChangeOrder:
    """Work out a change order from two versions and the old one's states on chain.

    What was funded is funded again; `fund` names further milestones to pay in with it.

    Raises:
        UsageError: the new version changes what a change order keeps, or does not say rightly
            what has been decided before.
    """
    _require_same_deal(old, new)
    closes: list[int] = []
    funds = {new.agreement.index(key) for key in fund}
    stays: list[str] = []
    here = {milestone.key: milestone for milestone in new.agreement.milestones}
    left = {milestone.key for milestone in new.agreement.left_behind}
    for planned, state in zip(old.agreement.milestones, states, strict=True):
        if state.status is Status.SETTLED:
            _require_left(planned, here)
        elif planned.key in left:
            stays.append(planned.key)
        else:
            closes.append(planned.index)
            if planned.key in here:
                _require_rest(old, planned, state, here[planned.key])
                funds |= {here[planned.key].index} if state.status.holds else set()
    for planned in old.agreement.left_behind:
        _require_left(planned, here)
    if not closes:
        raise UsageError("this change order changes nothing", hint="change a milestone first")
    closed = _bitmap(closes)
    amendment = Amendment(
        old.id,
        closed,
        _bitmap(funds),
        carried(old.milestones, states, closed),
        epochs(states, closed),
        valid_until,
        new.terms,
        new.milestones,
    )
    return ChangeOrder(
        old=old,
        new=new,
        amendment=amendment,
        closes=tuple(old.agreement.milestones[index].key for index in closes),
        funds=tuple(new.agreement.milestones[index].key for index in sorted(funds)),
        stays=tuple(stays),
        money=moved(old.milestones, states, amendment),
        signers=signers(old.terms, new.terms, states, closed),
    )


def _require_same_deal(old: BoundAgreement, new: BoundAgreement) -> None:
    if new.agreement.replaces != old.id:
        says = new.agreement.model.replaces or "no other agreement"
        raise UsageError(
            f"{new.agreement.reference} replaces {says}, not 0x{old.id.hex()}",
            hint="a change order says `replaces: 0x…`, which `escrow amend` writes",
        )
    if new.domain != old.domain:
        raise UsageError("the two versions are for different networks or contracts")
    if old.terms.token != new.terms.token:
        raise UsageError(
            f"the token changes from {old.terms.token} to {new.terms.token}, which a change order "
            "cannot do",
            hint="make a new agreement, and settle the old one",
        )
    known = {m.key: m for m in (*old.agreement.milestones, *old.agreement.left_behind)}
    for milestone in new.agreement.left_behind:
        amount = new.agreement.amount(milestone.whole)
        if milestone.key not in known:
            raise UsageError(
                f"'{milestone.key}' was not in the version before, so nothing decided it",
                hint="take it out of decided_before",
            )
        before = old.agreement.amount(known[milestone.key].whole)
        if before != amount:
            raise UsageError(
                f"'{milestone.key}' stays with the version before at {before}, but the new file "
                f"makes it {amount}",
                hint=f"write `pays: {before.split()[0]}`, so that the price cannot move it",
            )


def _require_left(planned: PlannedMilestone, here: dict[str, PlannedMilestone]) -> None:
    if planned.key in here:
        raise UsageError(
            f"'{planned.key}' is settled and cannot go on in the new version",
            hint=f"write `decided_before: {{{planned.key}: all}}`, as `escrow amend` does",
        )


def _require_rest(
    old: BoundAgreement, planned: PlannedMilestone, state: State, new: PlannedMilestone
) -> None:
    decided = planned.decided + state.paid
    if decided != new.decided:
        amount = old.agreement.amount
        raise UsageError(
            f"{amount(decided)} of '{planned.key}' has been paid, the new file says "
            f"{amount(new.decided)}",
            hint="let `escrow amend` write decided_before again",
        )


def _effects(order: ChangeOrder) -> Iterator[str]:
    old, new = order.old.agreement, order.new.agreement
    for role in ("buyer", "supplier"):
        before, after = getattr(order.old.terms, role), getattr(order.new.terms, role)
        if before != after:
            yield (
                f"{new.name(role)} ({after}) takes the place of {old.name(role)} ({before}) as the "
                f"{role}, and must sign, too"
            )
    here = {milestone.key: milestone for milestone in new.milestones}
    for key in order.closes:
        if key not in here:
            yield f"'{key}' ends: it is not in the new version"
        elif key in order.funds:
            yield f"'{key}' goes on under the new terms, with {new.amount(here[key].amount)}"
        else:
            yield f"'{key}' goes on under the new terms, not funded yet"
    before = {milestone.key for milestone in old.milestones}
    for key, milestone in here.items():
        if key not in before:
            state = "funded" if key in order.funds else "not funded yet"
            paid = ", and paid at once" if milestone.is_deposit and key in order.funds else ""
            yield f"'{key}' is new, {state}{paid}"
    for key in order.stays:
        yield f"'{key}' stays with the version before, under its terms"
    yield from _money(order)


def _money(order: ChangeOrder) -> Iterator[str]:
    amount = order.new.agreement.amount
    if order.money.carried:
        yield f"{amount(order.money.carried)} moves over from the version before"
    if order.money.pulled:
        yield f"{amount(order.money.pulled)} more is paid in by whoever sends it"
    if order.money.returned:
        yield f"{amount(order.money.returned)} goes back to {order.old.agreement.name('buyer')}"


def _bitmap(indices: Iterable[int]) -> int:
    return sum(1 << index for index in set(indices))
