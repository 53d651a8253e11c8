"""Signatures: what counts as one, and that none works anywhere but where it was meant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from eth_utils import keccak

from milestone_escrow.protocol.eip712 import ZERO_ADDRESS, Domain, TypedData
from milestone_escrow.protocol.lifecycle import Status
from milestone_escrow.protocol.signatures import compact
from tests.contracts.support.amendments import amend, amendment, revised
from tests.contracts.support.contract import Contract, Refused, refuses
from tests.contracts.support.deal import AMOUNT, FOREVER, Deal, make_milestone
from tests.contracts.support.evm import CHAIN_ID, GENESIS, Reverted
from tests.contracts.support.people import ORDER, join, malleable, person
from tests.contracts.support.statuses import reach
from tests.contracts.support.world import World, account

HALF = AMOUNT // 2
DIGEST = b"\x5a" * 32
WALLET_MODES = (
    "Yes",
    "WrongMagic",
    "Revert",
    "RevertWithMagic",
    "Nothing",
    "Short",
    "RightAligned",
    "HugeYes",
    "BurnGas",
    "ExpensiveYes",
    "DearYes",
    "Write",
)
WILLING = {"Yes", "HugeYes", "ExpensiveYes", "DearYes"}


@pytest.fixture
def harness(world: World) -> Contract:
    return world.deploy("Harness")


def _valid(harness: Contract, signer: str, signature: bytes, digest: bytes = DIGEST) -> bool:
    return bool(harness.call("isValidSignature", signer, digest, signature))


def test_takes_65_bytes_and_64_bytes(harness: Contract) -> None:
    signer = person("inspector")
    signature = signer.sign(DIGEST)
    assert _valid(harness, signer.address, signature)
    assert len(compact(signature)) == 64
    assert _valid(harness, signer.address, compact(signature))


@pytest.mark.parametrize("length", [0, 1, 32, 63, 66, 96, 130])
def test_refuses_other_lengths(harness: Contract, length: int) -> None:
    signer = person("inspector")
    signature = (signer.sign(DIGEST) * 3)[:length]
    assert not _valid(harness, signer.address, signature)


@pytest.mark.parametrize("v", [0, 1, 2, 26, 29, 31, 37, 255])
def test_refuses_every_v_but_27_and_28(harness: Contract, v: int) -> None:
    signer = person("inspector")
    signature = signer.sign(DIGEST)
    assert not _valid(harness, signer.address, signature[:64] + bytes([v]))


def test_refuses_the_other_v(harness: Contract) -> None:
    signer = person("inspector")
    signature = signer.sign(DIGEST)
    assert not _valid(harness, signer.address, signature[:64] + bytes([55 - signature[64]]))


def test_refuses_the_malleable_twin(harness: Contract) -> None:
    signer = person("inspector")
    assert not _valid(harness, signer.address, malleable(signer.sign(DIGEST)))


@pytest.mark.parametrize(
    ("r", "s"), [(0, 1), (1, 0), (0, 0), (ORDER, 1), (1, ORDER), (2**256 - 1, 2**256 - 1)]
)
@pytest.mark.parametrize("signer", [ZERO_ADDRESS, account("inspector")])
def test_a_failed_recovery_is_nobodys_signature(
    harness: Contract, signer: str, r: int, s: int
) -> None:
    """A zero answer of ecrecover must not equal an unset role."""
    for v in (27, 28):
        assert not _valid(harness, signer, join(r, s, v))
        assert not _valid(harness, signer, join(r, s, v)[:64])


def test_nothing_is_a_signature_of_nobody(harness: Contract) -> None:
    signature = person("inspector").sign(DIGEST)
    for wrong in (b"", signature, compact(signature), bytes(65), bytes(64)):
        assert not _valid(harness, ZERO_ADDRESS, wrong)


@pytest.mark.parametrize("mode", WALLET_MODES)
def test_asks_a_contract_wallet(world: World, harness: Contract, mode: str) -> None:
    wallet = world.deploy("HostileWallet", WALLET_MODES.index(mode))
    for signature in (b"", b"\x01", bytes(64), bytes(65), bytes(1_000)):
        assert _valid(harness, wallet.address, signature) is (mode in WILLING)


@pytest.mark.parametrize("mode", WALLET_MODES)
def test_a_wallet_is_a_verifier(world: World, mode: str) -> None:
    wallet = world.deploy("HostileWallet", WALLET_MODES.index(mode))
    deal = world.funded(make_milestone(verifier_set=1, quorum=1), verifiers=(wallet.address,))
    attestation = deal.attestation()
    if mode in WILLING:
        outcome = world.attest(deal, attestation, 1, signatures=[b"any"])
        assert world.state(deal).status is Status.SETTLED
        assert outcome.gas < (1_700_000 if mode == "DearYes" else 700_000)
    else:
        digest = attestation.typed_data(world.domain).digest()
        with refuses("InvalidSignature", signer=wallet.address, digest=digest):
            world.attest(deal, attestation, 1, signatures=[b"any"])


def test_a_wallet_signs_through_its_owner(world: World) -> None:
    owner = person("owner")
    wallet = world.deploy("OwnedWallet", owner.address, False)
    deal = world.funded(make_milestone(verifier_set=1, quorum=1), verifiers=(wallet.address,))
    attestation = deal.attestation()
    signature = owner.sign(attestation.typed_data(world.domain))
    world.attest(deal, attestation, 1, signatures=[signature])
    assert world.balance("supplier") == AMOUNT


def test_wallets_are_buyer_supplier_and_arbiter(world: World) -> None:
    """A deal between contracts only, every act signed by their owners and sent by a stranger."""
    wallets = {
        role: world.deploy("OwnedWallet", account(f"owner of {role}"), True)
        for role in ("buyer", "supplier", "arbiter")
    }

    def sign(role: str, data: TypedData) -> bytes:
        return person(f"owner of {role}").sign(_bound(wallets[role].address, data.digest()))

    deal = world.deal(**{role: wallet.address for role, wallet in wallets.items()})
    world.open(
        deal,
        by="stranger",
        buyer=sign("buyer", deal.typed_data),
        supplier=sign("supplier", deal.typed_data),
    )
    world.fund(deal, 1)
    settlement = world.resolution(deal, 1, AMOUNT - 151).typed_data(world.domain)
    world.resolve(
        deal,
        1,
        AMOUNT - 151,
        buyer=sign("buyer", settlement),
        payee=sign("supplier", settlement),
        by="stranger",
    )
    submission = world.submission(deal).typed_data(world.domain)
    world.submit(deal, signature=sign("supplier", submission), by="stranger")
    dispute = world.dispute_act(deal, epoch=1).typed_data(world.domain)
    world.dispute(deal, signature=sign("buyer", dispute), by="stranger")
    ruling = world.ruling(deal, 100, 50, epoch=2).typed_data(world.domain)
    world.rule(deal, 100, 50, signature=sign("arbiter", ruling), by="stranger")
    assert world.state(deal).status is Status.SETTLED
    assert world.balance(wallets["supplier"].address) == 101


def test_an_account_with_delegated_code_still_signs_by_key(world: World) -> None:
    """EIP-7702: its key comes first, the code that it delegates to is asked only after that."""
    world.chain.set_code(account("inspector"), _delegation(world, "Revert"))
    deal = world.funded()
    world.attest(deal, deal.attestation(), 0b111)
    assert world.state(deal).status is Status.SETTLED


def test_an_account_with_delegated_code_also_signs_by_that_code(
    world: World, harness: Contract
) -> None:
    world.chain.set_code(account("inspector"), _delegation(world, "Yes"))
    assert _valid(harness, account("inspector"), b"a passkey's signature")


def _delegation(world: World, mode: str) -> bytes:
    wallet = world.deploy("HostileWallet", WALLET_MODES.index(mode))
    return bytes.fromhex("ef0100" + wallet.address[2:])


Sign = Callable[[str, TypedData], bytes]
Act = Callable[[World, Deal, int, Sign], None]


def _submit(world: World, deal: Deal, until: int, sign: Sign) -> None:
    act = world.submission(deal, valid_until=until).typed_data(world.domain)
    world.submit(deal, until=until, signature=sign("supplier", act), by="stranger")


def _dispute(world: World, deal: Deal, until: int, sign: Sign) -> None:
    act = world.dispute_act(deal, valid_until=until).typed_data(world.domain)
    world.dispute(deal, until=until, signature=sign("supplier", act), by="stranger")


def _rule(world: World, deal: Deal, until: int, sign: Sign) -> None:
    rest = AMOUNT - HALF
    act = world.ruling(deal, HALF, rest, epoch=1, valid_until=until).typed_data(world.domain)
    world.rule(deal, HALF, rest, until=until, signature=sign("arbiter", act), by="stranger")


def _approve(world: World, deal: Deal, until: int, sign: Sign) -> None:
    act = world.resolution(deal, HALF, 0, held=AMOUNT, valid_until=until).typed_data(world.domain)
    world.resolve(deal, HALF, 0, until=until, buyer=sign("buyer", act), by="stranger")


def _refund(world: World, deal: Deal, until: int, sign: Sign) -> None:
    act = world.resolution(deal, 0, HALF, held=AMOUNT, valid_until=until).typed_data(world.domain)
    world.resolve(deal, 0, HALF, until=until, payee=sign("supplier", act), by="stranger")


def _attest(world: World, deal: Deal, until: int, sign: Sign) -> None:
    attestation = deal.attestation(amount=HALF, valid_until=until)
    data = attestation.typed_data(world.domain)
    world.attest(deal, attestation, 0b1, signatures=[sign("inspector", data)])


ACTS: dict[str, tuple[Act, str, Status]] = {
    "submit": (_submit, "supplier", Status.FUNDED),
    "dispute": (_dispute, "supplier", Status.FUNDED),
    "rule": (_rule, "arbiter", Status.DISPUTED_BEFORE_VERDICT),
    "approve": (_approve, "buyer", Status.FUNDED),
    "refund": (_refund, "supplier", Status.FUNDED),
    "attest": (_attest, "inspector", Status.FUNDED),
}
acts = pytest.mark.parametrize("name", ACTS)


def _start(world: World, name: str) -> tuple[Act, str, Deal]:
    act, signer, status = ACTS[name]
    milestones = [make_milestone(verifier_set=1, quorum=1)] * 2
    deal = reach(world, status, *milestones, verifiers=(account("inspector"),))
    return act, signer, deal


def _good(who: str, data: TypedData) -> bytes:
    return person(who).sign(data)


@acts
def test_an_act_is_signed_by_whom_it_belongs_to(world: World, name: str) -> None:
    act, _, deal = _start(world, name)
    root = world.chain.root
    act(world, deal, FOREVER, _good)
    assert world.chain.root != root


@acts
@pytest.mark.parametrize("form", [compact, lambda s: s], ids=["64 bytes", "65 bytes"])
def test_an_act_takes_both_lengths(world: World, name: str, form: Callable[[bytes], bytes]) -> None:
    act, _, deal = _start(world, name)
    act(world, deal, FOREVER, lambda who, data: form(_good(who, data)))


def _field(**changes: Any) -> Callable[[World, TypedData], TypedData]:
    return lambda world, data: replace(data, message={**data.message, **changes})


def _other_id(world: World, data: TypedData) -> TypedData:
    return replace(data, message={**data.message, "agreementId": b"\x99" * 32})


ELSEWHERE: dict[str, Callable[[World, TypedData], TypedData]] = {
    "chain": lambda world, data: replace(data, domain=Domain(1, world.escrow.address)),
    "contract": lambda world, data: replace(data, domain=Domain(CHAIN_ID, account("stranger"))),
    "version": lambda world, data: replace(data, domain=replace(data.domain, version="2")),
    "name": lambda world, data: replace(data, domain=replace(data.domain, name="Escrow")),
    "agreement": _other_id,
    "milestone": _field(milestone=1),
    "validity": _field(validUntil=FOREVER - 1),
}


@acts
@pytest.mark.parametrize("what", ELSEWHERE)
def test_an_act_signed_for_elsewhere_is_refused(world: World, name: str, what: str) -> None:
    act, signer, deal = _start(world, name)
    meant: list[bytes] = []

    def sign(who: str, data: TypedData) -> bytes:
        meant.append(data.digest())
        return person(who).sign(ELSEWHERE[what](world, data))

    with pytest.raises(Refused) as caught:
        act(world, deal, FOREVER, sign)
    expected = {"signer": account(signer), "digest": meant[-1]}
    assert (caught.value.name, caught.value.values) == ("InvalidSignature", expected)


@pytest.mark.parametrize("name", [name for name in ACTS if name != "attest"])
@pytest.mark.parametrize("epoch", [7, 2**16 - 1])
def test_an_act_signed_for_another_epoch_is_refused(world: World, name: str, epoch: int) -> None:
    act, _, deal = _start(world, name)
    with pytest.raises(Refused, match="InvalidSignature"):
        act(
            world,
            deal,
            FOREVER,
            lambda who, data: person(who).sign(_field(epoch=epoch)(world, data)),
        )


@acts
def test_an_act_by_another_signer_is_refused(world: World, name: str) -> None:
    act, signer, deal = _start(world, name)
    with pytest.raises(Refused, match="InvalidSignature") as caught:
        act(world, deal, FOREVER, lambda who, data: person("stranger").sign(data))
    assert caught.value.values["signer"] == account(signer)


@acts
def test_an_act_works_until_its_last_second(world: World, name: str) -> None:
    act, _, deal = _start(world, name)
    world.now = GENESIS + 50
    act(world, deal, GENESIS + 50, _good)


@acts
def test_an_act_expires(world: World, name: str) -> None:
    act, _, deal = _start(world, name)
    world.now = GENESIS + 51
    with refuses("SignatureExpired", validUntil=GENESIS + 50, nowAt=GENESIS + 51):
        act(world, deal, GENESIS + 50, _good)


@acts
def test_an_act_cannot_be_replayed(world: World, name: str) -> None:
    """The second time the epoch has advanced, the status has changed, or it is not newer."""
    act, _, deal = _start(world, name)
    act(world, deal, FOREVER, _good)
    with pytest.raises(Refused) as caught:
        act(world, deal, FOREVER, _good)
    assert caught.value.name in {"WrongStatus", "InvalidSignature", "IssuedAtOutOfBounds"}


@acts
def test_an_act_of_one_kind_is_no_act_of_another(world: World, name: str) -> None:
    """Same fields under another struct's name make another digest."""
    act, _, deal = _start(world, name)

    def sign(who: str, data: TypedData) -> bytes:
        return person(who).sign(replace(data, struct=replace(data.struct, name="Other")))

    with pytest.raises(Refused, match="InvalidSignature"):
        act(world, deal, FOREVER, sign)


