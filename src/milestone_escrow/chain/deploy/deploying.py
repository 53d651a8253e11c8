"""The contract put where it lies on every network: CREATE2 through the deterministic deployer.

The address follows from the deployer, the salt and the creation code alone; chain id and address
enter the contract's immutables only while it is created. So a second run finds the first one's
work, and one that was interrupted is finished by the next.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from milestone_escrow.chain.contract.artifact import load
from milestone_escrow.chain.deploy.deployments import (
    CONTRACT,
    FOLDER,
    Deployment,
    code_hash,
    read_deployment,
    verify_contract,
    write_deployment,
    write_record,
)
from milestone_escrow.chain.node.network import DEPLOYER, Network
from milestone_escrow.chain.node.probes import has_code, require_features, require_honest
from milestone_escrow.chain.node.rpc import Node, RpcError
from milestone_escrow.chain.refusals.attempts import Attempt
from milestone_escrow.chain.send.broadcast import (
    Signed,
    await_confirmations,
    await_receipt,
    broadcast,
    is_known,
)
from milestone_escrow.chain.send.fees import AS_USUAL, Bid, coins
from milestone_escrow.chain.send.transactions import Prepared, Transactor
from milestone_escrow.errors import ChainError, ContractError
from milestone_escrow.protocol.eip712 import Address, Domain
from milestone_escrow.protocol.hashing import keccak
from milestone_escrow.protocol.hexes import hexed
from milestone_escrow.protocol.signatures import Signer

SALT = bytes(32)
TIMEOUT = 180.0
FINALITY_TIMEOUT = 1_800.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What deploying comes to. Nothing is left to send where the contract `is_there`, or where a
    transaction of an earlier run is `pending`."""

    network: Network
    address: Address
    is_there: bool
    balance: int = 0
    prepared: Prepared | None = None
    pending: Signed | None = None

    @property
    def lacks(self) -> int:
        """Wei that the sender has too little."""
        return max(self.prepared.max_cost - self.balance, 0) if self.prepared else 0


def contract_address(network: Network) -> Address:
    """Where this version of the contract lies, or will lie, on a network."""
    from eth_utils.address import to_checksum_address

    if network.contract:
        return network.contract
    digest = keccak(
        b"\xff" + bytes.fromhex(network.deployer[2:]) + SALT + keccak(load(CONTRACT).bytecode)
    )
    return str(to_checksum_address(digest[12:]))


def plan_deployment(
    node: Node, network: Network, sender: Address, *, bid: Bid = AS_USUAL, state: Path | None = None
) -> Plan:
    """Look at what is there, and simulate what is not.

    Raises:
        ChainError: other code is there, the network cannot run the contract or has no deployer, or
            the node works on another chain than it says.
    """
    address = contract_address(network)
    require_honest(node, network)
    if has_code(node, address):
        verify_contract(node, Domain(network.chain_id, address))
        return Plan(network, address, is_there=True)
    if network.contract:
        raise ChainError(
            f"{network.title} is said to have the contract at {address}, but nothing is there",
            hint="take `contract` out of its table to deploy it",
        )
    require_features(node, network)
    require_deployer(node, network)
    waiting = _read_journal(node, network, address, state)
    if waiting:
        return Plan(network, address, is_there=False, pending=waiting)
    attempt = Attempt("deploy", sender)
    try:
        prepared = Transactor(node, network, bid=bid).prepare(
            network.deployer, SALT + load(CONTRACT).bytecode, attempt
        )
    except ContractError:
        raise ChainError(
            f"{network.title} does not let the contract be created at {address}",
            hint="check its table: deployer, and room for 24,576 bytes of code",
        ) from None
    balance = int(node.request("eth_getBalance", [sender, "latest"]), 16)
    return Plan(network, address, is_there=False, balance=balance, prepared=prepared)


