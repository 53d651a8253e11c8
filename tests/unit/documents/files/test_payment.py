"""A payment that somebody else sends: what the file says must be what it pays for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from milestone_escrow.documents.agreement import Agreement, BoundAgreement, DeploymentLike
from milestone_escrow.documents.files.payment import SignedPayment, load_payment
from milestone_escrow.errors import DocumentError
from milestone_escrow.protocol.paying import (
    Authorization,
    SignedAuthorization,
    authorization_nonce,
    cost,
)

Write = Callable[..., Path]


@pytest.fixture
def bound(load: Callable[..., Agreement], deployment: DeploymentLike) -> BoundAgreement:
    return load().on(deployment)


@pytest.fixture
def payment(bound: BoundAgreement) -> SignedPayment:
    """The buyer's authorization for the deposit and what is built."""
    chosen = 0b011
    given = Authorization(
        payer=bound.terms.buyer,
        to=bound.domain.verifying_contract,
        value=cost(bound.milestones, chosen),
        valid_after=5,
        valid_before=1_900_000_000,
        nonce=authorization_nonce(bound.id, chosen),
    )
    keys = tuple(milestone.key for milestone in bound.agreement.milestones[:2])
    return SignedPayment(bound, keys, SignedAuthorization(given, b"\x07" * 65))


@pytest.fixture
def write(payment: SignedPayment, tmp_path: Path) -> Write:
    """The payment's file, after something was done to what it holds."""

    def written(spoil: Callable[[dict[str, Any]], object] = lambda body: None) -> Path:
        body = json.loads(payment.dumps())
        spoil(body)
        path = tmp_path / "payment.json"
        path.write_text(json.dumps(body))
        return path

    return written


def test_what_is_written_reads_as_the_same(
    payment: SignedPayment, bound: BoundAgreement, write: Write
) -> None:
    assert load_payment(write(), bound) == payment
    body = json.loads(payment.dumps())
    assert body["authorization"]["value"] == "6000000000"
    assert body["agreement"]["reference"] == "T-40"


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda body: body.pop("signature"), "it holds something else"),
        (lambda body: body.update(format="2"), "it holds something else"),
        (lambda body: body.update(more="x"), "it holds something else"),
        (lambda body: body["agreement"].update(id="0x" + "00" * 32), "is not about T-40"),
        (lambda body: body.update(milestones=[]), "its milestones do not exist"),
        (lambda body: body.update(milestones=["roof"]), "its milestones do not exist"),
        (lambda body: body.update(milestones="built"), "its milestones do not exist"),
        (lambda body: body.update(milestones=["built"]), "it pays for something else"),
        (lambda body: body.update(authorization=7), "authorization is not a group of fields"),
        (lambda body: body["authorization"].update(value="1"), "it pays for something else"),
        (lambda body: body["authorization"].update(value="-1"), "is not a whole number"),
        (lambda body: body["authorization"].update(validAfter=5), "is not a whole number"),
        (lambda body: body["authorization"].update(nonce="0x12"), "it pays for something else"),
        (
            lambda body: body["authorization"].update(to="0x" + "1" * 40),
            "it pays for something else",
        ),
        (lambda body: body["authorization"].pop("from"), "is not an account"),
        (lambda body: body.update(signature="0xzz"), "a value is not hexadecimal"),
        (lambda body: body.update(signature="07"), "a value is not hexadecimal"),
    ],
)
def test_a_file_that_pays_for_something_else_is_refused(
    bound: BoundAgreement,
    write: Write,
    spoil: Callable[[dict[str, Any]], object],
    complaint: str,
) -> None:
    with pytest.raises(DocumentError) as caught:
        load_payment(write(spoil), bound)
    assert complaint in str(caught.value)


def test_a_payment_for_another_agreement_is_refused(
    load: Callable[..., Agreement], deployment: DeploymentLike, write: Write
) -> None:
    other = load(("oiled", "waxed")).on(deployment)
    with pytest.raises(DocumentError, match="it belongs to another agreement"):
        load_payment(write(), other)
