"""fundWithAuthorization: an ERC-3009 authorization pays for exactly these milestones."""

from __future__ import annotations

from dataclasses import replace

import pytest
from eth_abi import encode
from eth_utils import keccak

from milestone_escrow.protocol.eip712 import Domain, Field, Struct, TypedData
from milestone_escrow.protocol.lifecycle import Status
from milestone_escrow.protocol.signatures import compact
from tests.contracts.support.contract import Contract, Refused, refuses
from tests.contracts.support.deal import AMOUNT, DEADLINE, Deal, make_milestone
from tests.contracts.support.evm import CHAIN_ID, GENESIS, Reverted
from tests.contracts.support.paying import (
    AUTHORIZATION,
    Authorization,
    authorization,
    fund_with_authorization,
    nonce_of,
    token_domain,
)
from tests.contracts.support.people import person
from tests.contracts.support.tokens import hostile_token
from tests.contracts.support.world import RICH, World, account, branch

U, F, S = Status.UNFUNDED, Status.FUNDED, Status.SETTLED
DEPOSIT = make_milestone(amount=1_001, deadline=0, pays_on_silence=True)


@pytest.fixture
def world(world: World) -> World:
    """Nothing is approved: only authorizations move money."""
    world.token.send("approve", world.escrow.address, 0, by=account("buyer"))
    return world


def _token_error(world: World, name: str) -> bytes:
    (entry,) = (e for e in world.token.artifact.abi if e.get("name") == name)
    kinds = ",".join(item["type"] for item in entry["inputs"])
    return bytes(keccak(text=f"{name}({kinds})")[:4])


def _refused_by_token(world: World, deal: Deal, error: str, *args: object, **kw: object) -> None:
    """The token refuses, with its own error, and nothing changes."""
    root = world.chain.root
    with pytest.raises(Reverted) as caught:
        fund_with_authorization(world, deal, *args, **kw)  # type: ignore[arg-type]
    assert caught.value.data[:4] == _token_error(world, error)
    assert world.chain.root == root


INVALID = "ERC3009InvalidSignature"


@pytest.mark.parametrize("caller", ["stranger", "buyer", "supplier"])
def test_a_relayer_brings_the_gas_and_the_payer_the_money(world: World, caller: str) -> None:
    deal = world.opened(make_milestone(), make_milestone(amount=5), make_milestone(amount=7))
    outcome = fund_with_authorization(world, deal, 0b101, by=caller)
    assert RICH - world.balance("buyer") == AMOUNT + 7
    assert world.balance(world.escrow.address) == AMOUNT + 7
    assert [state.status for state in world.states(deal)] == [F, U, F]
    assert outcome.names == ["MilestonesFunded"]
    assert outcome.event("MilestonesFunded") == {
        "agreementId": deal.id,
        "funder": account("buyer"),
        "milestones": 0b101,
        "amount": AMOUNT + 7,
    }


def test_the_nonce_commits_to_the_agreement_and_the_milestones(world: World) -> None:
    deal = world.opened()
    fund_with_authorization(world, deal, 1)
    nonce = keccak(encode(["bytes32", "uint256"], [deal.id, 1]))
    assert nonce == nonce_of(deal, 1)
    assert world.token.call("authorizationState", account("buyer"), nonce)


@pytest.mark.parametrize("chosen", [0b01, 0b10])
def test_refuses_other_milestones_than_were_signed(world: World, chosen: int) -> None:
    """Of the same price: the nonce alone differs."""
    deal = world.opened(make_milestone(), make_milestone())
    given = authorization(world, deal, chosen)
    _refused_by_token(world, deal, INVALID, chosen ^ 0b11, given)
    fund_with_authorization(world, deal, chosen, given)


def test_refuses_another_agreement_than_was_signed(world: World) -> None:
    """Same parties, same price, another salt."""
    deal, other = world.opened(salt=1), world.opened(salt=2)
    _refused_by_token(world, other, INVALID, 1, authorization(world, deal, 1))


def test_refuses_another_amount_than_was_signed(world: World) -> None:
    deal = world.opened()
    for value in (AMOUNT - 1, AMOUNT + 1, 0):
        given = authorization(world, deal, 1, value=value)
        _refused_by_token(world, deal, INVALID, 1, given)


def test_refuses_an_authorization_for_someone_else(world: World) -> None:
    deal = world.opened()
    given = authorization(world, deal, 1, to=account("stranger"))
    _refused_by_token(world, deal, INVALID, 1, given)


