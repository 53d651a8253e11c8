"""What is worth telling about an agreement, whom, and when."""

from __future__ import annotations

from dataclasses import replace

import pytest

from milestone_escrow.oracle.reminders.notices import Notice
from milestone_escrow.oracle.reminders.situation import (
    OpenOffer,
    Returned,
    Situation,
    UnsentAttestation,
)
from milestone_escrow.oracle.reminders.worth_telling import alarm, due, plan
from milestone_escrow.protocol.lifecycle import State, Status
from tests.oracle.reminders.chronicle import DAY, Chronicle, example

HOUR = 3_600


def seen(chronicle: Chronicle) -> Situation:
    states = chronicle.states()
    places = [chronicle._last_change(index) for index in range(len(states))]
    opened = chronicle.events[0].place.time
    return Situation(
        agreement_id=chronicle.bound.id,
        terms=chronicle.bound.terms,
        milestones=chronicle.bound.milestones,
        states=states,
        since=tuple(place.time if place else opened for place in places),
        opened_at=opened,
        final_block=chronicle.final,
        events=chronicle.events,
        document=chronicle.bound.agreement,
    )


def planned(chronicle: Chronicle, kind: str) -> list[Notice]:
    return [notice for notice in plan(seen(chronicle), chronicle.time) if notice.kind == kind]


@pytest.fixture
def running(chronicle: Chronicle) -> Chronicle:
    """Opened and paid in completely; all of it final."""
    chronicle.opened()
    chronicle.funded(*range(5))
    chronicle.finalize_all()
    return chronicle


def test_reminds_seven_days_and_one_day_before_the_due_date(running: Chronicle) -> None:
    due_at = running.bound.agreement.milestones[1].due_at
    found = [notice for notice in planned(running, "due") if notice.milestone == 1]
    assert [notice.at for notice in found] == [due_at - 7 * DAY, due_at - DAY]
    assert all(notice.until == due_at for notice in found)
    assert found[0].text.startswith(
        "'manufactured', 1,200 carpets finished, AQL 2.5 passed, is due "
        "15 Mar 2027, 23:59 UTC+01:00"
    )
    assert "It pays 72,000.00 USDC to Rajwada Exports." in found[0].text
    assert "inspection report from inspector" in found[0].text


def test_a_due_date_is_told_to_whoever_has_something_to_do(running: Chronicle) -> None:
    found = [notice for notice in planned(running, "due") if notice.milestone == 4]
    assert set(found[0].audience) == {"forwarder", "buyer", "supplier", "inspector", "bank"}


def test_says_what_silence_does_at_the_deadline(running: Chronicle) -> None:
    found = [notice for notice in planned(running, "deadline") if notice.milestone == 1]
    assert found[0].text == (
        "If nobody acts, on 14 Apr 2027, 23:59 UTC+02:00 time gives 72,000.00 USDC back to "
        "Nordlicht Teppiche."
    )


def test_says_once_that_something_is_overdue(running: Chronicle) -> None:
    found = [notice for notice in planned(running, "overdue") if notice.milestone == 1]
    assert [notice.at for notice in found] == [running.bound.agreement.milestones[1].due_at]


def test_an_unfunded_agreement_is_told_a_day_after_opening(chronicle: Chronicle) -> None:
    chronicle.opened()
    (found,) = [notice for notice in planned(chronicle, "unfunded") if notice.milestone is None]
    assert found.at == chronicle.time + DAY
    assert found.audience == ("buyer", "supplier")
    chronicle.funded(1)
    assert not [n for n in planned(chronicle, "unfunded") if n.milestone is None]
    assert {n.milestone for n in planned(chronicle, "unfunded")} == {2, 3, 4}


def test_an_objection_period_is_reminded_of_a_day_before_it_ends(running: Chronicle) -> None:
    running.accepted(1)
    clock = running.states()[1].clock
    (found,) = planned(running, "objection")
    assert found.at == clock - DAY
    assert found.text.startswith("Nordlicht Teppiche may object to the acceptance of")
    assert "pays 72,000.00 USDC to Rajwada Exports" in found.text


def test_a_window_shorter_than_every_lead_is_reminded_of_half_way(running: Chronicle) -> None:
    running.accepted(1)
    state = replace(running.states()[1], clock=running.time + 10 * HOUR)
    situation = seen(running)
    situation = replace(situation, states=(situation.states[0], state, *situation.states[2:]))
    (found,) = [n for n in plan(situation, running.time) if n.kind == "objection"]
    assert found.at == running.time + 5 * HOUR


def test_an_arbiter_is_told_how_long_there_is(running: Chronicle) -> None:
    running.accepted(1)
    running.disputed(1)
    found = planned(running, "arbitration")
    clock = running.states()[1].clock
    assert [notice.at for notice in found] == [clock - 7 * DAY, clock - DAY]
    assert found[0].audience[0] == "arbiter"
    assert found[0].text.startswith("Dr. A. Brandt may rule on 'manufactured' until")


