"""What an agreement paid and its accounts could not receive, from events alone."""

from __future__ import annotations

from dataclasses import replace

from milestone_escrow.chain.contract.events import (
    AgreementAmended,
    CreditWithdrawn,
    Event,
    MilestonePaid,
    PayoutCredited,
    Place,
)
from milestone_escrow.chain.contract.replay import collected, undelivered
from milestone_escrow.chain.contract.structs import OpenedAgreement
from milestone_escrow.protocol.terms import Terms

BUYER, SUPPLIER, FEES, ASSIGNEE, TOKEN, OTHER = (f"0x{digit * 40}" for digit in "123456")
TERMS = Terms(
    buyer=BUYER, supplier=SUPPLIER, token=TOKEN, arbiter=BUYER, verifiers=(), objection_period=0,
    review_period=0, arbitration_period=0, default_payee_bps=0, fee_recipient=FEES, fee_bps=100,
    document_hash=bytes(32), salt=0,
)  # fmt: skip
DEAL = OpenedAgreement(b"\x01" * 32, TERMS, ())


class Log:
    """Events as they come, each transaction in a block of its own."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.block = 0

    def send(self, *events: Event) -> None:
        self.block += 1
        for event in events:
            index = len(self.events)
            place = Place(self.block, self.block, f"0x{self.block:064x}", index)
            self.events.append(replace(event, place=place))

    def waiting(self) -> list[tuple[int | None, str, int]]:
        return [(u.milestone, u.account, u.units) for u in undelivered(DEAL, self.events)]


AT = Place(0, 0, "", 0)


def paid(milestone: int, to_payee: int, fee: int = 0, to_buyer: int = 0, **other: object) -> Event:
    event = MilestonePaid(AT, DEAL.id, milestone, SUPPLIER, to_payee, fee, to_buyer)
    return replace(event, **other)  # type: ignore[arg-type]


def credited(account: str, amount: int, token: str = TOKEN) -> Event:
    return PayoutCredited(AT, token, account, amount)


def withdrawn(account: str, amount: int, token: str = TOKEN, remaining: int = 0) -> Event:
    return CreditWithdrawn(AT, token, account, amount, remaining)


def test_each_account_that_could_not_receive_waits_for_its_part() -> None:
    log = Log()
    log.send(paid(0, 990, 10, 500), credited(SUPPLIER, 990), credited(FEES, 10))
    log.send(paid(1, 2, payee=ASSIGNEE), credited(ASSIGNEE, 2))
    log.send(paid(2, 7))
    assert log.waiting() == [(0, SUPPLIER, 990), (0, FEES, 10), (1, ASSIGNEE, 2)]


def test_a_withdrawal_takes_all_of_its_account_and_nothing_of_others() -> None:
    log = Log()
    log.send(paid(0, 990, 10), credited(SUPPLIER, 990), credited(FEES, 10))
    log.send(withdrawn(SUPPLIER, 5_000), withdrawn(FEES, 3, token=OTHER))
    log.send(paid(1, 4), credited(SUPPLIER, 4))
    assert log.waiting() == [(0, FEES, 10), (1, SUPPLIER, 4)]


def test_a_withdrawal_of_a_part_takes_what_waits_longest() -> None:
    log = Log()
    log.send(paid(0, 50), credited(SUPPLIER, 50))
    log.send(paid(1, 30), credited(SUPPLIER, 30))
    log.send(withdrawn(SUPPLIER, 60, remaining=20))
    assert log.waiting() == [(1, SUPPLIER, 20)]
    taken = collected(DEAL, log.events, log.events[-1])  # type: ignore[arg-type]
    assert [(one.milestone, one.units) for one in taken] == [(0, 50), (1, 10)]


def test_of_a_credit_for_several_agreements_only_what_this_one_paid_counts() -> None:
    log = Log()
    other = paid(0, 70, agreement_id=b"\x02" * 32)
    log.send(paid(0, 30), other, paid(1, 5), credited(SUPPLIER, 105))
    assert log.waiting() == [(0, SUPPLIER, 30), (1, SUPPLIER, 5)]


def test_what_a_change_order_gives_back_waits_for_the_buyer_and_is_no_milestones() -> None:
    log = Log()
    log.send(AgreementAmended(AT, b"\x02" * 32, DEAL.id, (0,), 100), credited(BUYER, 40))
    assert log.waiting() == [(None, BUYER, 40)]
