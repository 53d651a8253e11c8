"""Contract wallets that sign (ERC-1271), asked as the contract asks them: Safe's real contracts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from milestone_escrow import Escrow
from milestone_escrow.chain.contract.safes import read_safe
from milestone_escrow.chain.contract.structs import OpenedAgreement
from milestone_escrow.chain.contract.wallets import ContractWallets
from milestone_escrow.chain.node.rpc import RpcError
from milestone_escrow.errors import ChainError
from milestone_escrow.keys import DevSigner
from milestone_escrow.keys.rpc_signer import RpcSigner, rpc_accounts
from milestone_escrow.protocol.acts import Appointment
from milestone_escrow.protocol.eip712 import Domain, TypedData
from milestone_escrow.protocol.safe import joined, safe_message
from milestone_escrow.protocol.signatures import is_signed
from milestone_escrow.protocol.terms import agreement_id, agreement_typed_data
from tests.support.anvil import Anvil
from tests.support.safe import TestSafe, Workshop


@pytest.fixture
def safe(escrow: Escrow) -> Iterator[TestSafe]:
    return Workshop.build(escrow.chain).safe((8, 9, 10), 2)


@pytest.fixture
def wallets(escrow: Escrow) -> ContractWallets:
    return ContractWallets(escrow.chain, escrow.network.chain_id)


@pytest.fixture
def data(escrow: Escrow, deal: OpenedAgreement) -> TypedData:
    return agreement_typed_data(escrow.domain, deal.terms, deal.milestones)


def accepted(wallets: ContractWallets, safe: TestSafe, data: TypedData, signature: bytes) -> bool:
    return is_signed(data.domain.chain_id, safe.address, data.digest(), signature, wallets)


def test_accepts_what_enough_owners_signed(
    wallets: ContractWallets, safe: TestSafe, data: TypedData
):
    assert accepted(wallets, safe, data, safe.sign(data))
    assert accepted(wallets, safe, data, safe.sign(data, (10, 8)))


def test_refuses_too_few_owners(wallets: ContractWallets, safe: TestSafe, data: TypedData):
    assert not accepted(wallets, safe, data, safe.sign(data, (8,)))
    assert not accepted(wallets, safe, data, safe.sign(data, (8, 7)))
    assert not accepted(wallets, safe, data, b"")


def test_refuses_owners_who_signed_for_themselves(
    wallets: ContractWallets, safe: TestSafe, data: TypedData
):
    own = {one.address: one.sign_typed_data(data) for one in (DevSigner(8), DevSigner(9))}
    assert not accepted(wallets, safe, data, joined(own))


def test_refuses_a_signature_of_another_safe_of_the_same_owners(
    wallets: ContractWallets, safe: TestSafe, data: TypedData
):
    other = safe.workshop.safe((8, 9, 10), 2, salt=1)
    assert other.address != safe.address
    assert not accepted(wallets, safe, data, other.sign(data))


def test_refuses_accounts_without_code(wallets: ContractWallets, data: TypedData):
    stranger = DevSigner(7)
    assert not is_signed(data.domain.chain_id, stranger.address, data.digest(), b"\1" * 65, wallets)


def test_a_key_needs_no_chain(data: TypedData, buyer: DevSigner, safe: TestSafe):
    chain, digest = data.domain.chain_id, data.digest()
    assert is_signed(chain, buyer.address, digest, buyer.sign_typed_data(data))
    assert not is_signed(chain, safe.address, digest, safe.sign(data))


def test_does_not_ask_another_chain(wallets: ContractWallets, safe: TestSafe, data: TypedData):
    with pytest.raises(ChainError, match="on chain 1 cannot be asked"):
        wallets.accepts(1, safe.address, data.digest(), safe.sign(data))


def test_the_contract_and_this_package_agree(
    escrow: Escrow, safe: TestSafe, deal: OpenedAgreement, wallets: ContractWallets
):
    terms = replace(deal.terms, supplier=safe.address)
    agreed = OpenedAgreement(
        agreement_id(escrow.domain, terms, deal.milestones), terms, deal.milestones
    )
    data = agreement_typed_data(escrow.domain, terms, agreed.milestones)
    acting = escrow.acting_as(DevSigner(1))
    with pytest.raises(ChainError):
        acting.open(agreed, {safe.address: safe.sign(data, (8,))})
    acting.open(agreed, {safe.address: safe.sign(data)})
    assert escrow.is_open(agreed.id)


def test_reads_owners_and_threshold(escrow: Escrow, safe: TestSafe):
    found = read_safe(escrow.chain, safe.address)
    assert found.threshold == 2
    assert set(found.owners) == {DevSigner(number).address for number in (8, 9, 10)}


def test_says_that_an_account_is_no_safe(escrow: Escrow):
    for account in (escrow.contract, DevSigner(7).address):
        with pytest.raises(ChainError, match="does not answer as a Safe does"):
            read_safe(escrow.chain, account)


def test_the_safe_hashes_the_message_as_we_do(escrow: Escrow, safe: TestSafe, data: TypedData):
    from eth_abi import encode
    from eth_hash.auto import keccak

    call = keccak(b"getMessageHash(bytes)")[:4] + encode(["bytes"], [data.digest()])
    answer = escrow.chain.handle("eth_call", [{"to": safe.address, "data": "0x" + call.hex()}])
    message = safe_message(data.domain.chain_id, safe.address, data.digest())
    assert answer == "0x" + message.digest().hex()


def test_the_node_signs_typed_data_of_its_own_chain_only(escrow: Escrow, data: TypedData):
    account = DevSigner(3).address
    signed = escrow.chain.handle("eth_signTypedData_v4", [account, data.to_json()])
    assert bytes.fromhex(signed[2:]) == DevSigner(3).sign_typed_data(data)
    elsewhere = data.to_json()
    elsewhere["domain"] = {**data.domain.message(), "chainId": 1}
    for refused in (elsewhere, {"domain": 5}, []):
        with pytest.raises(RpcError, match="everybody knows these keys"):
            escrow.chain.handle("eth_signTypedData_v4", [account, refused])
    broken = {**data.to_json(), "message": {"buyer": "x"}}
    with pytest.raises(RpcError, match="this is no typed data"):
        escrow.chain.handle("eth_signTypedData_v4", [account, broken])
    with pytest.raises(RpcError, match="not an account of this node"):
        escrow.chain.handle("eth_signTypedData_v4", ["0x" + "11" * 20, data.to_json()])


def test_another_node_signs_and_sends_as_asked(monkeypatch: pytest.MonkeyPatch):
    with Anvil() as running:
        account, other = rpc_accounts(running.node)[:2]
        signer = RpcSigner(running.node, account)
        domain = Domain(31_337, other)
        typed = Appointment(b"\1" * 32, "surveyor", account).typed_data(domain)
        assert is_signed(31_337, account, typed.digest(), signer.sign_typed_data(typed))
        fields = {
            "type": 2, "chainId": 31_337, "nonce": 0, "to": other, "value": 1, "data": b"\xab",
            "gas": 60_000, "maxFeePerGas": 4 * 10**9, "maxPriorityFeePerGas": 10**9,
        }  # fmt: skip
        raw = signer.sign_transaction(fields)
        sent = running.node.request("eth_sendRawTransaction", ["0x" + raw.hex()])
        again = signer.send_transaction({**fields, "nonce": 1})
        for transaction in (sent, again):
            found = running.node.request("eth_getTransactionByHash", [transaction])
            assert (found["from"], found["input"]) == (account.lower(), "0xab")
