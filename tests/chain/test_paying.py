"""Paying in: by allowance, by a permit in the same transaction, by an authorization."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from milestone_escrow import Escrow
from milestone_escrow.chain.contract.codec import interface
from milestone_escrow.chain.contract.events import MilestonesFunded
from milestone_escrow.chain.contract.structs import OpenedAgreement
from milestone_escrow.chain.contract.token_support import Way
from milestone_escrow.chain.contract.tokens import push_refusal
from milestone_escrow.chain.deploy.compiler import Artifact
from milestone_escrow.chain.refusals.attempts import Attempt
from milestone_escrow.chain.send.transactions import Transactor
from milestone_escrow.errors import ContractError, UsageError
from milestone_escrow.keys import DevSigner
from milestone_escrow.protocol.eip712 import Address, Domain
from milestone_escrow.protocol.lifecycle import Status
from milestone_escrow.protocol.paying import SignedAuthorization
from milestone_escrow.protocol.signatures import compact
from milestone_escrow.protocol.terms import DAY
from milestone_escrow.protocol.token import Token
from tests.chain.conftest import AMOUNT
from tests.chain.tokens import call, consents, deploy, in_token
from tests.support.delegation import let_rehash


@pytest.fixture
def paying(escrow: Escrow, buyer: DevSigner) -> Escrow:
    """The buyer with money and no allowance."""
    acting = escrow.acting_as(buyer)
    acting.allow("USDC", 0)
    return acting


@pytest.fixture
def opened(
    paying: Escrow, deal: OpenedAgreement, signatures: Mapping[Address, bytes]
) -> OpenedAgreement:
    paying.open(deal, signatures)
    return deal


@pytest.fixture
def plain(escrow: Escrow, artifacts: Mapping[str, Artifact], buyer: DevSigner) -> Address:
    """A token that knows neither permits nor authorizations."""
    return deploy(escrow, artifacts, "PlainToken", buyer.address)


@pytest.fixture
def fiat(escrow: Escrow, artifacts: Mapping[str, Artifact], buyer: DevSigner) -> Address:
    """A token like the issuer's: no EIP-5267, another version than "1"."""
    return deploy(escrow, artifacts, "FiatToken", buyer.address)


def test_what_tokens_take_is_read_from_them(escrow: Escrow, plain: Address, fiat: Address) -> None:
    usdc = escrow.token("USDC").address
    chain = escrow.network.chain_id
    known = escrow.token_support(usdc)
    assert known.ways == ("allowance", "permit", "authorization")
    assert known.domain == Domain(chain, usdc, "USD Coin", "1")
    circle = escrow.token_support(fiat)
    assert circle.ways == ("allowance", "permit", "authorization")
    assert circle.domain == Domain(chain, fiat, "USDC", "2")
    assert escrow.token_support(plain).ways == ("allowance",)
    assert escrow.token_support(plain).domain is None
    nobody = escrow.token_support(DevSigner(9).address)
    assert (nobody.ways, nobody.domain) == (("allowance",), None)


def test_without_an_allowance_a_permit_comes_along(
    paying: Escrow, opened: OpenedAgreement, buyer: DevSigner
) -> None:
    usdc = paying.token("USDC")
    assert paying.way_to_pay(usdc.address, AMOUNT, buyer.address) == "permit"
    (funded,) = paying.fund(opened, [1]).events
    assert isinstance(funded, MilestonesFunded)
    assert (funded.funder, funded.amount) == (buyer.address, AMOUNT)
    assert paying.allowance(usdc, buyer.address) == 0


def test_an_allowance_that_is_there_is_used(
    paying: Escrow, opened: OpenedAgreement, buyer: DevSigner
) -> None:
    usdc = paying.token("USDC")
    paying.allow("USDC", AMOUNT + 5)
    assert paying.way_to_pay(usdc.address, AMOUNT, buyer.address) == "allowance"
    paying.fund(opened, [1])
    assert paying.allowance(usdc, buyer.address) == 5


def test_opening_and_funding_by_permit_is_one_transaction(
    paying: Escrow, deal: OpenedAgreement, signatures: Mapping[Address, bytes]
) -> None:
    before = paying.chain.head.number
    paying.open(deal, signatures, fund=[0, 1])
    assert paying.chain.head.number == before + 1
    assert [state.status for state in paying.states(deal)[:3]] == [
        Status.SETTLED,
        Status.FUNDED,
        Status.UNFUNDED,
    ]


def test_a_permit_that_somebody_used_already_does_no_harm(
    paying: Escrow, opened: OpenedAgreement, stranger: DevSigner, buyer: DevSigner
) -> None:
    usdc = paying.token("USDC")
    signed = paying.sign_permit(usdc.address, AMOUNT)
    asked = signed.permit
    use = interface("TestUSDC").call(
        "permit", asked.owner, asked.spender, asked.value, asked.deadline, *signed.vrs
    )
    transactor = Transactor(paying.node, paying.network)
    prepared = transactor.prepare(usdc.address, use, Attempt("permit", stranger.address))
    transactor.send(prepared, stranger)
    assert paying.allowance(usdc, buyer.address) == AMOUNT
    paying.send(paying.prepare.fund(opened, [1], permit=signed))
    assert paying.states(opened)[1].status is Status.FUNDED


