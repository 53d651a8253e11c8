"""The end of a story: who got what, held against token balances, events and the contract."""

from __future__ import annotations

from collections.abc import Sequence

from milestone_escrow.chain.contract.events import Event, MilestonePaid, MilestonesFunded
from milestone_escrow.chain.contract.replay import replay
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.lifecycle import State, Status
from milestone_escrow.sandbox.player import Player
from milestone_escrow.sandbox.timeline import Account, Outcome, Share


def close(player: Player) -> Outcome:
    """Add everything up from three sides: events, token balances, the contract's own states."""
    agreement, bound, world = player.agreement, player.bound, player.world
    events = world.escrow.events(bound)
    reported = world.escrow.states(bound)
    keys = [milestone.key for milestone in agreement.milestones]
    rebuilt = replay(events).states
    sent = tuple(world.transactions())
    return Outcome(
        agreement_id=bound.id,
        shares=tuple(_share(player, index, events) for index in range(len(keys))),
        accounts=tuple(_account(player, account, events) for account in player.opening_balances),
        funded=sum(event.amount for event in events if isinstance(event, MilestonesFunded)),
        contract_balance=world.balance(bound.token, world.escrow.contract),
        events=len(events),
        transactions=len(sent),
        gas=sum(transaction.gas_used for transaction in sent),
        unsettled=tuple(
            key
            for key, state in zip(keys, reported, strict=True)
            if state.status is not Status.SETTLED
        ),
        differing=tuple(keys[index] for index in differences(rebuilt, reported)),
        started=player.beats[0].at,
        ended=player.beats[-1].at,
    )


def differences(rebuilt: Sequence[State], reported: Sequence[State]) -> tuple[int, ...]:
    """The milestones where the contract reports another state; of a settled one, only that."""
    return tuple(
        index
        for index, (ours, theirs) in enumerate(zip(rebuilt, reported, strict=True))
        if ours.status is not theirs.status
        or (ours.status is not Status.SETTLED and ours != theirs)
    )


def _share(player: Player, index: int, events: Sequence[Event]) -> Share:
    planned = player.agreement.milestones[index]
    paid = [e for e in events if isinstance(e, MilestonePaid) and e.milestone == index]
    return Share(
        milestone=planned.key,
        title=planned.title,
        amount=planned.amount,
        net=sum(event.to_payee for event in paid),
        fee=sum(event.fee for event in paid),
        to_buyer=sum(event.to_buyer for event in paid),
        decided_by=", ".join(player.decided.get(planned.key, [])),
    )


def _account(player: Player, account: Address, events: Sequence[Event]) -> Account:
    terms = player.bound.terms
    roles = player.agreement.roles(account)
    received = 0
    for event in events:
        if isinstance(event, MilestonePaid):
            received += event.to_payee * (event.payee == account)
            received += event.to_buyer * (terms.buyer == account)
            received += event.fee * (terms.fee_recipient == account)
    return Account(
        role=roles[0] if roles else "fee recipient",
        name=player.agreement.name(roles[0]) if roles else account,
        address=account,
        paid=sum(
            event.amount
            for event in events
            if isinstance(event, MilestonesFunded) and event.funder == account
        ),
        received=received,
        before=player.opening_balances[account],
        after=player.world.balance(player.bound.token, account),
    )