def deploy(
    node: Node,
    plan: Plan,
    signer: Signer | None,
    states: Sequence[Path] = (),
    *,
    bid: Bid = AS_USUAL,
    timeout: float | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Deployment:
    """Carry a plan out and record it below each of `states`; the first also keeps the journal.

    Raises:
        ChainError: it did not come into a block, or what is there now is not the contract.
    """
    network, seconds = plan.network, timeout or TIMEOUT
    state = states[0] if states else None
    block, transaction = 0, ""
    if not plan.is_there:
        signed = plan.pending
        if signed is None:
            assert plan.prepared is not None
            assert signer is not None
            signed = Transactor(node, network, bid=bid).sign(plan.prepared, signer)
            # Before anybody else knows of it, so that no crash makes us send a second one.
            _write_journal(signed, plan, state)
        tell(signed.hash)
        sent = broadcast(node, signed, "deploy", network)
        receipt = await_receipt(node, [sent], "deploy", timeout=seconds, network=network)
        await_confirmations(node, receipt, network, timeout=max(seconds, FINALITY_TIMEOUT))
        block, transaction = int(receipt["blockNumber"], 16), sent
    code = verify_contract(node, Domain(network.chain_id, plan.address))
    made = Deployment(
        network.name,
        network.chain_id,
        plan.address,
        block,
        code_hash(code),
        transaction,
        load(CONTRACT).compiler,
    )
    if plan.is_there:
        made = _known(node, network, made, state)
    for place in states:
        write_deployment(made, place)
    if state:
        _journal(network, state).unlink(missing_ok=True)
    return made


def require_deployer(node: Node, network: Network) -> None:
    """Refuse a network without the deterministic deployer.

    Raises:
        ChainError: it is not there.
    """
    if not has_code(node, network.deployer):
        can = network.deployer == DEPLOYER
        raise ChainError(
            f"{network.title} has no deterministic deployer at {network.deployer}",
            hint="put it there first with `escrow deploy --deployer`"
            if can
            else "correct `deployer` in its table",
        )


def _known(node: Node, network: Network, found: Deployment, state: Path | None) -> Deployment:
    """What is there already, with block and transaction from a record or the journal."""
    recorded = read_deployment(network, state)
    if recorded and recorded.address == found.address:
        return recorded if recorded.compiler else replace(found, block=recorded.block)
    signed = _load_journal(network, found.address, state)
    if signed:
        receipt = node.request("eth_getTransactionReceipt", [signed.hash])
        if isinstance(receipt, dict) and receipt.get("blockNumber"):
            block = int(receipt["blockNumber"], 16)
            return replace(found, block=block, transaction=signed.hash)
    return replace(found, block=first_block(node, found.address))


def first_block(node: Node, address: Address) -> int:
    """The block in which a contract appeared; 0 where the node has forgotten its older states."""
    low, high = 0, int(node.request("eth_blockNumber"), 16)
    try:
        while low < high:
            middle = (low + high) // 2
            there = len(node.request("eth_getCode", [address, hex(middle)])) > 2
            low, high = (low, middle) if there else (middle + 1, high)
    except RpcError:
        return 0
    return low


# The journal: a deployment's transaction, from before its broadcast until it is recorded.


def _journal(network: Network, state: Path) -> Path:
    return state / FOLDER / f"{network.name}.pending"


def _write_journal(signed: Signed, plan: Plan, state: Path | None) -> None:
    if state:
        record = {
            "address": plan.address,
            "sender": signed.sender,
            "nonce": signed.nonce,
            "raw": hexed(signed.raw),
        }
        write_record(_journal(plan.network, state), record)


def _load_journal(network: Network, address: Address, state: Path | None) -> Signed | None:
    if state is None:
        return None
    try:
        record = json.loads(_journal(network, state).read_text(encoding="utf-8"))
        signed = Signed(
            bytes.fromhex(record["raw"][2:]), int(record["nonce"]), str(record["sender"])
        )
        return signed if record["address"] == address else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _read_journal(
    node: Node, network: Network, address: Address, state: Path | None
) -> Signed | None:
    """An earlier run's transaction that may still come through: it waits, or can be sent again."""
    signed = _load_journal(network, address, state)
    if signed is None:
        return None
    if is_known(node, signed.hash):
        return signed
    mined = int(node.request("eth_getTransactionCount", [signed.sender, "latest"]), 16)
    return signed if signed.nonce >= mined else None


def affordable(plan: Plan) -> str:
    """The costs of a plan for people: gas, what is expected, what at most, and what is there."""
    if plan.prepared is None:
        return "nothing to pay"
    coin, prepared = plan.network.coin, plan.prepared
    about, most = coins(prepared.expected_cost, coin), coins(prepared.max_cost, coin)
    data = f", of it {coins(prepared.data_fee, coin)} for data" if prepared.data_fee else ""
    return f"about {about}, at most {most}{data}; the account has {coins(plan.balance, coin)}"