@pytest.mark.parametrize("change", [{"chain_id": 1}, {"verifying_contract": "0x" + "12" * 20}])
def test_refuses_an_authorization_of_another_token(world: World, change: dict[str, object]) -> None:
    deal = world.opened()
    given = authorization(world, deal, 1)
    domain = replace(token_domain(world.token), **change)  # type: ignore[arg-type]
    signed = person("buyer").sign(given.typed_data(domain))
    _refused_by_token(world, deal, INVALID, 1, given, signature=signed)


def test_an_authorization_to_transfer_is_none_to_receive(world: World) -> None:
    """The one that anybody may use at the token itself."""
    deal = world.opened()
    data = authorization(world, deal, 1).typed_data(token_domain(world.token))
    transfer = replace(data, struct=replace(AUTHORIZATION, name="TransferWithAuthorization"))
    signed = person("buyer").sign(transfer)
    _refused_by_token(world, deal, INVALID, 1, signature=signed)


def test_nobody_else_can_use_the_authorization_at_the_token(world: World) -> None:
    deal = world.opened()
    given = authorization(world, deal, 1)
    signed = person("buyer").sign(given.typed_data(token_domain(world.token)))
    r, s, v = signed[:32], signed[32:64], signed[64]
    arguments = (account("buyer"), given.to, given.value, 0, given.valid_before, given.nonce)
    with refuses("ERC20InvalidReceiver", receiver=world.escrow.address):
        world.token.send("receiveWithAuthorization", *arguments, v, r, s, by=account("stranger"))
    fund_with_authorization(world, deal, 1, signature=signed)


@pytest.mark.parametrize("signer", ["supplier", "stranger"])
def test_refuses_the_signature_of_anyone_but_the_payer(world: World, signer: str) -> None:
    deal = world.opened()
    data = authorization(world, deal, 1).typed_data(token_domain(world.token))
    _refused_by_token(world, deal, INVALID, 1, signature=person(signer).sign(data))


@pytest.mark.parametrize(
    ("after", "before", "works"),
    [(-1, 1, True), (0, 9, False), (1, 9, False), (-9, 0, False), (-9, -1, False)],
)
def test_works_within_its_time_and_no_second_around(
    world: World, after: int, before: int, works: bool
) -> None:
    """ERC-3009: strictly after and strictly before."""
    deal = world.opened()
    times = {"valid_after": GENESIS + after, "valid_before": GENESIS + before}
    given = authorization(world, deal, 1, **times)
    if works:
        fund_with_authorization(world, deal, 1, given)
        assert world.state(deal).status is F
    else:
        _refused_by_token(world, deal, "ERC3009InvalidAuthorizationTime", 1, given)


def test_does_not_work_twice(world: World) -> None:
    deal = world.opened()
    fund_with_authorization(world, deal, 1)
    with refuses("WrongStatus", milestone=0, current=1, allowed=1):
        fund_with_authorization(world, deal, 1)
    assert RICH - world.balance("buyer") == AMOUNT


def test_a_payer_who_changed_its_mind_cancels_at_the_token(world: World) -> None:
    deal = world.opened()
    cancel = Struct(
        "CancelAuthorization", (Field("address", "authorizer"), Field("bytes32", "nonce"))
    )
    message = {"authorizer": account("buyer"), "nonce": nonce_of(deal, 1)}
    signed = person("buyer").sign(TypedData(token_domain(world.token), cancel, message))
    parts = (signed[64], signed[:32], signed[32:64])
    world.token.send("cancelAuthorization", account("buyer"), nonce_of(deal, 1), *parts)
    _refused_by_token(world, deal, "ERC3009UsedAuthorization", 1)


def test_anyone_may_pay_and_a_refund_goes_to_the_buyer(world: World) -> None:
    deal = world.opened()
    world.token.send("mint", account("stranger"), AMOUNT)
    given = authorization(world, deal, 1, payer="stranger")
    outcome = fund_with_authorization(world, deal, 1, given, by="supplier")
    assert outcome.event("MilestonesFunded")["funder"] == account("stranger")
    world.now = DEADLINE
    world.finalize(deal)
    assert world.balance("buyer") == RICH + AMOUNT


def test_paying_is_no_consent(world: World) -> None:
    """The buyer's authorization for an agreement that it never signed pays nothing."""
    deal = world.deal()
    with refuses("AgreementNotOpen", agreementId=deal.id):
        fund_with_authorization(world, deal, 1)


