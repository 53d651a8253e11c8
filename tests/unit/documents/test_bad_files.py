"""Every bad agreement file is answered with its line, its field and the way out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.documents.source import MAX_BYTES, read_source
from milestone_escrow.errors import DocumentError

Refusal = Callable[..., DocumentError]

# what is replaced, by what, the line and field blamed, what is said, and the fix
CASES = {
    "unknown field": (
        "    responsible: supplier", "    responsable: supplier",
        40, "milestones.1.responsable", "is not a known field", "did you mean 'responsible'?",
    ),
    "unknown section": (
        "clauses:", "clause:", 50, "clause", "is not a known field", "'clauses'",
    ),
    "amount without quotes": (
        "  fee: none\n", "  fee: none\nretainage: {withheld: 10 %, released: half, half later}\n",
        24, "retainage.half later", "is not a known field", "the whole value in quotes",
    ),
    "missing field": (
        "timezone: Europe/Berlin\n", "", 1, "timezone", "is missing", "add `timezone: …`",
    ),
    "unknown time zone": (
        "Europe/Berlin", "Europe/Berlim", 5, "timezone", "is not an IANA", "'Europe/Berlin'",
    ),
    "unknown format": ("format: 1", "format: 2", 1, "format", "not known", "format: 1"),
    "malformed date": (
        "2027-03-15", "15.03.2027", 39, "milestones.1.due", "is not a date", "2027-03-15",
    ),
    "date that does not exist": (
        "2027-03-15", "2027-02-30", 39, "milestones.1.due", "is not a date", "year-month-day",
    ),
    "mistyped account": (
        "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf", "0x7E5F4552091A69125d5DfCb7b8C2659029395BdF",
        10, "parties.buyer.account", "checksum does not match", "copy the account again",
    ),
    "short account": (
        "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf", "0x7E5F",
        10, "parties.buyer.account", "is not an account", "40 hex digits",
    ),
    "duplicate verifier account": (
        "0x1efF47bc3a10a45D4B230B5d10E37751FE6AA718", "0x6813Eb9362372EEF6200f3b1dbC3f819671cBA69",
        16, "parties.verifiers.forwarder.account", "also the account of inspector", "of its own",
    ),
    "duplicate verifier name": (
        "    forwarder: {", "    inspector: {",
        16, "parties.verifiers.inspector", "given twice, first on line 15", "keep one",
    ),
    "quorum above the number": (
        "verified_by: 2 of 3", "verified_by: 4 of 3",
        26, "rules.verified_by", "4 signatures are asked of 3", "at most 3 of 3",
    ),
    "quorum above those named": (
        "verified_by: inspector", "verified_by: 2 of inspector",
        41, "milestones.1.verified_by", "2 signatures are asked of 1", "write 1 to 1",
    ),
    "quorum of another number": (
        "verified_by: 2 of 3", "verified_by: 2 of 4",
        26, "rules.verified_by", "the agreement has 3 verifiers", "2 of 3",
    ),
    "quorum of zero": (
        "verified_by: 2 of 3", "verified_by: 0 of 3",
        26, "rules.verified_by", "let nobody decide", "nobody",
    ),
    "names without a number": (
        "verified_by: 2 of 3", "verified_by: forwarder, bank",
        26, "rules.verified_by", "how many must sign", "all of forwarder, bank",
    ),
    "unknown verifier": (
        "verified_by: inspector", "verified_by: inspektor",
        41, "milestones.1.verified_by", "not one of the agreement's verifiers", "'inspector'",
    ),
    "verifier named twice": (
        "verified_by: inspector", "verified_by: 2 of bank, bank",
        41, "milestones.1.verified_by", "named twice", "counts once",
    ),
    "too many decimals": (
        '"10,000.00 USDC"', '"10,000.0000001 USDC"',
        22, "payment.price", "has 7 decimals, USDC has 6", "at most 6 digits",
    ),
    "too many decimals in a part": (
        "pays: 50 %", "pays: 5,000.0000001",
        38, "milestones.1.pays", "has 7 decimals", "at most 6 digits",
    ),
    "another currency": (
        "pays: 50 %", "pays: 5,000.00 EURC",
        38, "milestones.1.pays", "in EURC, the agreement pays in USDC", "in USDC",
    ),
    "continental amount": (
        '"10,000.00 USDC"', '"10.000,00 USDC"', 22, "payment.price", "not an amount", "comma for",
    ),
    "price without a token": (
        '"10,000.00 USDC"', '"10,000.00"', 22, "payment.price", "does not name the token", "USDC",
    ),
    "unknown token": (
        '"10,000.00 USDC"', '"10,000.00 USDX"', 22, "payment.price", "not a known token", "'USDT'",
    ),
    "parts too small": (
        "pays: 40 %", "pays: 30 %",
        34, "milestones", "parts add up to 9,000.00 USDC, the price is 10,000.00 USDC",
        "1,000.00 USDC (10 %) is missing",
    ),
    "parts too large": (
        "pays: 40 %", "pays: 4,000.01",
        34, "milestones", "parts add up to 10,000.01 USDC", "0.01 USDC is too much",
    ),
    "part of nothing": (
        "deposit: 10 %", "deposit: 10 %\n  - {key: extra, title: For free, pays: 0 %}",
        36, "milestones.1.pays", "comes to nothing", "pay at least one unit",
    ),
    "nothing left for the rest": (
        "pays: 40 %",
        "pays: 40 %\n    due: 2027-04-01\n  - key: more\n    title: x\n    pays: rest",
        34, "milestones", "leaves nothing for the rest", "lower a part",
    ),
    "the rest twice": (
        "deposit: 10 %\n",
        "deposit: 10 %\n  - {key: a, title: A, pays: rest}\n  - {key: b, title: B, pays: rest}\n",
        37, "milestones.2", "takes the rest, like another", "one milestone can",
    ),
    "no money": (
        "    pays: 50 %\n", "", 36, "milestones.1", "says nothing about money", "pays: 30 %",
    ),
    "money twice": (
        "pays: 50 %", "pays: 50 %\n    deposit: 5 %",
        39, "milestones.1.deposit", "together with pays", "keep one",
    ),
    "deposit with a date": (
        "  - deposit: 10 %", "  - deposit: 10 %\n    due: 2027-02-01",
        36, "milestones.0.due", "does not apply to a deposit", "remove it",
    ),
    "no due date": (
        "    due: 2027-03-15\n", "", 36, "milestones.1.due", "is missing", "due: 2027-03-15",
    ),
    "key used twice": (
        "key: delivered", "key: built",
        43, "milestones.2.key", "already the key of another", "its own key",
    ),
    "key with spaces": (
        "key: built", "key: Built up", 36, "milestones.1.key", "cannot be a key", "'built-up'",
    ),
    "unknown responsible": (
        "responsible: forwarder", "responsible: forwader",
        47, "milestones.2.responsible", "not a party", "'forwarder'",
    ),
    "unknown party in a requirement": (
        "delivery_note from forwarder", "delivery_note from forwader",
        48, "milestones.2.requires.0", "not a party", "'forwarder'",
    ),
    "statement of a party": (
        "delivery_note from forwarder", "statement of supplier",
        48, "milestones.2.requires.0", "not one of the agreement's verifiers", "known are",
    ),
    "unknown milestone in a requirement": (
        "after built", "after build", 48, "milestones.2.requires.1", "not a milestone", "'built'",
    ),
    "requirement that waits for itself": (
        "after built", "after delivered",
        48, "milestones.2.requires", "waits for itself", "remove one",
    ),
    "comma inside a list": (
        "delivery_note from forwarder", "photos from supplier, at least 12",
        48, "milestones.2.requires.1", "not a requirement", "in quotes",
    ),
    "duration that is none": (
        "objection_period: 2 days", "objection_period: two moons",
        27, "rules.objection_period", "not a duration", "2 weeks or off",
    ),
    "period without end": (
        "objection_period: 2 days", "objection_period: 2 years",
        27, "rules.objection_period", "not a duration", "2 weeks",
    ),
    "period too long": (
        "objection_period: 2 days", "objection_period: 400 days",
        27, "rules.objection_period", "too long", "366 days",
    ),
    "arbitration too short": (
        "ruling_within: 30 days", "ruling_within: 2 days",
        29, "rules.ruling_within", "too short", "3 days",
    ),
    "review too short": (
        "review_period: off", "review_period: 2 days",
        28, "rules.review_period", "too short", "3 days, or off",
    ),
    "no default ruling": (
        "  if_no_ruling: 50 % to supplier\n", "",
        25, "rules.if_no_ruling", "is missing", "50 % to supplier",
    ),
    "no rule for silence": (
        "  if_nothing_proven: refund buyer\n", "",
        35, "milestones.1", "who is paid when nothing is proven", "refund buyer",
    ),
    "the wrong word for silence": (
        "    responsible: supplier", "    pays_after: 3 days past due",
        40, "milestones.1.pays_after", "silence refunds the buyer", "refund_after",
    ),
    "deadline before due": (
        "    responsible: supplier", "    refund_after: 2027-03-01",
        40, "milestones.1.refund_after", "before the due date", "or later",
    ),
    "fee too high": (
        "fee: none", "fee: 11 % to 0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf",
        23, "payment.fee", "is not allowed", "to 10 %",
    ),
    "missing attachment": (
        "timezone: Europe/Berlin", "timezone: Europe/Berlin\nattachments: [plan.pdf]",
        6, "attachments.0", "does not exist", "put it into",
    ),
    "attachment elsewhere": (
        "timezone: Europe/Berlin", "timezone: Europe/Berlin\nattachments: [../plan.pdf]",
        6, "attachments.0", "not beside the agreement", "next to it",
    ),
    "group instead of text": (
        "title: Forty oak tables for a school", "title: {a: b}", 2, "title", "must be text", "line",
    ),
    "text instead of a group": (
        "clauses:\n  law: German law", "clauses: German law",
        50, "clauses", "must be a group of fields", "indented",
    ),
    "empty field": (
        "title: Forty oak tables for a school", "title:", 2, "title", "is empty", "fill it in",
    ),
    "retainage that is not all released": (
        "clauses:", "retainage: {withheld: 10 %, released: half at completion}\nclauses:",
        50, "retainage.released", "adds up to 50 %", "half after 365 days",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_names_line_field_and_fix(case: str, refusal: Refusal) -> None:
    old, new, line, field, message, fix = CASES[case]
    error = refusal((old, new))
    assert error.file == "deal.yaml"
    assert (error.line, error.field) == (line, field)
    assert message in error.message
    assert fix in error.hint
    assert str(error).startswith(f"deal.yaml:{line}: {field}: ")
    assert "\n" not in str(error)
    assert error.exit_status == 2


YAML_CASES = {
    "tab": ("  law: German law", "\tlaw: German law", 51, "spaces, not tabs"),
    "colon": ("title: Forty", "title: Tables: Forty", 2, "in quotes"),
    "open bracket": (
        "requires: [inspection_report",
        "requires: [[inspection_report",
        43,
        "bracket",
    ),
    "anchor": ("title: Forty", "title: &x Forty", 2, "quote it"),
    "alias": ("title: Forty oak tables for a school", "title: *x", 2, "quote it"),
    "tag": ("title: Forty", "title: !!python/name:os.system Forty", 2, "quote the value"),
    "second document": ("clauses:", "---\nclauses:", 50, "one file, one agreement"),
}


@pytest.mark.parametrize("case", YAML_CASES)
def test_refuses_yaml_that_is_malformed_or_ambiguous(case: str, refusal: Refusal) -> None:
    old, new, line, fix = YAML_CASES[case]
    error = refusal((old, new))
    assert error.line == line
    assert fix in error.hint


@pytest.mark.parametrize("text", ["", "# nothing\n", "just words", "- a\n- b\n"])
def test_refuses_a_file_that_is_no_agreement(text: str) -> None:
    with pytest.raises(DocumentError, match="escrow agreement new"):
        Agreement.loads(text)


def test_refuses_deep_nesting() -> None:
    with pytest.raises(DocumentError, match="levels deep"):
        Agreement.loads("a: " + "[" * 5_000)


def test_refuses_bytes_that_are_not_utf8(tmp_path: Path) -> None:
    file = tmp_path / "deal.yaml"
    file.write_bytes(b"format: 1\ntitle: caf\xe9\n")
    with pytest.raises(DocumentError, match="UTF-8") as caught:
        Agreement.load(file)
    assert caught.value.line == 2


def test_refuses_a_file_that_is_too_large(tmp_path: Path) -> None:
    file = tmp_path / "deal.yaml"
    file.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(DocumentError, match="larger than"):
        read_source(file)


def test_refuses_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="cannot be read"):
        Agreement.load(tmp_path / "no.yaml")


def test_scalars_stay_what_was_written(load: Callable[..., Agreement]) -> None:
    agreement = load(("law: German law", "law: NO\n  other: 0x10\n  time: 12:30:00"))
    assert agreement.model.clauses == {"law": "NO", "other": "0x10", "time": "12:30:00"}