def test_a_review_period_names_who_may_object() -> None:
    chronicle = Chronicle(example("software"), 1_800_000_000)
    chronicle.opened()
    chronicle.funded(0)
    chronicle.submitted(0)
    found = planned(chronicle, "review")
    assert found[0].text.startswith("Harbour Sauna may object to the claim for 'design' until")


def test_tells_an_hour_late_that_time_is_up(running: Chronicle) -> None:
    (found,) = [notice for notice in planned(running, "time_up") if notice.milestone == 1]
    assert found.at == running.bound.milestones[1].deadline + HOUR
    assert "operator" in found.audience
    assert found.text.endswith("escrow finalize PO-2027-0114 manufactured")


def test_a_settled_milestone_has_no_dates_any_more(running: Chronicle) -> None:
    running.approved(1)
    about = [n for n in plan(seen(running), running.time) if n.milestone == 1 and n.is_date]
    assert not about


def test_only_the_latest_of_several_late_reminders_is_told(running: Chronicle) -> None:
    notices = plan(seen(running), running.time)
    due_at = running.bound.agreement.milestones[1].due_at
    told = [n for n in due(notices, due_at - HOUR) if n.kind == "due" and n.milestone == 1]
    assert [notice.at for notice in told] == [due_at - DAY]
    assert not [n for n in due(notices, due_at + 1) if n.kind == "due" and n.milestone == 1]


def test_what_happened_before_the_service_watched_is_not_retold(running: Chronicle) -> None:
    notices = plan(seen(running), running.time)
    assert not [n for n in due(notices, running.time, since=running.time) if not n.is_date]
    assert [n for n in due(notices, running.time) if n.kind == "milestone.funded"]


def test_money_is_told_only_once_it_is_final(running: Chronicle) -> None:
    running.approved(1)
    assert not planned(running, "milestone.released")[1:]
    running.finalize_all()
    deposit, released = planned(running, "milestone.released")
    assert released.text == (
        "72,000.00 USDC to Rajwada Exports left the contract for 'manufactured': approved "
        "by the buyer."
    )
    assert released.facts["to_payee"] == "72000000000"
    assert deposit.text.endswith("paid on as soon as it was paid in.")
    assert [n.milestone for n in planned(running, "milestone.settled")] == [0, 1]


def test_money_that_did_not_arrive_has_not_left_the_contract(running: Chronicle) -> None:
    supplier = running.bound.terms.supplier
    running.approved(1, arrives=False)
    running.finalize_all()
    _, released = planned(running, "milestone.released")
    assert released.subject == "what 'manufactured' pays did not all arrive"
    assert released.text == (
        "72,000.00 USDC to Rajwada Exports for 'manufactured': approved by the buyer. But "
        "72,000.00 USDC did not arrive at Rajwada Exports, the token refused it, and waits for "
        "`escrow withdraw PO-2027-0114 --for supplier`."
    )
    assert released.facts["undelivered"] == [{"account": supplier, "amount": "72000000000"}]
    ends = [notice.text for notice in planned(running, "milestone.settled")]
    assert ends == [
        "Nothing more can happen to 'deposit'.",
        "What 'manufactured' pays is decided, and waits to be withdrawn.",
    ]


def test_whom_money_waits_for_is_reminded_every_week_until_it_is_withdrawn(
    running: Chronicle,
) -> None:
    running.approved(1, arrives=False)
    at = running.time
    assert not planned(running, "withdraw")
    running.finalize_all()
    running.wait(15 * DAY)
    told = [n for n in due(plan(seen(running), running.time), running.time) if n.kind == "withdraw"]
    assert [(n.at, n.audience, n.milestone) for n in told] == [(at + 14 * DAY, ("supplier",), 1)]
    assert "72,000.00 USDC wait for Rajwada Exports" in told[0].subject
    assert "escrow withdraw PO-2027-0114 --for supplier" in told[0].text
    # It takes what other agreements had left there, too.
    running.withdrawn(running.bound.terms.supplier, 90_000_000_000)
    assert not planned(running, "withdraw")
    assert not planned(running, "milestone.collected")
    running.finalize_all()
    (collected,) = planned(running, "milestone.collected")
    assert collected.milestone == 1
    assert collected.subject == "Rajwada Exports received 72,000.00 USDC that had waited"
    assert collected.facts["amount"] == "72000000000"
    assert collected.audience == ("buyer", "supplier")


def test_a_running_clock_is_told_at_once(running: Chronicle) -> None:
    running.accepted(1)
    (found,) = planned(running, "milestone.accepted")
    assert found.facts["chain"]["final"] is False  # type: ignore[index]
    assert found.text.startswith("Indus Survey accepted 72,000.00 USDC of 'manufactured'. It takes")


