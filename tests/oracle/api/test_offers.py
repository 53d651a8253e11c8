"""Offers handed in by whoever has the payee's signature, and shown to who may buy."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from milestone_escrow.documents.files.signed_act import SignedAct, dumps_acts
from milestone_escrow.protocol.acts import Submission
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS, ZERO_HASH
from milestone_escrow.protocol.receivables import Offer
from tests.oracle.api.world import FOUNDATION, NOW, WALLS, World, signer
from tests.oracle.wallets import Accepting

HELD = 3_000_000_000
STRANGER = signer("stranger").address


def offer_of(world: World, **changed: Any) -> Offer:
    offer = Offer(world.deal.id, FOUNDATION, ZERO_ADDRESS, HELD - 10**6, HELD, 1, 0, NOW + 86_400)
    return replace(offer, **changed)


def file_of(world: World, act: Any, role: str = "supplier") -> Any:
    signed = SignedAct(world.deal.bound, act, {}, {}).sign(signer(role))
    return json.loads(dumps_acts([signed]))


def place(world: World, milestone: int = FOUNDATION) -> str:
    return f"{world.url}/milestones/{milestone}/offers"


def hand_in(world: World, file: Any, milestone: int = FOUNDATION) -> Any:
    return world.client.post(place(world, milestone), json=file)


def test_the_payees_signature_needs_no_sign_in(make: Callable[..., World]) -> None:
    woken: list[bool] = []
    world = make(wake=lambda: woken.append(True))
    answer = hand_in(world, file_of(world, offer_of(world)))
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert (body["price"]["text"], body["held"]["text"]) == ("2,999.00 USDC", "3,000.00 USDC")
    # Whoever hands it in without signing in learns no names from it.
    assert (body["seller"]["role"], body["seller"]["name"]) == ("supplier", None)
    assert woken == [True]


def test_the_same_again_is_known(world: World) -> None:
    file = file_of(world, offer_of(world))
    assert [hand_in(world, file).status_code for _ in range(2)] == [201, 200]
    assert len(world.get(place(world), "buyer").json()["items"]) == 1


def test_the_list_holds_what_a_financier_buys_with(world: World) -> None:
    file = file_of(world, offer_of(world))
    hand_in(world, file)
    (found,) = world.get(place(world), "buyer").json()["items"]
    assert found["file"] == file
    assert (found["financier"], found["seller"]["name"]) == (None, "Holz & Söhne")


def test_a_financier_sees_the_offers_that_name_them_and_nobody_elses(world: World) -> None:
    hand_in(world, file_of(world, offer_of(world)))
    refused = world.get(place(world), "stranger")
    assert (refused.status_code, world.get(place(world)).status_code) == (403, 401)
    hand_in(world, file_of(world, offer_of(world, financier=STRANGER)))
    (found,) = world.get(place(world), "stranger").json()["items"]
    assert found["financier"] == STRANGER
    assert len(world.get(place(world), "supplier").json()["items"]) == 2


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"valid_until": NOW - 1}, "it has expired"),
        ({"epoch": 0}, "something has happened to the milestone since it was signed"),
        ({"held": HELD - 1}, "something has happened to the milestone since it was signed"),
    ],
)
def test_a_void_offer_is_refused_with_the_reason(
    world: World, changed: dict[str, int], why: str
) -> None:
    answer = hand_in(world, file_of(world, offer_of(world, **changed)))
    body = answer.json()
    assert (answer.status_code, body["type"].rpartition(":")[2]) == (409, "offer-void")
    assert body["detail"] == f"the offer of 'foundation' is void: {why}"
    assert body["hint"] == "ask the payee for a new one"
    assert world.get(place(world), "buyer").json()["items"] == []


def test_only_the_payee_sells(world: World) -> None:
    answer = hand_in(world, file_of(world, offer_of(world), role="buyer"))
    assert answer.status_code == 409
    assert "whom the milestone pays, did not sign it" in answer.json()["detail"]


def test_a_forged_signature_is_refused(world: World) -> None:
    file = file_of(world, offer_of(world))
    file["acts"][0]["message"]["price"] = "1"
    answer = hand_in(world, file)
    assert answer.status_code == 422
    assert "is not by" in answer.json()["detail"]


def test_a_contract_that_is_the_payee_signs_by_erc_1271(make: Callable[..., World]) -> None:
    wallets = Accepting(b"by two of three")
    for known, status in ((wallets, 201), (None, 422)):
        world = make(wallets=known)
        file = file_of(world, offer_of(world))
        supplier = signer("supplier").address
        file["acts"][0]["signatures"] = {supplier: "0x" + b"by two of three".hex()}
        assert hand_in(world, file).status_code == status
    assert wallets.accounts == [supplier]


def test_a_file_about_something_else_is_refused(world: World) -> None:
    submission = Submission(world.deal.id, FOUNDATION, ZERO_HASH, 1, NOW + 60)
    other = offer_of(world)
    for file, milestone, why in (
        (file_of(world, submission), FOUNDATION, "this is a submission and not an offer"),
        (file_of(world, other), WALLS, "the offer is of another milestone than the path names"),
    ):
        answer = hand_in(world, file, milestone)
        assert (answer.status_code, answer.json()["detail"]) == (422, why)