@pytest.mark.parametrize("chosen", [0, 0b10, 0b11, 2**60, 2**256 - 1])
def test_refuses_none_and_unknown_milestones(world: World, chosen: int) -> None:
    deal = world.opened()
    with refuses("UnknownMilestones", asked=chosen, count=1):
        fund_with_authorization(world, deal, chosen)


@pytest.mark.parametrize("late", [-1, 0])
def test_funds_until_a_second_before_the_deadline(world: World, late: int) -> None:
    deal = world.opened()
    world.now = DEADLINE + late
    if late:
        fund_with_authorization(world, deal, 1)
        assert world.state(deal).status is F
    else:
        with refuses("TooLate", nowAt=DEADLINE, end=DEADLINE):
            fund_with_authorization(world, deal, 1)


def test_a_deposit_goes_on_to_the_supplier_at_once(world: World) -> None:
    deal = world.opened(DEPOSIT, make_milestone(), fee_bps=50, fee_recipient=account("broker"))
    outcome = fund_with_authorization(world, deal, 0b11)
    assert outcome.names == ["MilestonesFunded", "MilestonePaid"]
    assert (world.balance("supplier"), world.balance("broker")) == (996, 5)
    assert [state.status for state in world.states(deal)] == [S, F]


def test_a_payer_without_money_changes_nothing(world: World) -> None:
    deal = world.opened()
    given = authorization(world, deal, 1, payer="stranger")
    _refused_by_token(world, deal, "ERC20InsufficientBalance", 1, given)


def test_a_denylisted_payer_changes_nothing(world: World) -> None:
    deal = world.opened()
    world.token.send("setDenylisted", account("buyer"), True)
    _refused_by_token(world, deal, "Denylisted", 1)


@pytest.mark.parametrize("length", [0, 1, 64, 66, 130])
def test_other_lengths_go_to_the_tokens_own_judgement(world: World, length: int) -> None:
    """OpenZeppelin's token has no form for them, so the call ends there."""
    deal = world.opened()
    with pytest.raises(Reverted):
        fund_with_authorization(world, deal, 1, signature=b"\x01" * length)
    assert world.state(deal).status is U


# Tokens of other kinds.


def test_a_token_without_authorizations_is_refused(world: World) -> None:
    token = hostile_token(world)
    deal = world.opened(token=token.address)
    with pytest.raises(Reverted):
        fund_with_authorization(world, deal, 1, signature=b"\x01" * 65)
    assert world.state(deal).status is U


def test_an_address_without_code_is_no_token(world: World) -> None:
    nobody = account("nobody")
    deal = world.opened(token=nobody)
    with refuses("TokenWithoutCode", token=nobody):
        fund_with_authorization(world, deal, 1, signature=b"\x01" * 65)


@pytest.fixture
def liar(world: World) -> Contract:
    return world.add_token(world.deploy("LyingToken"))


@pytest.mark.parametrize("form", [65, 20], ids=["v, r, s", "bytes"])
@pytest.mark.parametrize("delivers", [0, 9_999, 10_001, 20_000])
def test_a_token_that_accepts_anything_must_still_deliver(
    world: World, liar: Contract, delivers: int, form: int
) -> None:
    """Whatever it says of the signature: the contract counts what arrived."""
    deal = world.opened(token=liar.address)
    liar.send("behave", delivers, False)
    received = AMOUNT * delivers // 10_000
    with refuses("InexactTransfer", asked=AMOUNT, received=received):
        fund_with_authorization(world, deal, 1, signature=b"\x01" * form)
    assert world.state(deal).status is U


@pytest.mark.parametrize("form", [65, 20], ids=["v, r, s", "bytes"])
def test_a_token_that_delivers_may_believe_whom_it_likes(
    world: World, liar: Contract, form: int
) -> None:
    deal = world.opened(token=liar.address)
    fund_with_authorization(world, deal, 1, signature=b"\x01" * form)
    assert world.state(deal).status is F


def test_a_token_that_calls_back_funds_nothing_twice(world: World, liar: Contract) -> None:
    """Locked: the transfer of one funding cannot pass for that of two."""
    deal = world.opened(make_milestone(), make_milestone(), token=liar.address)
    again = (account("buyer"), 0, 2**40, b"\x01" * 65)
    inner = world.escrow.data(
        "fundWithAuthorization", deal.abi_terms, deal.abi_milestones, 0b10, again
    )
    liar.send("callBack", world.escrow.address, inner)
    fund_with_authorization(world, deal, 0b01, signature=b"\x01" * 65)
    assert not liar.call("reentered")
    assert liar.call("answer") == keccak(text="ReentrancyGuardReentrantCall()")[:4]
    assert [state.status for state in world.states(deal)] == [F, U]


