"""Whatever a file holds, the answer is an agreement or one sentence, never a stack trace."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.documents.files.signed_agreement import SignedAgreement
from milestone_escrow.documents.render import render_agreement
from milestone_escrow.documents.source import Tree
from milestone_escrow.errors import DocumentError
from milestone_escrow.words.check_report import render_report

FRAGMENTS = (
    "", "off", "0", "-1", "100 %", "0 %", "rest", "nobody", "all", "2 of 3", "9999-12-31",
    "2027-02-29", "30 days past due", "0 days past due", "{}", "[]", "[a]", "{a: b}", "'", '"',
    "é", "\ud7ff", "\x7f", "1" * 60, "٣", "x" * 300, "\n", "  ", "- ", ": ", "monthly: {}",
    "20 years past due", "999999 weeks", "0x" + "0" * 40, "after built", "statement of bank",
)  # fmt: skip
quick = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def answer(read: Callable[[], Agreement]) -> None:
    """Reads, checks and renders, or is refused in one sentence."""
    try:
        agreement = read()
    except DocumentError:
        return
    render_agreement(agreement)
    render_report(agreement.check())
    assert sum(m.amount for m in agreement.milestones) == agreement.price


@quick
@given(st.data())
def test_any_line_may_hold_anything(plain: str, data: st.DataObject) -> None:
    lines = plain.splitlines()
    for _ in range(data.draw(st.integers(1, 3))):
        row = data.draw(st.integers(0, len(lines) - 1))
        name, colon, _ = lines[row].partition(":")
        fragment = data.draw(st.sampled_from(FRAGMENTS))
        lines[row] = f"{name}{colon} {fragment}" if data.draw(st.booleans()) else fragment
    answer(lambda: Agreement.loads("\n".join(lines)))


@quick
@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda b: b.decode("latin-1")))
def test_any_text_is_answered(text: str) -> None:
    answer(lambda: Agreement.loads(text))


trees: st.SearchStrategy[Tree] = st.recursive(
    st.sampled_from(FRAGMENTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)


@quick
@given(st.data())
def test_any_node_of_a_document_may_be_anything(agreement: Agreement, data: st.DataObject) -> None:
    document = json.loads(agreement.canonical_json())
    node = document
    while True:
        if not isinstance(node, dict) or not node:
            break
        name = data.draw(st.sampled_from(sorted(node)))
        inner = node[name]
        if isinstance(inner, list) and inner and data.draw(st.booleans()):
            index = data.draw(st.integers(0, len(inner) - 1))
            if isinstance(inner[index], dict) and data.draw(st.booleans()):
                node = inner[index]
                continue
            inner[index] = data.draw(trees)
            break
        if isinstance(inner, dict) and data.draw(st.booleans()):
            node = inner
            continue
        node[name] = data.draw(trees)
        break
    answer(lambda: Agreement.from_document(document))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)


@quick
@given(st.data())
def test_any_field_of_a_signed_file_may_be_anything(data: st.DataObject) -> None:
    names = (
        "format", "agreement_id", "chain_id", "contract", "token", "terms", "document",
        "signatures",
    )  # fmt: skip
    fields = {name: data.draw(json_values) for name in names} | {"format": "1"}
    with pytest.raises(DocumentError):
        SignedAgreement.loads(json.dumps(fields))