def test_a_permit_that_is_not_enough_says_so(paying: Escrow, opened: OpenedAgreement) -> None:
    signed = paying.sign_permit(paying.token("USDC").address, AMOUNT - 1)
    with pytest.raises(ContractError, match="must allow the amount first"):
        paying.prepare.fund(opened, [1], permit=signed)


def test_a_permit_that_the_token_refuses_says_why(
    paying: Escrow, opened: OpenedAgreement, stranger: DevSigner
) -> None:
    token = paying.token("USDC").address
    signed, forged = paying.sign_permit(token, AMOUNT), paying.acting_as(stranger)
    other = replace(signed, signature=forged.sign_permit(token, AMOUNT).signature)
    with pytest.raises(ContractError, match="the permit is not signed by"):
        paying.prepare.fund(opened, [1], permit=other)
    paying.chain.warp(2 * DAY)
    with pytest.raises(ContractError, match="the permit was valid until"):
        paying.prepare.fund(opened, [1], permit=signed)


@pytest.mark.parametrize(
    "form", [compact, lambda s: s[:64] + bytes([s[64] - 27])], ids=["64 bytes", "v 0/1"]
)
def test_tokens_get_signatures_as_they_take_them(
    paying: Escrow,
    opened: OpenedAgreement,
    stranger: DevSigner,
    form: Callable[[bytes], bytes],
) -> None:
    permit = paying.sign_permit(paying.token("USDC").address, AMOUNT)
    other = replace(permit, signature=form(permit.signature))
    assert other.signature != permit.signature
    assert paying.prepare.fund(opened, [1], permit=other).gas > 0
    given = paying.sign_authorization(opened, [1, 2], valid_for=DAY)
    other_given = replace(given, signature=form(given.signature))
    assert paying.acting_as(stranger).fund_authorized(opened, [1, 2], other_given).events


def test_a_permit_works_only_for_who_sends(
    paying: Escrow, opened: OpenedAgreement, stranger: DevSigner
) -> None:
    signed = paying.sign_permit(paying.token("USDC").address, AMOUNT)
    with pytest.raises(UsageError, match="works only for who sends"):
        paying.prepare_for(stranger.address).fund(opened, [1], permit=signed)


def test_somebody_else_brings_the_gas_for_an_authorization(
    paying: Escrow, opened: OpenedAgreement, buyer: DevSigner, stranger: DevSigner
) -> None:
    usdc = paying.token("USDC")
    before = paying.balance(usdc, buyer.address)
    signed = paying.sign_authorization(opened, [1, 2], valid_for=DAY)
    (funded,) = paying.acting_as(stranger).fund_authorized(opened, [1, 2], signed).events
    assert isinstance(funded, MilestonesFunded)
    assert (funded.funder, funded.milestones) == (buyer.address, (1, 2))
    assert paying.balance(usdc, buyer.address) == before - 2 * AMOUNT
    with pytest.raises(ContractError, match="is funded"):
        paying.acting_as(stranger).fund_authorized(opened, [1, 2], signed)


def test_the_payer_may_use_an_authorization_too(
    paying: Escrow, deal: OpenedAgreement, signatures: Mapping[Address, bytes]
) -> None:
    paying.open(deal, signatures, fund=[1], how="authorization")
    paying.fund(deal, [2], how="authorization")
    assert paying.unfunded(deal) == (0, 3, 4)


def test_an_authorization_pays_for_nothing_else(
    paying: Escrow, opened: OpenedAgreement, stranger: DevSigner
) -> None:
    signed = paying.sign_authorization(opened, [1])
    acting = paying.acting_as(stranger)
    with pytest.raises(UsageError, match="other milestones"):
        acting.fund_authorized(opened, [2], signed)
    later = replace(signed.authorization, valid_before=signed.authorization.valid_before + 1)
    with pytest.raises(ContractError, match="did not sign this authorization"):
        acting.fund_authorized(opened, [1], SignedAuthorization(later, signed.signature))
    paying.chain.warp(8 * DAY)
    with pytest.raises(ContractError, match="counts only between"):
        acting.fund_authorized(opened, [1], signed)


@pytest.mark.parametrize("how", ["permit", "authorization", None])
def test_the_issuers_token_is_paid_in_every_way(
    escrow: Escrow, deal: OpenedAgreement, fiat: Address, buyer: DevSigner, how: str | None
) -> None:
    acting, ours = escrow.acting_as(buyer), in_token(escrow, deal, fiat)
    acting.open(ours, consents(escrow, ours), fund=[1], how=how)  # type: ignore[arg-type]
    assert escrow.states(ours)[1].status is Status.FUNDED


def test_a_paused_token_says_so(
    escrow: Escrow, deal: OpenedAgreement, fiat: Address, buyer: DevSigner
) -> None:
    acting, ours = escrow.acting_as(buyer), in_token(escrow, deal, fiat)
    acting.open(ours, consents(escrow, ours))
    pause = bytes.fromhex("8456cb59")
    escrow.chain.send_from(20, bytes.fromhex(fiat[2:]), pause)
    for how in ("permit", "authorization"):
        with pytest.raises(ContractError, match="has paused all transfers"):
            acting.fund(ours, [1], how=how)  # type: ignore[arg-type]


