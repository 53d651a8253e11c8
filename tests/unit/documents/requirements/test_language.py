"""Requirements are sentences for people and a typed tree for machines."""

from __future__ import annotations

import hashlib

import pytest

from milestone_escrow.documents.requirements.kinds import (
    AfterRequired,
    AllRequired,
    DocumentRequired,
    HttpRequired,
    Requirement,
    SomeRequired,
    StatementRequired,
    WebhookRequired,
    leaves,
    requirements_hash,
)
from milestone_escrow.documents.requirements.language import (
    KnownNames,
    RequirementError,
    read_requirements,
)
from milestone_escrow.documents.source import Tree

NAMES = KnownNames(
    parties=("buyer", "supplier", "inspector", "bank"),
    verifiers=("inspector", "bank"),
    milestones=("packed", "departed"),
)


def read(tree: Tree) -> AllRequired:
    return read_requirements(tree, NAMES)


SENTENCES: list[tuple[Tree, Requirement]] = [
    ("photos from supplier, at least 12", DocumentRequired("photos", "supplier", 12)),
    ("photos from supplier, as jpeg", DocumentRequired("photos", "supplier", 1, "image/jpeg")),
    (
        "photos from supplier, as image/webp, at least 2",
        DocumentRequired("photos", "supplier", 2, "image/webp"),
    ),
    ("Inspection report from inspector", DocumentRequired("inspection_report", "inspector")),
    ("statement of inspector", StatementRequired("inspector")),
    ("statement of bank: all is paid", StatementRequired("bank", "all is paid")),
    ({"statement of bank": "all is paid"}, StatementRequired("bank", "all is paid")),
    ("after packed", AfterRequired("packed")),
    (
        {"any": ["after packed", "statement of bank"]},
        SomeRequired(1, (AfterRequired("packed"), StatementRequired("bank"))),
    ),
    (
        {"at least 2 of": ["after packed", "after departed", "statement of bank"]},
        SomeRequired(
            2, (AfterRequired("packed"), AfterRequired("departed"), StatementRequired("bank"))
        ),
    ),
    ({"all": ["after packed"]}, AllRequired((AfterRequired("packed"),))),
    (
        {"webhook": {"source": "carrier", "event": "delivered"}},
        WebhookRequired("carrier", "delivered"),
    ),
    (
        {"http": {"url": "https://build.example/7", "value": "/status", "equals": "done"}},
        HttpRequired("https://build.example/7", "/status", "equals", "done"),
    ),
]


@pytest.mark.parametrize(("tree", "requirement"), SENTENCES)
def test_reads_sentences_into_types(tree: Tree, requirement: Requirement) -> None:
    assert read([tree]).items == (requirement,)


@pytest.mark.parametrize(
    ("tree", "message", "fix"),
    [
        ("photos", "is not a requirement", "photos from supplier"),
        ("photos from carrier", "not a party", "known are"),
        ("photos from supplier, many", "'many' is not understood", "at least 12"),
        ("photos from supplier, at least 0", "asks for nothing", "at least 1"),
        ("photos from supplier, as jpog", "not a media type", "'jpg'"),
        ("(*) from supplier", "not a kind of document", "inspection_report"),
        ("statement of supplier", "not one of the agreement's verifiers", "inspector"),
        ("after packt", "not a milestone", "'packed'"),
        ({"any": []}, "has no items", "at least one"),
        ({"any": "after packed"}, "must be a list", "[ ]"),
        ({"at least 3 of": ["after packed", "after departed"]}, "asks for 3 of 2", "1 to 2"),
        ({"some": ["after packed"]}, "not a kind of requirement", "any"),
        ({"webhook": {"source": "carrier"}}, "needs source and event", "webhook: {"),
        ({"webhook": "carrier"}, "needs fields", "webhook: {"),
        ({"http": {"url": "http://x", "value": "/a", "equals": "1"}}, "https://", "http: {"),
        ({"http": {"url": "https://x", "value": "/a"}}, "one of equals", "http: {"),
        ({"any": ["after packed"], "all": []}, "is not a requirement", "any: [...]"),
        (["after packed"], "is not a requirement", "any: [...]"),
    ],
)
def test_refuses_what_it_does_not_understand(tree: Tree, message: str, fix: str) -> None:
    with pytest.raises(RequirementError) as caught:
        read([tree])
    assert message in caught.value.message
    assert fix in caught.value.hint
    assert caught.value.where[0] == 0


def test_refuses_the_same_thing_twice() -> None:
    with pytest.raises(RequirementError, match="required twice"):
        read(["after packed", "after packed"])


def test_the_hash_can_be_checked_with_public_tools() -> None:
    tree = read(["photos from supplier, at least 12"])
    text = '{"all":[{"at_least":"12","document":"photos","from":"supplier"}]}'
    assert requirements_hash(tree) == hashlib.sha256(text.encode()).digest()


def test_the_hash_is_zero_only_where_nothing_is_required() -> None:
    assert requirements_hash(read([])) == bytes(32)
    hashes = {requirements_hash(read([tree])) for tree, _ in SENTENCES}
    assert bytes(32) not in hashes
    # Two of the sentences say the same.
    assert len(hashes) == len(SENTENCES) - 1


def test_the_wording_of_a_sentence_does_not_change_the_hash() -> None:
    one = read(["Bill of lading  from bank , at least 2"])
    other = read("bill_of_lading from bank, at least 2")
    assert requirements_hash(one) == requirements_hash(other)


def test_leaves_are_all_that_must_be_shown() -> None:
    tree = read([{"any": ["after packed", {"all": ["statement of bank"]}]}, "after departed"])
    assert list(leaves(tree)) == [
        AfterRequired("packed"), StatementRequired("bank"), AfterRequired("departed"),
    ]  # fmt: skip