def test_a_callback_that_donates_cannot_pass_for_the_transfer(world: World, liar: Contract) -> None:
    deal = world.opened(token=liar.address)
    liar.send("behave", 0, False)
    liar.send("callBack", liar.address, liar.data("mint", world.escrow.address, AMOUNT - 1))
    with refuses("InexactTransfer", asked=AMOUNT, received=AMOUNT - 1):
        fund_with_authorization(world, deal, 1, signature=b"\x01" * 65)


# A token as Circle writes them: its own domain, and signatures as bytes for contract wallets.


@pytest.fixture
def usdc(world: World) -> Contract:
    token = world.deploy("FiatToken")
    issuer = account("operator")
    token.send("initialize", issuer, issuer, issuer)
    token.send("configureMinter", issuer, RICH, by=issuer)
    token.send("mint", account("buyer"), 10 * AMOUNT, by=issuer)
    world.tokens[token.address] = token
    return token


def _usdc_domain(usdc: Contract) -> Domain:
    return Domain(CHAIN_ID, usdc.address, "USDC", "2")


def _sign(usdc: Contract, given: Authorization, signer: str) -> bytes:
    return person(signer).sign(given.typed_data(_usdc_domain(usdc)))


def test_an_account_pays_by_key(world: World, usdc: Contract) -> None:
    deal = world.opened(token=usdc.address)
    given = authorization(world, deal, 1)
    fund_with_authorization(world, deal, 1, given, signature=_sign(usdc, given, "buyer"))
    assert world.balance("buyer", usdc) == 9 * AMOUNT


def test_a_contract_wallet_pays_by_its_owners_key(world: World, usdc: Contract) -> None:
    """65 bytes go through v, r, s, and the token asks the wallet."""
    wallet = world.deploy("OwnedWallet", account("owner"), False).address
    usdc.send("transfer", wallet, AMOUNT, by=account("buyer"))
    deal = world.opened(token=usdc.address)
    given = authorization(world, deal, 1, payer=wallet)
    fund_with_authorization(world, deal, 1, given, signature=_sign(usdc, given, "owner"))
    assert world.balance(wallet, usdc) == 0


@pytest.mark.parametrize("length", [1, 64, 200])
def test_a_contract_wallet_pays_by_signatures_of_other_lengths(
    world: World, usdc: Contract, length: int
) -> None:
    wallet = world.deploy("HostileWallet", 0).address
    usdc.send("transfer", wallet, AMOUNT, by=account("buyer"))
    deal = world.opened(token=usdc.address)
    given = authorization(world, deal, 1, payer=wallet)
    fund_with_authorization(world, deal, 1, given, signature=b"\x01" * length)
    assert world.state(deal).status is F


def test_a_wallet_that_says_no_pays_nothing(world: World, usdc: Contract) -> None:
    wallet = world.deploy("HostileWallet", 1).address
    usdc.send("transfer", wallet, AMOUNT, by=account("buyer"))
    deal = world.opened(token=usdc.address)
    given = authorization(world, deal, 1, payer=wallet)
    with pytest.raises((Refused, Reverted)):
        fund_with_authorization(world, deal, 1, given, signature=b"\x01")
    assert world.balance(wallet, usdc) == AMOUNT


def test_short_signatures_of_keys_are_not_for_such_tokens(world: World, usdc: Contract) -> None:
    """64 bytes reach the token as bytes; it takes 65 of an account with a key."""
    deal = world.opened(token=usdc.address)
    given = authorization(world, deal, 1)
    short = compact(_sign(usdc, given, "buyer"))
    for signature, works in ((short, False), (_sign(usdc, given, "buyer"), True)):
        here = branch(world)
        if works:
            fund_with_authorization(here, deal, 1, given, signature=signature)
        else:
            with pytest.raises(Reverted):
                fund_with_authorization(here, deal, 1, given, signature=signature)


def test_a_paused_token_changes_nothing(world: World, usdc: Contract) -> None:
    deal = world.opened(token=usdc.address)
    usdc.send("pause", by=account("operator"))
    given = authorization(world, deal, 1)
    with pytest.raises(Reverted):
        fund_with_authorization(world, deal, 1, given, signature=_sign(usdc, given, "buyer"))
    assert world.state(deal).status is U
