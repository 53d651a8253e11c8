"""What the oracle would sign out of a store, what it writes down, and the last gate."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import insert, select

from milestone_escrow.oracle.policies.limits import Limits
from milestone_escrow.oracle.policies.looking import Question, note
from milestone_escrow.oracle.policies.past import acceptances
from milestone_escrow.oracle.policies.would_sign import Decision, accepted, decide, why_not
from milestone_escrow.oracle.store import audit_log
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.store import Store
from milestone_escrow.protocol.acts import Attestation, Verdict
from milestone_escrow.protocol.lifecycle import Status
from tests.oracle.policies.world import (
    BUYER,
    MACHINE,
    NOW,
    STRANGER,
    SUPPLIER,
    SURVEYOR,
    USDC,
    House,
    build,
)

FREE = Limits.parse({}, real_money=False, tokens=[USDC])
GROUND, ROOF, HEATING, HANDOVER = range(4)


def decisions(house: House, limits: Limits = FREE, now: int = NOW) -> dict[str, Decision]:
    with house.store.transaction() as connection:
        made = decide(connection, house.view, limits, now, MACHINE)
    return {decision.key: decision for decision in made}


def attestation(house: House, index: int, decision: Decision, **changes: object) -> Attestation:
    usual = Attestation(
        house.signed.id, index, Verdict.ACCEPTED, decision.amount, decision.evidence_hash,
        NOW, NOW + 86_400,
    )  # fmt: skip
    return replace(usual, **changes)  # type: ignore[arg-type]


def refusals(house: House, made: Attestation, limits: Limits = FREE) -> tuple[str, ...]:
    with house.store.transaction() as connection:
        return why_not(connection, house.view, made, limits, NOW)


def test_accepts_what_the_agreement_asks_for(any_store: Store) -> None:
    house = build(any_store)
    before = decisions(house)
    assert {key: one.accepts for key, one in before.items()} == {
        "ground": False, "roof": False, "heating": False, "handover": False,
    }  # fmt: skip
    assert before["ground"].reasons == ("no survey report from surveyor",)
    house.hand_in(GROUND, "survey_report.pdf", SURVEYOR)
    after = decisions(house)["ground"]
    assert after.accepts
    assert after.reasons == ("survey report from surveyor (by its hash only)",)
    assert after.amount == 3_000 * 10**6
    assert refusals(house, attestation(house, GROUND, after)) == ()


def test_a_report_from_the_wrong_hands_is_none(house: House) -> None:
    house.hand_in(GROUND, "survey_report.pdf", SUPPLIER)
    decision = decisions(house)["ground"]
    assert not decision.accepts
    assert decision.reasons == ("no survey report from surveyor (1 from supplier instead)",)


def test_what_only_the_payee_shows_is_not_signed(house: House) -> None:
    """All requirements are met, by the supplier's photos and by order alone."""
    for number in (1, 2):
        house.hand_in(ROOF, f"photos-{number}.jpg", SUPPLIER)
    house.set_state(GROUND, status=int(Status.SETTLED))
    decision = decisions(house)["roof"]
    assert decision.finding.is_met
    assert not decision.accepts
    assert "supplier_evidence: is enough" in decision.reasons[0]
    assert "supplier_evidence" in refusals(house, attestation(house, ROOF, decision))[0]


def test_the_agreement_can_say_that_the_payees_word_is_enough(house: House) -> None:
    house.hand_in(HEATING, "protocol.pdf", SUPPLIER)
    decision = decisions(house)["heating"]
    assert decision.accepts
    assert not decision.finding.independent
    assert refusals(house, attestation(house, HEATING, decision)) == ()


def test_a_milestone_that_asks_for_nothing_is_for_people(store: Store) -> None:
    whole = "{key: whole, title: Everything is done, pays: 100 %, due: 2027-04-01, "
    house = build(store, f"  - {whole} supplier_evidence: is enough}}")
    decision = decisions(house)["whole"]
    assert decision.finding.is_met
    assert not decision.accepts
    assert "for people to judge" in decision.reasons[0]


