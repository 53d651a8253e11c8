"""Attestations posted, counted, listed, and their calldata for anybody who wants to send it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from milestone_escrow.documents.files.collected import words_hash
from milestone_escrow.oracle.relaying.calls import attest_call
from milestone_escrow.oracle.signing.attestation_json import Post, post_data
from milestone_escrow.protocol.acts import Attestation, Verdict
from milestone_escrow.protocol.eip712 import ZERO_HASH
from tests.oracle.api.world import DOMAIN, FOUNDATION, NOW, WALLS, World, signer
from tests.oracle.wallets import Accepting

PART = {FOUNDATION: 3_000_000_000, WALLS: 4_000_000_000}


def attestation(world: World, milestone: int = FOUNDATION, **changed: Any) -> Attestation:
    fields: dict[str, Any] = {
        "agreement_id": world.deal.id,
        "milestone": milestone,
        "verdict": Verdict.ACCEPTED,
        "amount": PART[milestone],
        "evidence_hash": ZERO_HASH,
        "issued_at": NOW - 10,
        "valid_until": NOW + 86_400,
    }
    return Attestation(**fields | changed)


def signed(given: Attestation, *roles: str, words: dict[str, object] | None = None) -> Any:
    typed = given.typed_data(DOMAIN)
    signatures = {signer(role).address: signer(role).sign_typed_data(typed) for role in roles}
    return post_data(Post(given, signatures, words or {}))


def post(world: World, body: Any, milestone: int = FOUNDATION, **headers: str) -> Any:
    path = f"{world.url}/milestones/{milestone}/attestations"
    return world.client.post(path, json=body, headers=headers)


def test_a_verifiers_signature_needs_no_sign_in(make: Callable[..., World]) -> None:
    woken: list[bool] = []
    world = make(wake=lambda: woken.append(True))
    answer = post(world, signed(attestation(world), "surveyor"))
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert (body["added"], body["is_complete"], body["state"]) == (
        [signer("surveyor").address],
        True,
        "complete",
    )
    assert woken == [True]


def test_the_same_again_is_known(world: World) -> None:
    body = signed(attestation(world), "surveyor")
    assert post(world, body).status_code == 201
    again = post(world, body)
    assert again.status_code == 200
    assert (again.json()["added"], again.json()["known"]) == ([], [signer("surveyor").address])


def test_signatures_of_many_posts_add_up_to_a_quorum(world: World) -> None:
    given = attestation(world, WALLS)
    first = post(world, signed(given, "surveyor"), WALLS).json()
    assert (first["is_complete"], first["state"]) == (False, "open")
    second = post(world, signed(given, "carpenter"), WALLS).json()
    assert (second["is_complete"], second["state"]) == (True, "complete")
    assert len(second["signers"]) == 2


def test_the_list_says_who_has_signed_and_who_is_missing(world: World) -> None:
    path = f"{world.url}/milestones/{WALLS}/attestations"
    assert world.get(path).json()["items"] == []
    post(world, signed(attestation(world, WALLS), "surveyor"), WALLS)
    body = world.get(path).json()
    assert body["quorum"] == 2
    (item,) = body["items"]
    assert [person["account"] for person in item["signers"]] == [signer("surveyor").address]
    assert [person["account"] for person in item["waiting_for"]] == [signer("carpenter").address]
    assert (item["missing"], item["calldata"]) == (1, None)
    assert item["amount"] == {"units": "4000000000", "text": "4,000.00 USDC"}
    assert item["signers"][0]["name"] is None
    named = world.get(path, "buyer").json()["items"][0]
    assert named["signers"][0]["name"] == "Vera Grün"


def test_a_complete_quorum_can_be_sent_by_anybody(world: World) -> None:
    given = attestation(world, WALLS)
    digest = "0x" + given.typed_data(DOMAIN).digest().hex()
    path = f"{world.url}/milestones/{WALLS}/attestations"
    post(world, signed(given, "surveyor"), WALLS)
    early = world.get(f"{path}/{digest}/calldata")
    assert early.status_code == 409
    assert "1 of 2" in early.json()["detail"]
    post(world, signed(given, "carpenter"), WALLS)
    (item,) = world.get(path).json()["items"]
    body = world.get(item["calldata"]).json()
    signatures = {
        signer(role).address: signer(role).sign_typed_data(given.typed_data(DOMAIN))
        for role in ("surveyor", "carpenter")
    }
    expected = attest_call(world.deal.bound, given, bytes.fromhex(digest[2:]), signatures)
    assert body["data"] == "0x" + expected.hex()
    assert (body["to"], body["chain_id"], body["value"]) == (
        DOMAIN.verifying_contract,
        DOMAIN.chain_id,
        "0",
    )


def test_a_return_for_rework_tells_its_reason_to_the_agreements_people(world: World) -> None:
    words: dict[str, object] = {"format": "1", "files": [], "reason": "The roof leaks"}
    given = attestation(world, verdict=Verdict.RETURNED, amount=0, evidence_hash=words_hash(words))
    answer = post(world, signed(given, "surveyor", words=words))
    assert answer.status_code == 201, answer.text
    path = f"{world.url}/milestones/{FOUNDATION}/attestations"
    (item,) = world.get(path, "supplier").json()["items"]
    assert (item["reason"], item["words"]) == ("The roof leaks", words)
    (public,) = world.get(path).json()["items"]
    assert (public["reason"], public["words"]) == (None, None)
    assert "roof" not in world.get(path, "stranger").text
    sent = world.get(f"{path}/{item['digest']}/calldata")
    assert sent.status_code == 409


REFUSED: dict[str, tuple[Callable[[World], Any], int, str]] = {
    "another's signature": (
        lambda w: {
            **signed(attestation(w), "surveyor"),
            "signatures": {
                signer("surveyor").address: "0x"
                + signer("carpenter").sign_typed_data(attestation(w).typed_data(DOMAIN)).hex()
            },
        },
        422,
        "invalid-signature",
    ),
    "nobody's signature": (
        lambda w: {
            **signed(attestation(w), "surveyor"),
            "signatures": {signer("surveyor").address: "0x" + "11" * 65},
        },
        422,
        "invalid-signature",
    ),
    "a stranger": (lambda w: signed(attestation(w), "stranger"), 403, "signer-not-allowed"),
    "a verifier of others": (
        lambda w: signed(attestation(w), "carpenter"),
        403,
        "signer-not-allowed",
    ),
    "too much": (lambda w: signed(attestation(w, amount=3_000_000_001), "surveyor"), 409, ""),
    "too late": (
        lambda w: signed(attestation(w, valid_until=NOW - 1), "surveyor"),
        409,
        "",
    ),
    "from the future": (
        lambda w: signed(attestation(w, issued_at=NOW + 5_000), "surveyor"),
        409,
        "issued-at-out-of-bounds",
    ),
    "other words": (
        lambda w: {
            **signed(attestation(w, evidence_hash=b"\1" * 32), "surveyor"),
            "words": {"format": "1", "files": [], "reason": "x"},
        },
        409,
        "",
    ),
    "another milestone": (lambda w: signed(attestation(w, WALLS), "surveyor"), 422, "invalid"),
    "another agreement": (
        lambda w: signed(attestation(w, agreement_id=b"\2" * 32), "surveyor"),
        422,
        "invalid",
    ),
    "no signature": (lambda w: signed(attestation(w)), 422, "invalid"),
    "an unknown field": (
        lambda w: {**signed(attestation(w), "surveyor"), "note": "x"},
        422,
        "invalid",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_does_not_hold_is_refused_with_its_reason(world: World, what: str) -> None:
    body, status, kind = REFUSED[what]
    answer = post(world, body(world))
    if what == "other words":
        status, kind = 422, "words-do-not-fit"
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]
    assert answer.json()["type"].endswith(kind)
    assert not world.get(f"{world.url}/milestones/{FOUNDATION}/attestations").json()["items"]


def test_conflicting_words_of_one_moment_are_refused(world: World) -> None:
    assert post(world, signed(attestation(world), "surveyor")).status_code == 201
    other = attestation(world, verdict=Verdict.REJECTED, amount=0)
    answer = post(world, signed(other, "surveyor"))
    assert answer.status_code == 409
    assert answer.json()["type"].endswith("conflicting-verdict")


def test_good_signatures_are_taken_beside_bad_ones(world: World) -> None:
    body = signed(attestation(world), "surveyor", "stranger")
    answer = post(world, body)
    assert answer.status_code == 201
    assert answer.json()["added"] == [signer("surveyor").address]
    (refused,) = answer.json()["refused"]
    assert (refused["account"], refused["error"]) == (
        signer("stranger").address,
        "SignerNotAllowed",
    )


def test_an_unknown_agreement_is_not_found(world: World) -> None:
    nowhere = "0x" + "22" * 32
    body = signed(attestation(world, agreement_id=b"\x22" * 32), "surveyor")
    path = f"/v1/agreements/{nowhere}/milestones/{FOUNDATION}/attestations"
    assert world.client.post(path, json=body).status_code == 404
    assert world.client.get(path).status_code == 404


def test_a_contract_verifier_is_asked_on_its_chain(make: Callable[..., World]) -> None:
    wallets = Accepting(b"safe")
    world = make(wallets=wallets)
    body = signed(attestation(world), "surveyor")
    body["signatures"] = {signer("surveyor").address: "0x" + b"safe".hex()}
    assert post(world, body).status_code == 201
    assert wallets.accounts == [signer("surveyor").address]
