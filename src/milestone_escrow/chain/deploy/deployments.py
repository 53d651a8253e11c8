"""Where the contract is on each network, and whether what is there is really this contract."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path

from milestone_escrow.chain.contract.artifact import load
from milestone_escrow.chain.node.network import Network
from milestone_escrow.chain.node.rpc import Node
from milestone_escrow.errors import ChainError
from milestone_escrow.protocol.eip712 import Address, Domain
from milestone_escrow.protocol.hashing import keccak
from milestone_escrow.protocol.hexes import hexed

FOLDER = "deployments"
CONTRACT = "MilestoneEscrow"


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployed contract; `code_hash` is Keccak-256 of its runtime code, as 0x hex.

    `block` is where it appeared (0 where no node could say), `transaction` what put it there, ""
    where somebody else did.
    """

    network: str
    chain_id: int
    address: Address
    block: int
    code_hash: str
    transaction: str = ""
    compiler: str = ""


def read_deployment(network: Network, state: Path | None = None) -> Deployment | None:
    """What is recorded for a network: in the folder `state`, else with the package, else nothing.

    Raises:
        ChainError: a record is there and cannot be read, or is of another chain.
    """
    for folder in [*([state / FOLDER] if state else []), *_shipped()]:
        file = folder / f"{network.name}.json"
        if not file.is_file():
            continue
        try:
            found = Deployment(**json.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            raise ChainError(
                f"{file} is not a deployment record", hint="remove it and deploy again"
            ) from None
        if found.chain_id != network.chain_id:
            raise ChainError(
                f"{file} is of chain {found.chain_id}, {network.title} is {network.chain_id}",
                hint="remove it and deploy again",
            )
        return found
    return None


def write_deployment(deployment: Deployment, state: Path) -> Path:
    """Record a deployment below the folder `state`, whole or not at all; returns the file."""
    file = state / FOLDER / f"{deployment.network}.json"
    write_record(file, asdict(deployment))
    return file


def write_record(file: Path, record: Mapping[str, object]) -> None:
    """Write a JSON file, whole or not at all.

    Raises:
        ChainError: its folder cannot be written to.
    """
    partial = file.with_suffix(f".{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        partial.replace(file)
    except OSError as error:
        raise ChainError(
            f"{file} cannot be written ({error.strerror})",
            hint="set it right and run the same again: it goes on from here",
        ) from None


def verify_contract(node: Node, domain: Domain) -> bytes:
    """The runtime code at the domain's address, if it is this contract with this domain.

    Raises:
        ChainError: there is no code, or other code.
    """
    address = domain.verifying_contract
    code = bytes.fromhex(node.request("eth_getCode", [address, "latest"])[2:])
    if not code:
        raise ChainError(
            f"there is no contract at {address} on chain {domain.chain_id}",
            hint="deploy it with `escrow deploy`, or name the right address and network",
        )
    if not load(CONTRACT).matches(code, immutable_words(domain)):
        raise ChainError(
            f"what is at {address} is not the escrow contract of this version",
            hint="check the address, or use the version of this package that deployed it",
        )
    return code


def immutable_words(domain: Domain) -> tuple[bytes, ...]:
    """Every 32-byte word that the contract of this domain may hold as an immutable."""
    return (
        domain.separator(),
        domain.chain_id.to_bytes(32, "big"),
        bytes(12) + bytes.fromhex(domain.verifying_contract[2:]),
        keccak(domain.name.encode()),
        keccak(domain.version.encode()),
        _short_string(domain.name),
        _short_string(domain.version),
    )


def code_hash(code: bytes) -> str:
    return hexed(keccak(code))


def _shipped() -> tuple[Path, ...]:
    """With the package, or at the top of the source tree that it runs from."""
    package = Path(str(resources.files("milestone_escrow")))
    return package / FOLDER, package.parents[1] / FOLDER


def _short_string(text: str) -> bytes:
    """As OpenZeppelin's ShortStrings keeps text: the characters, then their number."""
    return text.encode().ljust(31, b"\0") + bytes([len(text)])