def test_a_ruling_a_refund_and_a_split_are_told_apart(running: Chronicle) -> None:
    amount = running.bound.milestones[1].amount
    running.rejected(1)
    running.disputed(1)
    running.ruled(1, amount // 4, amount - amount // 4)
    running.time = running.bound.milestones[2].deadline
    running.finalized(2)
    running.finalize_all()
    assert planned(running, "milestone.ruled")[0].text == (
        "The ruling on 'manufactured' pays 18,000.00 USDC to Rajwada Exports and gives "
        "54,000.00 USDC back to Nordlicht Teppiche."
    )
    assert [n.milestone for n in planned(running, "milestone.split")] == [1]
    (refund,) = planned(running, "milestone.refunded")
    assert refund.milestone == 2
    assert refund.text.endswith(": nothing was proven in time.")


def test_partial_payments_are_each_told(running: Chronicle) -> None:
    whole = running.bound.milestones[1].amount
    for part in (whole // 3, whole // 2):
        running.accepted(1, part)
        running.time = running.states()[1].clock
        running.finalized(1)
    running.finalize_all()
    keys = {n.key for n in planned(running, "milestone.released") if n.milestone == 1}
    assert len(keys) == 2


def test_a_sold_receivable_is_told_with_its_price(running: Chronicle) -> None:
    financier = "0x6370eF2f4Db3611D657b90667De398a2Cc2a370C"
    running.assigned(3, financier, 58_800_000_000)
    running.finalize_all()
    (found,) = planned(running, "milestone.assigned")
    assert "Rajwada Exports handed what 'departed' pays to" in found.text
    assert "for 58,800.00 USDC" in found.text


def test_a_change_order_is_told_to_everybody(running: Chronicle) -> None:
    running.amended(example("software"), 2, 3)
    running.finalize_all()
    (found,) = planned(running, "agreement.amended")
    assert found.facts["closes"] == ["packed", "departed"]
    assert len(found.audience) == 6


def test_a_returned_milestone_is_told_with_its_reasons(running: Chronicle) -> None:
    inspector = running.bound.agreement.people["inspector"]
    returned = Returned(b"d" * 32, 1, running.time, (inspector,), ("two cartons are wet",))
    situation = replace(seen(running), returned=(returned,))
    (found,) = [n for n in plan(situation, running.time) if n.kind == "milestone.returned"]
    assert found.text.startswith(
        "Indus Survey returned 'manufactured' for rework: two cartons are wet."
    )
    assert "supplier" in found.audience


def test_expiring_signatures_are_told_to_those_who_have_not_signed(running: Chronicle) -> None:
    people = running.bound.agreement.people
    until = running.time + 3 * DAY
    waiting = UnsentAttestation(
        b"d" * 32, 3, running.time, until, (people["bank"],), complete=False
    )
    situation = replace(seen(running), waiting=(waiting,))
    (found,) = [n for n in plan(situation, running.time) if n.kind == "signatures"]
    assert found.at == until - DAY
    assert found.audience == ("forwarder",)
    assert found.text.startswith("1 of 2 have signed on 'departed': Hansa Trade Desk.")


def test_an_offer_is_told_to_both_sides_before_it_ends(running: Chronicle) -> None:
    people, until = running.bound.agreement.people, running.time + 3 * DAY
    offer = OpenOffer(b"o" * 32, 3, running.time, 58_800_000_000, people["bank"], until)
    situation = replace(seen(running), offers=(offer,))
    (found,) = [n for n in plan(situation, running.time) if n.kind == "offer"]
    assert (found.at, found.until) == (until - DAY, until)
    assert found.audience == ("supplier", "bank")


def test_an_alarm_is_told_once_a_day() -> None:
    found = alarm("low_gas", "0x" + "1" * 40, "it has 0.01 ETH left for gas", 0)
    assert found.subject == "the oracle needs you: low gas"
    assert found.key == alarm("low_gas", "0x" + "1" * 40, "0.009 ETH", DAY - 1).key
    assert found.key != alarm("low_gas", "0x" + "1" * 40, "0.009 ETH", DAY).key
    assert found.key != alarm("low_gas", "0x" + "2" * 40, "0.009 ETH", 0).key


def test_without_a_document_accounts_and_numbers_stand_for_names(running: Chronicle) -> None:
    situation = replace(seen(running), document=None)
    notices = plan(situation, running.time)
    (found,) = [n for n in notices if n.kind == "deadline" and n.milestone == 1][:1]
    assert "72,000,000,000 units of 0x" in found.text
    assert running.bound.terms.buyer in found.text
    assert "milestone 2" in found.subject
    assert situation.key(1) == "2"
    assert not [n for n in notices if n.kind == "due"]


def test_keys_fit_their_column_and_tell_notices_apart(running: Chronicle) -> None:
    running.accepted(1)
    running.disputed(1)
    running.finalize_all()
    keys = [notice.key for notice in plan(seen(running), running.time)]
    assert len(set(keys)) == len(keys)
    assert max(map(len, keys)) <= 145


def test_every_status_has_its_reminders(running: Chronicle) -> None:
    for status in Status:
        if not status.holds:
            continue
        state = State(status=status, clock=running.time + 30 * DAY, epoch=1)
        situation = seen(running)
        situation = replace(situation, states=(situation.states[0], state, *situation.states[2:]))
        kinds = {n.kind for n in plan(situation, running.time) if n.milestone == 1 and n.is_date}
        assert "time_up" in kinds
        assert len(kinds) >= 2