def test_whoever_bought_the_payout_is_a_payee(house: House) -> None:
    """The surveyor's report counts until the surveyor is the one who is paid."""
    house.hand_in(GROUND, "survey_report.pdf", SURVEYOR)
    assert decisions(house)["ground"].accepts
    house.set_state(GROUND, assignee=SURVEYOR)
    assert not decisions(house)["ground"].accepts


@pytest.mark.parametrize("way", ["statement", "webhook", "http"])
def test_each_way_of_any_is_a_way(house: House, way: str) -> None:
    assert not decisions(house)["handover"].accepts
    if way == "statement":
        house.sign(HANDOVER, [SURVEYOR])
    with house.store.transaction() as connection:
        if way == "webhook":
            connection.execute(
                insert(t.observations).values(
                    agreement_id=house.signed.id, milestone=HANDOVER, kind="webhook",
                    source="notary", name="handed-over", value={"data": {}, "sha256": ""},
                    met=True, seen_at=NOW - 5, delivery="notary:1",
                )
            )  # fmt: skip
        if way == "http":
            question = Question(
                house.signed.id, HANDOVER, "https://city.example/permits/7", "/state"
            )
            note(connection, question, {"is": "text", "text": "final"}, "", NOW - 5, NOW - 5)
    assert decisions(house)["handover"].accepts


@pytest.mark.parametrize(
    ("verdict", "amount", "reason"),
    [
        (Verdict.REJECTED, 0, "surveyor rejected it"),
        (Verdict.RETURNED, 0, "surveyor returned it for rework"),
        (Verdict.ACCEPTED, 5, "surveyor has accepted only a part"),
    ],
)
def test_a_statement_that_does_not_accept_is_told(
    house: House, verdict: Verdict, amount: int, reason: str
) -> None:
    house.sign(HANDOVER, [SURVEYOR], verdict=verdict, amount=amount)
    decision = decisions(house)["handover"]
    assert not decision.accepts
    assert reason in decision.reasons


def test_a_signature_of_somebody_who_is_no_verifier_there_is_no_statement(house: House) -> None:
    house.sign(HANDOVER, [STRANGER, BUYER])
    assert not decisions(house)["handover"].accepts


@pytest.mark.parametrize(
    "changes",
    [
        {"status": int(Status.UNFUNDED)}, {"status": int(Status.SETTLED)},
        {"status": int(Status.RELEASE_PENDING), "clock": NOW + 50},
        {"status": int(Status.REFUND_PENDING), "clock": NOW + 50},
        {"status": int(Status.DISPUTED_OVER_VERDICT), "clock": NOW + 50},
        {"status": int(Status.SUBMITTED), "clock": NOW},
    ],
)  # fmt: skip
def test_what_is_decided_already_or_too_late_is_left_alone(
    house: House, changes: dict[str, object]
) -> None:
    house.hand_in(GROUND, "survey_report.pdf", SURVEYOR)
    made = attestation(house, GROUND, decisions(house)["ground"])
    house.set_state(GROUND, **changes)
    assert "ground" not in decisions(house)
    assert refusals(house, made) == ("'ground' cannot be certified now",)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"verdict": Verdict.REJECTED, "amount": 0}, "acceptances only"),
        ({"amount": 1}, "whole milestones only"),
        ({"agreement_id": b"\7" * 32}, "another agreement"),
        ({"milestone": 9}, "not a milestone"),
        ({"evidence_hash": b"\7" * 32}, "evidence that is not known"),
        ({"evidence_hash": bytes(32)}, "no survey report from surveyor"),
    ],
)
def test_another_attestation_than_the_one_that_is_justified_is_refused(
    house: House, changes: dict[str, object], says: str
) -> None:
    house.hand_in(GROUND, "survey_report.pdf", SURVEYOR)
    made = attestation(house, GROUND, decisions(house)["ground"], **changes)
    assert says in refusals(house, made)[0]