def test_a_dispute_is_no_submission(world: World) -> None:
    """The two structs differ only in the name of a field that may hold the same value."""
    deal = world.funded()
    signed = person("supplier").sign(world.dispute_act(deal).typed_data(world.domain))
    act = world.submission(deal, evidence_hash=world.dispute_act(deal).reason_hash)
    digest = act.typed_data(world.domain).digest()
    with refuses("InvalidSignature", signer=account("supplier"), digest=digest):
        world.submit(deal, evidence=act.evidence_hash, signature=signed, by="stranger")


def test_consent_to_one_agreement_opens_no_other(world: World) -> None:
    """Even where only the salt differs."""
    small, large = world.deal(salt=1), world.deal(salt=2)
    signed = person("supplier").sign(small.typed_data)
    with refuses("InvalidSignature", signer=account("supplier"), digest=large.typed_data.digest()):
        world.open(large, supplier=signed)


def test_consent_on_another_chain_opens_nothing_here(world: World) -> None:
    deal = world.deal()
    there = replace(deal, domain=Domain(1, world.escrow.address))
    with refuses("InvalidSignature", signer=account("supplier"), digest=deal.id):
        world.open(deal, supplier=person("supplier").sign(there.typed_data))


def test_a_bound_wallets_signature_does_not_serve_its_owners_other_wallet(world: World) -> None:
    owner = person("owner")
    wallets = sorted(
        (world.deploy("OwnedWallet", owner.address, True).address for _ in range(2)),
        key=lambda address: int(address, 16),
    )
    deal = world.funded(make_milestone(verifier_set=0b11), verifiers=tuple(wallets))
    attestation = deal.attestation()
    digest = attestation.typed_data(world.domain).digest()
    signatures = [owner.sign(_bound(wallet, digest)) for wallet in wallets]
    with refuses("InvalidSignature", signer=wallets[1], digest=digest):
        world.attest(deal, attestation, 0b11, signatures=[signatures[0]] * 2)
    world.attest(deal, attestation, 0b11, signatures=signatures)
    assert world.state(deal).status is Status.SETTLED