@pytest.mark.parametrize("how", [None, "permit", "authorization", "allowance"])
def test_another_account_is_advised_only_where_it_helps(
    escrow: Escrow, deal: OpenedAgreement, fiat: Address, buyer: DevSigner, how: Way | None
) -> None:
    acting, ours = escrow.acting_as(buyer), in_token(escrow, deal, fiat)
    acting.open(ours, consents(escrow, ours))
    if how == "allowance":
        acting.send(acting.prepare.allow(Token("USDC", fiat, 6), AMOUNT))
    call(escrow, fiat, "blacklist(address)", escrow.contract)
    with pytest.raises(ContractError, match="denylisted the escrow contract") as told:
        acting.fund(ours, [1], how=how)
    assert "no other account helps" in told.value.hint
    call(escrow, fiat, "unBlacklist(address)", escrow.contract)
    call(escrow, fiat, "blacklist(address)", buyer.address)
    refusal = push_refusal(escrow.node, fiat, escrow.contract, buyer.address, 1, withdraws=False)
    assert refusal == "Blacklistable: account is blacklisted"
    with pytest.raises(ContractError, match=r"denylisted (the buyer, )?0x7E5F") as told:
        acting.fund(ours, [1], how=how)
    assert "pay from another account" in told.value.hint


def test_a_token_without_either_needs_an_allowance(
    escrow: Escrow, deal: OpenedAgreement, plain: Address, buyer: DevSigner
) -> None:
    acting, ours = escrow.acting_as(buyer), in_token(escrow, deal, plain)
    acting.open(ours, consents(escrow, ours))
    for how in ("permit", "authorization"):
        with pytest.raises(UsageError, match=f"takes no {how}s; it takes allowance"):
            acting.fund(ours, [1], how=how)  # type: ignore[arg-type]
    with pytest.raises(ContractError, match="must allow the amount first"):
        acting.fund(ours, [1])
    acting.fund(ours, [1], allow=True)
    assert escrow.states(ours)[1].status is Status.FUNDED


def test_an_allowance_is_taken_back_where_the_token_wants_that_first(
    escrow: Escrow, artifacts: Mapping[str, Artifact], deal: OpenedAgreement, buyer: DevSigner
) -> None:
    old = deploy(escrow, artifacts, "OldDollar", buyer.address)
    acting, ours = escrow.acting_as(buyer), in_token(escrow, deal, old)
    token = Token("USDT", old, 6)
    acting.open(ours, consents(escrow, ours))
    (only,) = acting.prepare.allowing(token, 5)
    acting.send(only)
    first, second = acting.prepare.allowing(token, AMOUNT)
    assert first.gas > 0
    assert second.gas == 0
    acting.fund(ours, [1], allow=True)
    assert escrow.states(ours)[1].status is Status.FUNDED
    assert escrow.allowance(token, buyer.address) == 0


def test_an_account_with_code_pays_by_whatever_the_token_takes(
    paying: Escrow,
    artifacts: Mapping[str, Artifact],
    deal: OpenedAgreement,
    opened: OpenedAgreement,
    fiat: Address,
    buyer: DevSigner,
) -> None:
    ours = in_token(paying, deal, fiat)
    paying.open(ours, consents(paying, ours))
    let_rehash(paying.chain, artifacts, 1)
    # The test token asks the key.
    assert paying.usable_permit(opened.terms.token, AMOUNT)
    paying.fund(opened, [1])
    # The issuer's asks the code, and that takes nothing of the plain key.
    assert paying.usable_permit(fiat, AMOUNT) is None
    with pytest.raises(ContractError, match="may not take that many tokens"):
        paying.fund(ours, [1])
    with pytest.raises(ContractError, match="does not take this as the payer's signature"):
        paying.fund(ours, [1], how="authorization")
    paying.fund(ours, [1], allow=True)
    assert paying.states(ours)[1].status is Status.FUNDED
    assert paying.allowance(Token("USDC", fiat, 6), buyer.address) == 0


def test_a_contract_wallet_is_asked_for_no_permit(
    escrow: Escrow, artifacts: Mapping[str, Artifact], buyer: DevSigner
) -> None:
    code = bytes.fromhex(artifacts["PlainToken"].bytecode.removeprefix("0x"))
    wallet = escrow.chain.send_from(20, b"", code).created
    assert wallet is not None
    address = "0x" + wallet.hex()
    usdc = escrow.token("USDC").address
    call(escrow, usdc, "mint(address,uint256)", address, AMOUNT)
    assert escrow.way_to_pay(usdc, AMOUNT, address) == "allowance"


def test_buying_with_an_authorization_is_refused(paying: Escrow, opened: OpenedAgreement) -> None:
    paying.fund(opened, [1])
    offer = paying.acts.offer(opened, 1, 5)
    with pytest.raises(UsageError, match="pays milestones in, nothing else"):
        paying.buy_receivable(opened, offer, b"", how="authorization")