def test_evidence_that_came_later_does_not_void_what_was_committed_to(house: House) -> None:
    house.hand_in(GROUND, "survey_report.pdf", SURVEYOR)
    made = attestation(house, GROUND, decisions(house)["ground"])
    house.hand_in(GROUND, "photos-1.jpg", SUPPLIER)
    assert refusals(house, made) == ()


def test_limits_speak_last_and_count_what_is_decided_together(store: Store) -> None:
    house = build(store)
    house.hand_in(GROUND, "survey_report.pdf", SURVEYOR)
    house.hand_in(HEATING, "protocol.pdf", SUPPLIER)
    limits = Limits.parse({"per_day": "4,000.00 USDC"}, real_money=False, tokens=[USDC])
    made = decisions(house, limits)
    assert made["ground"].accepts
    assert not made["heating"].accepts
    assert "limits.per_day" in made["heating"].reasons[0]


def test_what_was_signed_before_counts_against_the_day(house: House) -> None:
    house.hand_in(GROUND, "survey_report.pdf", SURVEYOR)
    limits = Limits.parse({"per_day": "4,000.00 USDC"}, real_money=False, tokens=[USDC])
    made = attestation(house, GROUND, decisions(house)["ground"])
    assert refusals(house, made, limits) == ()
    with house.store.transaction() as connection:
        connection.execute(
            insert(t.decisions).values(
                signer=MACHINE, agreement_id=house.signed.id, milestone=HEATING, issued_at=NOW - 9,
                digest=b"\3" * 32, verdict=1, amount=2_000 * 10**6, evidence_hash=bytes(32),
                valid_until=NOW + 99, decided_at=NOW - 9,
            )
        )  # fmt: skip
        (one,) = acceptances(connection)
    assert (one.ours, one.release.payee, one.release.amount) == (True, SUPPLIER, 2_000 * 10**6)
    assert "limits.per_day" in refusals(house, made, limits)[0]


def test_only_a_verifier_signs_and_only_what_it_verifies(house: House) -> None:
    house.hand_in(GROUND, "survey_report.pdf", SURVEYOR)
    with house.store.transaction() as connection:
        as_machine = decide(connection, house.view, FREE, NOW, MACHINE)
        as_surveyor = decide(connection, house.view, FREE, NOW, SURVEYOR)
        as_nobody = decide(connection, house.view, FREE, NOW)
    assert [one.key for one in accepted(as_machine)] == ["ground"]
    assert accepted(as_surveyor) == ()
    assert accepted(as_nobody) == ()
    assert [one.accepts for one in as_nobody] == [one.accepts for one in as_machine]


def test_a_verdict_is_recorded_when_it_changes_and_only_then(any_store: Store) -> None:
    house = build(any_store)

    def recorded() -> list[audit_log.AuditEntry]:
        with house.store.reading() as connection:
            entries = audit_log.entries(connection)
            return [entry for entry in entries if entry.action == "verdict.decided"]

    decisions(house)
    decisions(house, now=NOW + 10)
    assert len(recorded()) == 4
    house.hand_in(GROUND, "survey_report.pdf", SURVEYOR)
    decisions(house, now=NOW + 20)
    decisions(house, now=NOW + 30)
    (new,) = recorded()[4:]
    assert new.subject == audit_log.subject_of(house.signed.id, GROUND)
    assert new.data["accepts"] is True
    with house.store.reading() as connection:
        row = connection.execute(select(t.verdicts).where(t.verdicts.c.milestone == GROUND)).one()
    assert (row.verdict, row.met, row.decided_at, row.changed_at) == (1, True, NOW, NOW + 20)
    assert row.reasons["requirements"]["items"][0]["state"] == "met"


def test_without_its_document_nothing_is_decided(house: House) -> None:
    view = replace(house.view, signed=None)
    view = replace(view, views=tuple(replace(stage, planned=None) for stage in view.views))
    with house.store.transaction() as connection:
        assert decide(connection, view, FREE, NOW, MACHINE) == ()