def test_a_wallet_that_burns_its_gas_stops_only_itself(world: World) -> None:
    """What EIP-150 keeps back is enough for a refusal that names it."""
    wallet = world.deploy("HostileWallet", WALLET_MODES.index("BurnGas"))
    deal = world.deal(supplier=wallet.address)
    with refuses("InvalidSignature", signer=wallet.address, digest=deal.id):
        world.open(deal, supplier=b"\x01", gas=1_000_000)


def test_an_unset_arbiter_cannot_be_signed_for(world: World) -> None:
    deal = reach(world, Status.SUBMITTED, arbiter=ZERO_ADDRESS)
    world.dispute(deal, by="buyer")
    ruling = world.ruling(deal, AMOUNT, 0, epoch=2).typed_data(world.domain)
    for signature in (bytes(65), bytes(64), bytes(64) + b"\x1b", person("supplier").sign(ruling)):
        with refuses("InvalidSignature", signer=ZERO_ADDRESS, digest=ruling.digest()):
            world.rule(deal, AMOUNT, 0, signature=signature, by="supplier")


def test_signatures_are_not_looked_at_where_the_sender_is_enough(world: World) -> None:
    deal = world.funded()
    world.submit(deal, signature=b"rubbish", until=0, by="supplier")
    assert world.state(deal).status is Status.SUBMITTED


def test_a_truncated_call_is_refused(world: World) -> None:
    deal = world.funded()
    data = world.escrow.data("finalize", deal.abi_terms, deal.ref(0))
    with pytest.raises(Reverted):
        world.chain.send(account("stranger"), world.escrow.address, data[:-32])


def _bound(wallet: str, digest: bytes) -> bytes:
    """What the owner of a bound wallet signs."""
    return bytes(keccak(bytes(12) + bytes.fromhex(wallet[2:]) + digest))


def test_what_a_safe_approved_on_chain_counts_without_a_signature(world: World) -> None:
    """Safe's `signMessage` is asked for with an empty signature, by every verb."""
    wallet = world.deploy("HostileWallet", WALLET_MODES.index("Yes"))
    deal = world.deal(supplier=wallet.address)
    world.open(deal, 1, supplier=b"")
    world.submit(deal, by="stranger")
    assert world.state(deal).status is Status.SUBMITTED
    new = revised(deal)
    order = amendment(deal, new, states=world.states(deal))
    data = order.typed_data(world.domain)
    amend(world, deal, new, order=order, signatures=[person("buyer").sign(data), b""])
    assert world.state(deal).status is Status.SETTLED
