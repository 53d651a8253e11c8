"""What a careful reader would say before anyone signs."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest

from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.documents.check.finding_kinds import Level
from milestone_escrow.documents.check.report import Finding, Report, SilenceOf, Warned
from milestone_escrow.documents.when import DAY, end_of_day
from milestone_escrow.words.check_report import render_report, report_json
from milestone_escrow.words.checked import ReportTeller

Load = Callable[..., Agreement]

SUPPLIER = "0x2B5AD5c4795c026514f8317c7a215E218DcCD6cF"
INSPECTOR = "0x6813Eb9362372EEF6200f3b1dbC3f819671cBA69"
ARBITER = "  arbiter: {name: Dr. A. Brandt, account: 0xE57bFE9F44b819898F47BF37E5AF72a0783e1141}\n"
PAYS = "    pays: 50 %\n"
REVIEW = "review_period: 5 days"


def found(report: Report, code: str) -> Finding:
    matching = [finding for finding in report.findings if finding.code == code]
    assert matching, f"no {code} among {[finding.code for finding in report.findings]}"
    return matching[0]


def said(report: Report, finding: Finding) -> str:
    return ReportTeller(report).finding(finding)[0]


def silence_of(report: Report, role: str) -> SilenceOf:
    return next(silence for silence in report.silence if silence.role == role)


def test_a_good_agreement_has_no_findings(agreement: Agreement) -> None:
    report = agreement.check()
    assert report.findings == ()
    assert report.ok


# what is edited, the finding's level, code, field, line, words and fix
CASES = {
    "supplier verifies": (
        [(INSPECTOR, SUPPLIER)],
        Level.ERROR, "payee-alone", "milestones.1.verified_by", 41, "supplier alone",
        "somebody else",
    ),
    "two roles": (
        [(INSPECTOR, SUPPLIER)],
        Level.ERROR, "two-roles", "parties.verifiers.inspector.account", 15,
        "inspector has the same account as supplier", "of its own",
    ),
    "arbiter is the buyer": (
        [("0xE57bFE9F44b819898F47BF37E5AF72a0783e1141",
        "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf")],
        Level.ERROR, "two-roles", "parties.arbiter.account", 18, "as buyer", "of its own",
    ),
    "buyer is the supplier": (
        [("0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf", SUPPLIER)],
        Level.ERROR, "two-roles", "parties.supplier.account", 13, "as buyer", "of its own",
    ),
    "due before the agreement": (
        [("date: 2027-01-14", "date: 2027-03-16")],
        Level.ERROR, "date-past", "milestones.1.due", 39, "is past", "in the future",
    ),
    "test keys on a main network": (
        [("network: sandbox", "network: base")],
        Level.ERROR, "test-key", "parties.buyer.account", 10, "publicly known", "replace it",
    ),
    "test keys on a test network": (
        [("network: sandbox", "network: sepolia")],
        Level.WARNING, "test-key", "parties.buyer.account", 10, "publicly known", "replace it",
    ),
    "short objection period": (
        [("objection_period: 2 days", "objection_period: 47 hours")],
        Level.WARNING, "short-window", "rules.objection_period", 27, "1 day 23 hours", "2 days",
    ),
    "no objection period": (
        [("objection_period: 2 days", "objection_period: off")],
        Level.NOTE, "no-objection", "rules.objection_period", 27, "pays at once", "2 days",
    ),
    "refund right after due": (
        [(PAYS, f"{PAYS}    refund_after: 1 day past due\n")],
        Level.WARNING, "short-window", "milestones.1", 36, "a little late is lost", "30 days",
    ),
    "weak quorum": (
        [("verified_by: inspector", "verified_by: 1 of inspector, bank")],
        Level.WARNING, "weak-quorum", "milestones.1", 36, "half or less", "2 of 2",
    ),
    "nobody verifies": (
        [("verified_by: inspector", "verified_by: nobody")],
        Level.WARNING, "only-buyer", "milestones.1", 36, "only the buyer", "review_period",
    ),
    "unused verifier": (
        [("verified_by: 2 of 3", "verified_by: 2 of inspector, bank")],
        Level.WARNING, "unused-verifier", "parties.verifiers.forwarder", 16, "verifies no",
        "remove it",
    ),
    "no arbiter": (
        [(ARBITER, "")],
        Level.WARNING, "no-arbiter", "parties.arbiter", 7, "no arbiter", "both sides trust",
    ),
    "large deposit": (
        [("deposit: 10 %", "deposit: 40 %"), ("pays: 50 %", "pays: 20 %")],
        Level.WARNING, "large-deposit", "milestones", 34, "40 % of the price", "lower",
    ),
    "nothing to show": (
        [("    requires: [inspection_report from inspector]\n", "")],
        Level.WARNING, "vague", "milestones.1", 36, "what must be shown", "requires",
    ),
    "nobody responsible": (
        [("    responsible: supplier\n", "")],
        Level.WARNING, "vague", "milestones.1", 36, "nobody as responsible",
        "responsible: supplier",
    ),
    "no due date": (
        [("    due: 2027-03-15\n", "    refund_after: 2027-04-15\n")],
        Level.WARNING, "vague", "milestones.1", 36, "no due date", "due:",
    ),
    "short title": (
        [("Forty tables built and oiled", "Tables built")],
        Level.WARNING, "vague", "milestones.1", 36, "only called 'Tables built'",
        "what is finished",
    ),
    "wrong order": (
        [("due: 2027-04-10", "due: 2027-03-10")],
        Level.WARNING, "order", "milestones.2.due", 46, "due before it", "15 Mar 2027 or later",
    ),
    "the supplier's evidence": (
        [("inspection_report from inspector", "photos from supplier")],
        Level.NOTE, "own-evidence", "milestones.1.requires", 42, "comes from the supplier",
        "as well",
    ),
    "no clauses": (
        [("clauses:\n  law: German law\n", "")],
        Level.NOTE, "no-clauses", "clauses", 1, "no clauses", "attach",
    ),
    "no checksum": (
        [(INSPECTOR, INSPECTOR.lower())],
        Level.NOTE, "no-checksum", "parties.verifiers.inspector.account", 15, "unnoticed",
        INSPECTOR,
    ),
    "too far away": (
        [("due: 2027-04-10", "due: 2047-04-10")],
        Level.ERROR, "terms", "milestones", 34, "the contract would refuse it", "correct it",
    ),
    "many milestones": (
        [("  - deposit: 10 %\n", "  - weekly: {payments: 11, of: rest, first: 2027-02-01}\n")],
        Level.WARNING, "many-milestones", "milestones", 34, "13 milestones", "keep to 12",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_finds(case: str, load: Load) -> None:
    edits, level, code, where, line, words, fix = CASES[case]
    agreement = load(*edits)
    report = agreement.check()
    finding = found(report, code)
    assert (finding.level, finding.where, finding.line) == (level, where, line)
    text, way_out = ReportTeller(report).finding(finding)
    assert words in text
    assert fix in way_out
    assert report.ok == (level is not Level.ERROR)
    assert words.split()[0] in render_report(report)


def test_dates_are_past_from_their_last_second_on(agreement: Agreement) -> None:
    due = agreement.milestone("built").due_at
    assert agreement.check(now=due - 1).ok
    assert found(agreement.check(now=due), "date-past").where == "milestones.1.due"


def test_what_is_said_of_a_whole_series_is_said_once_and_names_all(load: Load) -> None:
    entry = "  - weekly: {payments: 10, of: rest, first: 2027-02-01}\n    verified_by: nobody\n"
    report = load(("  - deposit: 10 %\n", entry)).check()
    (alone,) = [f for f in report.findings if f.code == "only-buyer"]
    assert len(alone.others) == 9
    assert f"; the same of {alone.others[0]} … {alone.others[-1]}" in said(report, alone)


def test_titles_that_are_numbered_make_no_difference(load: Load) -> None:
    entry = "  - weekly: {payments: 10, of: rest, first: 2027-02-01}\n    verified_by: inspector\n"
    report = load(("  - deposit: 10 %\n", entry)).check()
    (alone,) = [one for one in report.findings if "nobody as responsible" in said(report, one)]
    assert len(alone.others) == 9


def test_a_long_series_is_told_by_its_first_and_the_others_named(load: Load) -> None:
    entry = "  - weekly: {payments: 30, of: rest, first: 2027-02-01}\n    verified_by: inspector\n"
    report = load(("  - deposit: 10 %\n", entry)).check()
    text = render_report(report)
    assert "week-1\n" in text
    assert " … week-30: likewise, each at its own dates" in text


def test_what_differs_within_a_series_is_said_of_each(load: Load) -> None:
    """Three of ten dates are past, each another one: nothing hides behind a number."""
    entry = "  - weekly: {payments: 10, of: rest, first: 2027-02-01}\n    verified_by: nobody\n"
    agreement = load(("  - deposit: 10 %\n", entry))
    weeks = [m for m in agreement.milestones if m.due][:3]
    past = [f for f in agreement.check(now=weeks[-1].due_at).findings if f.code == "date-past"]
    assert len(past) == 3
    assert not any(one.others for one in past)


def test_says_who_alone_can_cause_a_payment_or_a_refund(agreement: Agreement) -> None:
    deposit, built, delivered = agreement.check().who_alone
    assert (deposit.pays_alone, deposit.refunds_alone) == (("buyer",), ())
    assert built.pays_alone == ("buyer", "inspector")
    assert built.refunds_alone == ("supplier", "inspector", "the clock")
    assert delivered.pays_alone == ("buyer",)
    assert "2 of inspector, forwarder, bank" in [actor.who for actor in delivered.payment]


def test_says_that_the_supplier_alone_is_paid_through_its_own_verifier(load: Load) -> None:
    report = load((INSPECTOR, SUPPLIER)).check()
    assert "supplier" in report.who_alone[1].pays_alone


def test_says_that_submissions_and_clocks_pay(load: Load) -> None:
    submitting = load(("review_period: off", "review_period: 14 days")).check()
    assert "supplier" in submitting.who_alone[1].pays_alone
    paying = load(("if_nothing_proven: refund buyer", "if_nothing_proven: pay supplier")).check()
    assert "the clock" in paying.who_alone[1].pays_alone
    assert "the clock" not in paying.who_alone[1].refunds_alone


def test_says_that_without_an_arbiter_an_objection_alone_takes_the_agreed_share(load: Load) -> None:
    report = load((ARBITER, ""), ("review_period: off", "review_period: 14 days")).check()
    assert "buyer" in report.who_alone[1].refunds_alone
    assert "take back 50 %" in said(report, found(report, "no-arbiter"))


def test_says_what_happens_if_everybody_goes_silent(agreement: Agreement) -> None:
    report = agreement.check()
    deposit, built, delivered = silence_of(report, "everybody").outcomes
    assert (deposit.at, deposit.to_payee) == (agreement.starts_at, 1_000_000_000)
    assert (built.to_payee, built.to_buyer) == (0, 5_000_000_000)
    assert built.at == agreement.milestone("built").deadline
    told = ReportTeller(report).outcome(built)
    assert "returns 5,000.00 USDC to Schulamt Nord after 14 Apr 2027, 23:59 UTC+02:00" in told
    assert report.settled_by == delivered.at


def test_says_whose_silence_leaves_a_milestone_to_the_clock(agreement: Agreement) -> None:
    report = agreement.check()
    assert [o.milestone for o in silence_of(report, "inspector").outcomes] == ["built"]
    assert silence_of(report, "bank").outcomes == ()
    assert "suffice for delivered" in ReportTeller(report).silence(silence_of(report, "bank"))
    verifiers = silence_of(report, "verifiers").outcomes
    assert [o.milestone for o in verifiers] == ["built", "delivered"]


def test_says_what_a_silent_arbiter_leaves(agreement: Agreement) -> None:
    built = silence_of(agreement.check(), "arbiter").outcomes[0]
    assert built.to_payee == built.to_buyer == 2_500_000_000
    assert built.at == agreement.milestone("built").deadline + 30 * DAY


def test_says_that_certificates_pay_without_the_buyer(agreement: Agreement) -> None:
    report = agreement.check()
    deposit, built, _ = silence_of(report, "buyer").outcomes
    assert deposit.to_payee == 0
    assert (
        ReportTeller(report).outcome(built) == "pays 5,000.00 USDC 2 days after inspector accepted"
    )


def test_exposure_follows_deposit_work_and_payment(agreement: Agreement) -> None:
    report = agreement.check()
    points, event = report.exposure, ReportTeller(report).event
    assert [(event(p), p.buyer // 10**6, p.supplier // 10**6) for p in points] == [
        ("deposit is paid", 1_000, 0),
        ("built is due", 0, 4_555),
        ("built is paid", 444, 0),
        ("delivered is due", 0, 4_000),
        ("delivered is paid", 0, 0),
    ]
    assert points[1].at == end_of_day(date(2027, 3, 15), agreement.timezone)
    assert points[2].at == points[1].at + 2 * DAY
    assert all(p.paid + p.held == agreement.price for p in points)


def test_retainage_leaves_the_supplier_ahead(load: Load) -> None:
    retainage = "retainage: {withheld: 10 %, released: all after 365 days}\nclauses:"
    report = load(
        ("  - deposit: 10 %\n", ""), ("pays: 50 %", "pays: 60 %"), ("clauses:", retainage)
    ).check()
    assert [p.supplier // 10**6 for p in report.exposure] == [6_000, 600, 4_600, 1_000, 0]


def test_the_report_is_json_with_amounts_as_text(agreement: Agreement) -> None:
    data = json.loads(json.dumps(report_json(agreement.check())))
    assert data["ok"] is True
    everybody = next(s for s in data["silence"] if s["role"] == "everybody")
    assert everybody["outcomes"][1]["to_buyer"] == "5000000000"


def test_the_report_reads_as_text_without_control_codes(agreement: Agreement) -> None:
    text = render_report(agreement.check())
    assert "no errors, no warnings" in text
    assert "as if nobody acts: built, delivered" in text
    assert all(c.isprintable() or c == "\n" for c in text)
    assert max(map(len, text.splitlines())) <= 100


FUNDED = 1_800_000_000  # 15 January 2027


def plays_of(agreement: Agreement, milestone: str) -> dict[str, str]:
    report = agreement.check(FUNDED)
    (one,) = (one for one in report.plays if one.milestone == milestone)
    return {play.move.name: ReportTeller(report).play(play) for play in one.plays}


def test_says_of_each_milestone_what_follows_from_what(agreement: Agreement) -> None:
    assert plays_of(agreement, "built") == {
        "CERTIFIED": "40 % certified by inspector, nobody objects: 2,000.00 USDC paid 2 days "
        "later; 3,000.00 USDC back after 14 Apr 2027",
        "REJECTED": "rejected by inspector, nobody objects: 5,000.00 USDC back 3 days later",
        "NOTHING": "nobody does anything: 5,000.00 USDC back after 14 Apr 2027",
        "CERTIFIED_DISPUTED": "40 % certified, the buyer disputes it, the arbiter is silent: "
        "2,000.00 USDC paid 30 days later; 3,000.00 USDC back after 14 Apr 2027",
        "REJECTED_DISPUTED": "rejected, the supplier disputes it, the arbiter is silent: "
        "5,000.00 USDC back 30 days later",
        "DISPUTED": "the supplier disputes before any decision, nobody decides: "
        "2,500.00 USDC paid and 2,500.00 USDC back after 14 May 2027",
    }


def test_a_certificate_without_objection_is_paid_at_once_and_not_disputed(load: Load) -> None:
    told = plays_of(load(("objection_period: 2 days", "objection_period: off")), "built")
    assert told["CERTIFIED"].partition(": ")[2].startswith("2,000.00 USDC paid at once; ")
    assert "CERTIFIED_DISPUTED" not in told


def test_without_an_arbiter_only_a_submission_can_be_disputed(load: Load) -> None:
    edits = (ARBITER, ""), ("review_period: off", REVIEW)
    told = plays_of(load(*edits), "built")
    assert told["SUBMITTED"] == "submitted, nobody objects: 5,000.00 USDC paid 5 days later"
    assert "back after 14 May 2027" in told["SUBMITTED_DISPUTED"]
    assert not {"CERTIFIED_DISPUTED", "REJECTED_DISPUTED", "DISPUTED"} & told.keys()


def test_nothing_leaves_later_than_the_latest_that_is_told(agreement: Agreement) -> None:
    report = agreement.check(FUNDED)
    assert [one.milestone for one in report.plays] == ["built", "delivered"]
    for one in report.plays:
        told = [due.at or FUNDED + due.wait for play in one.plays for due in play.due]
        assert max(told) <= one.latest
        assert sum(due.to_payee + due.to_buyer for due in one.plays[0].due) in (
            5 * 10**9,
            4 * 10**9,
        )


def test_warns_only_where_it_is_so(agreement: Agreement, load: Load) -> None:
    def warned(agreement: Agreement) -> dict[Warned, tuple[str, ...]]:
        return {one.what: one.milestones for one in agreement.check(FUNDED).caveats}

    always = {Warned.REST_WAITS, Warned.NO_CORRECTION, Warned.REFUNDS_COUNT}
    assert warned(agreement).keys() == always | {Warned.LATE_FUNDING}
    assert warned(agreement)[Warned.REST_WAITS] == ("built", "delivered")
    submitted = warned(load(("review_period: off", REVIEW)))
    assert submitted.keys() == always | {Warned.LATE_FUNDING, Warned.HELD_UP}
    alone = warned(load((ARBITER, ""), ("review_period: off", REVIEW)))
    assert alone.keys() == always | {Warned.HELD_UP, Warned.REST_TO_BUYER}


def test_milestones_that_differ_in_amounts_and_dates_only_are_played_once(load: Load) -> None:
    report = load().check(FUNDED)
    built = report.plays[0]
    many = tuple(replace(built, milestone=f"m-{n}", latest=built.latest + n) for n in range(1, 61))
    text = render_report(replace(report, plays=many))
    assert text.count("nobody does anything:") == 1
    assert "m-2 … m-60: likewise, each with its own amounts and dates" in text
