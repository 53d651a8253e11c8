"""An agreement becomes a hash, terms, an id, and signatures."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from milestone_escrow.documents.agreement import Agreement, DeploymentLike
from milestone_escrow.errors import DocumentError, UsageError
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS
from milestone_escrow.protocol.signatures import Signer, recover
from milestone_escrow.protocol.terms import agreement_id, validate_terms
from milestone_escrow.protocol.token import Token

Load = Callable[..., Agreement]
USDC = Token("USDC", "0x1c7D4B196Cb0C7B01d743Fbc6116a902379C7238", 6)


def test_terms_say_what_the_file_says(agreement: Agreement) -> None:
    terms, milestones = agreement.terms(USDC)
    assert terms.buyer == agreement.people["buyer"]
    assert terms.supplier == agreement.people["supplier"]
    assert terms.arbiter == agreement.people["arbiter"]
    assert terms.token == USDC.address
    assert (terms.objection_period, terms.review_period) == (172_800, 0)
    assert (terms.arbitration_period, terms.default_payee_bps) == (2_592_000, 5_000)
    assert (terms.fee_recipient, terms.fee_bps, terms.salt) == (ZERO_ADDRESS, 0, 0)
    assert terms.document_hash == agreement.document_hash
    assert [m.amount for m in milestones] == [1_000_000_000, 5_000_000_000, 4_000_000_000]


def test_verifiers_ascend_and_sets_name_the_right_ones(agreement: Agreement) -> None:
    terms, milestones = agreement.terms(USDC)
    assert [int(v, 16) for v in terms.verifiers] == sorted(int(v, 16) for v in terms.verifiers)
    assert terms.verifiers_of(milestones[1]) == (agreement.people["inspector"],)
    assert milestones[2].verifier_set == 0b111
    assert (milestones[1].quorum, milestones[2].quorum) == (1, 2)


def test_the_contract_would_take_the_terms(agreement: Agreement) -> None:
    terms, milestones = agreement.terms(USDC)
    validate_terms(terms, milestones, contract="0x" + "f" * 40, now=agreement.starts_at)


def test_a_fee_and_a_salt_reach_the_terms(load: Load) -> None:
    account = "0xE57bFE9F44b819898F47BF37E5AF72a0783e1141"
    agreement = load(
        ("fee: none", f"fee: 0.5 % to {account}"), ("format: 1", "format: 1\nsalt: 0x10")
    )
    terms, _ = agreement.terms(USDC)
    assert (terms.fee_bps, terms.fee_recipient, terms.salt) == (50, account, 16)


def test_refuses_a_token_of_another_symbol_or_size(agreement: Agreement) -> None:
    with pytest.raises(UsageError, match="pays in USDC, not in EURC"):
        agreement.terms(Token("EURC", USDC.address, 6))
    with pytest.raises(UsageError, match="decimals: 18"):
        agreement.terms(Token("USDC", USDC.address, 18))


def test_an_unknown_token_needs_its_decimals(load: Load) -> None:
    agreement = load(('price: "10,000.00 USDC"', 'price: "10,000.00 ABC"\n  decimals: 2'))
    assert agreement.price == 1_000_000
    assert agreement.amount(agreement.price) == "10,000.00 ABC"


def test_the_document_hash_can_be_checked_with_public_tools(plain: str) -> None:
    tree = yaml.load(plain, Loader=yaml.BaseLoader)  # noqa: S506
    text = json.dumps(tree, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    agreement = Agreement.loads(plain)
    assert agreement.canonical_json() == text.encode()
    assert agreement.document_hash == hashlib.sha256(text.encode()).digest()


def test_the_document_hash_covers_attachments(load: Load, tmp_path: Path) -> None:
    plan = tmp_path / "plan.txt"
    attached = ("format: 1", "format: 1\nattachments: [plan.txt]")
    plan.write_text("oak")
    first = load(attached)
    assert first.attachments[0].sha256 == hashlib.sha256(b"oak").hexdigest()
    plan.write_text("pine")
    assert load(attached).document_hash != first.document_hash


def test_a_hash_cannot_be_given_by_hand(load: Load) -> None:
    attached = f"attachments: [{{name: plan.txt, sha256: {'0' * 64}}}]"
    with pytest.raises(DocumentError, match="gives a hash by hand"):
        load(("format: 1", f"format: 1\n{attached}"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_comments_order_and_layout_do_not_change_the_hash(plain: str, data: st.DataObject) -> None:
    tree = yaml.load(plain, Loader=yaml.BaseLoader)  # noqa: S506
    layout = data.draw(st.booleans())
    shuffled = yaml.dump(_shuffled(tree, data), sort_keys=False, default_flow_style=layout)
    again = Agreement.loads(f"# another comment\n{shuffled}")
    assert again.document_hash == Agreement.loads(plain).document_hash
    assert again.terms(USDC) == Agreement.loads(plain).terms(USDC)


def _shuffled(tree: object, data: st.DataObject) -> object:
    if isinstance(tree, dict):
        names = data.draw(st.permutations(list(tree)))
        return {name: _shuffled(tree[name], data) for name in names}
    return [_shuffled(item, data) for item in tree] if isinstance(tree, list) else tree


@pytest.mark.parametrize(
    ("old", "new"), [("oiled", "waxed"), ("2027-04-10", "2027-04-11"), ("German law", "Danish law")]
)
def test_any_other_word_changes_the_hash(load: Load, old: str, new: str) -> None:
    assert load((old, new)).document_hash != load().document_hash


def test_the_document_alone_gives_the_agreement_back(agreement: Agreement) -> None:
    again = Agreement.from_document(json.loads(agreement.canonical_json()))
    assert again.document_hash == agreement.document_hash
    assert again.terms(USDC) == agreement.terms(USDC)


def test_milestones_are_found_by_key(agreement: Agreement) -> None:
    assert [agreement.index(m.key) for m in agreement.milestones] == [0, 1, 2]
    with pytest.raises(UsageError, match="did you mean 'delivered'") as caught:
        agreement.index("delivred")
    assert "deposit, built, delivered" in str(caught.value)


def test_people_are_found_by_role_and_by_account(agreement: Agreement) -> None:
    assert list(agreement.people) == [
        "buyer", "supplier", "inspector", "forwarder", "bank", "arbiter",
    ]  # fmt: skip
    assert agreement.roles(agreement.people["bank"]) == ("bank",)
    assert agreement.name("bank") == "Hansa Trade Desk"
    assert agreement.short_name("supplier") == "Tischlerei Holm"


def test_the_id_is_the_digest_that_both_sides_sign(
    agreement: Agreement, deployment: DeploymentLike, buyer: Signer, supplier: Signer
) -> None:
    bound = agreement.on(deployment)
    assert bound.id == agreement_id(bound.domain, bound.terms, bound.milestones)
    for signer in (buyer, supplier):
        assert recover(bound.id, agreement.sign(signer, deployment)) == signer.address


def test_a_stranger_cannot_sign(
    agreement: Agreement, deployment: DeploymentLike, stranger: Signer
) -> None:
    with pytest.raises(UsageError, match="is not a party") as caught:
        agreement.sign(stranger, deployment)
    assert agreement.people["buyer"] in str(caught.value)
    assert agreement.people["supplier"] in str(caught.value)


def test_a_verifier_confirms_instead_of_signing(
    agreement: Agreement, deployment: DeploymentLike, inspector: Signer
) -> None:
    bound = agreement.on(deployment)
    with pytest.raises(UsageError, match="as inspector, confirm the role"):
        bound.sign(inspector)
    digest = bound.appointment("inspector").typed_data(bound.domain).digest()
    assert recover(digest, bound.appoint("inspector", inspector)) == inspector.address


def test_only_the_account_of_a_role_confirms_it(
    agreement: Agreement, deployment: DeploymentLike, arbiter: Signer
) -> None:
    bound = agreement.on(deployment)
    with pytest.raises(UsageError, match="is not the account of inspector"):
        bound.appoint("inspector", arbiter)
    for role in ("buyer", "nobody"):
        with pytest.raises(UsageError, match="is not appointed"):
            bound.appoint(role, arbiter)
