"""Writes the vectors beside it: `python -m tests.vectors.generate`.

Hashes and digests come from eth-account's encoder, signatures from eth-account with a known key:
neither the contract nor the package has a hand in what they are tested against. Numbers are
decimal text, bytes are 0x hex.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils import keccak, to_checksum_address

FOLDER = Path(__file__).resolve().parent
KEY = "0x" + "a5" * 32
CONTRACT = "0xEA67E7F7Dea7914487f51539581680092F790921"
"""Where the first contract of the tests' operator lands, on every chain."""

CHAINS = (1, 31_337, 11_155_111)

ATOMS = {
    "Milestone": "uint128 amount,uint64 deadline,bool paysOnSilence,uint32 verifierSet,"
    "uint8 quorum,bytes32 requirementsHash",
    "Agreement": "address buyer,address supplier,address token,address arbiter,"
    "address[] verifiers,uint32 objectionPeriod,uint32 reviewPeriod,uint32 arbitrationPeriod,"
    "uint16 defaultPayeeBps,address feeRecipient,uint16 feeBps,bytes32 documentHash,"
    "uint256 salt,Milestone[] milestones",
    "Attestation": "bytes32 agreementId,uint256 milestone,uint8 verdict,uint128 amount,"
    "bytes32 evidenceHash,uint64 issuedAt,uint64 validUntil",
    "Submission": "bytes32 agreementId,uint256 milestone,bytes32 evidenceHash,uint16 epoch,"
    "uint64 validUntil",
    "Dispute": "bytes32 agreementId,uint256 milestone,bytes32 reasonHash,uint16 epoch,"
    "uint64 validUntil",
    "Ruling": "bytes32 agreementId,uint256 milestone,uint128 toPayee,uint128 toBuyer,"
    "bytes32 reasonHash,uint16 epoch,uint64 validUntil",
    "Resolution": "bytes32 agreementId,uint256 milestone,uint128 toPayee,uint128 toBuyer,"
    "uint128 held,uint16 epoch,uint64 validUntil",
    "Assignment": "bytes32 agreementId,uint256 milestone,address assignee,uint8 handover,"
    "uint64 validUntil",
    "Offer": "bytes32 agreementId,uint256 milestone,address financier,uint128 price,"
    "uint128 held,uint16 epoch,uint8 handover,uint64 validUntil",
    "AttestBatch": "Attestation[] attestations",
    "AgreedAmendment": "bytes32 replaces,uint64 closes,uint64 funds,uint256 carried,"
    "uint32 epochs,uint64 validUntil,Agreement terms",
}
"""The structs, written out once more."""

MEMBERS = {
    "Agreement": ("Milestone",),
    "AttestBatch": ("Attestation",),
    "AgreedAmendment": ("Agreement", "Milestone"),
}
"""The structs that a struct refers to."""


DOMAIN = "string name,string version,uint256 chainId,address verifyingContract"
HIGHEST = {f"uint{bits}": 2**bits - 1 for bits in (8, 16, 32, 64, 128, 256)}


def fields(struct: str) -> list[dict[str, str]]:
    """The members of a struct as EIP-712 JSON has them."""
    pairs = (member.split(" ") for member in ATOMS.get(struct, DOMAIN).split(","))
    return [{"type": kind, "name": name} for kind, name in pairs]


def account_of(seed: object) -> str:
    return to_checksum_address(keccak(text=str(seed))[:20])


def word_of(seed: object) -> str:
    return "0x" + keccak(text=str(seed)).hex()


def typed_data(struct: str, message: Mapping[str, Any], chain: int) -> dict[str, Any]:
    structs = ("EIP712Domain", struct, *MEMBERS.get(struct, ()))
    return {
        "types": {name: fields(name) for name in structs},
        "primaryType": struct,
        "domain": {
            "name": "MilestoneEscrow",
            "version": "1",
            "chainId": chain,
            "verifyingContract": CONTRACT,
        },
        "message": message,
    }


def vector(name: str, struct: str, message: Mapping[str, Any], chain: int) -> dict[str, Any]:
    """One case: what is signed, its hashes, and the signature of the known key."""
    signable = encode_typed_data(full_message=typed_data(struct, message, chain))
    digest = keccak(b"\x19" + signable.version + signable.header + signable.body)
    signature = Account.sign_message(signable, KEY).signature
    return {
        "name": name,
        "struct": struct,
        "chainId": str(chain),
        "message": _text(message),
        "separator": "0x" + signable.header.hex(),
        "structHash": "0x" + signable.body.hex(),
        "digest": "0x" + digest.hex(),
        "signature": "0x" + bytes(signature).hex(),
    }


def extremes(struct: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Everything at zero, everything at its highest, and each number alone at its highest."""
    zero = {f["name"]: _zero(f["type"]) for f in fields(struct)}
    numbers = {f["name"]: HIGHEST[f["type"]] for f in fields(struct) if f["type"] in HIGHEST}
    yield "all zero", zero
    yield "all highest", {**_typical(struct), **numbers}
    yield "typical", _typical(struct)
    for name, highest in numbers.items():
        yield f"highest {name}", {**_typical(struct), name: highest}


def milestones() -> list[dict[str, Any]]:
    cases = list(extremes("Milestone"))
    cases.append(("pays on silence", {**_typical("Milestone"), "paysOnSilence": True}))
    cases.append(("deposit", {**_typical("Milestone"), "deadline": 0, "paysOnSilence": True}))
    return [vector(name, "Milestone", message, 1) for name, message in cases]


def agreements() -> list[dict[str, Any]]:
    shapes = ((0, 1), (1, 1), (3, 4), (2, 17), (31, 12), (32, 60), (5, 0))
    cases: list[tuple[str, dict[str, Any], int]] = []
    for verifiers, count in shapes:
        name = f"{verifiers} verifiers, {count} milestones"
        cases += [(name, agreement(verifiers, count), chain) for chain in CHAINS]
    for name, message in extremes("Agreement"):
        cases.append((name, {**message, "milestones": [_typical("Milestone")]}, CHAINS[1]))
    plain = agreement(3, 3)
    cases.append(("no arbiter", {**plain, "arbiter": "0x" + "0" * 40}, CHAINS[1]))
    turned = {**plain, "milestones": plain["milestones"][::-1]}
    cases.append(("milestones in another order", turned, CHAINS[1]))
    return [vector(name, "Agreement", message, chain) for name, message, chain in cases]


def agreement(verifiers: int, count: int) -> dict[str, Any]:
    """Plausible terms, different in every number."""
    accounts = sorted((account_of(f"verifier {i}") for i in range(verifiers)), key=str.lower)
    stages = [
        {
            **_typical("Milestone"),
            "amount": 10**9 + i,
            "deadline": 1_800_000_000 + i * 86_400,
            "paysOnSilence": i % 3 == 1,
            "requirementsHash": word_of(f"requirements {i}"),
        }
        for i in range(count)
    ]
    return {**_typical("Agreement"), "verifiers": accounts, "milestones": stages}


def orders() -> list[dict[str, Any]]:
    """Batches and change orders: structs within structs."""
    attestations = [{**_typical("Attestation"), "milestone": i} for i in range(20)]
    cases: list[tuple[str, str, dict[str, Any]]] = [
        (f"{count} attestations", "AttestBatch", {"attestations": attestations[:count]})
        for count in (0, 1, 2, 20)
    ]
    for name, order in extremes("AgreedAmendment"):
        cases.append((name, "AgreedAmendment", {**order, "terms": agreement(3, 2)}))
    large = {**_typical("AgreedAmendment"), "terms": agreement(32, 60)}
    cases.append(("32 verifiers, 60 milestones", "AgreedAmendment", large))
    return [vector(name, struct, message, CHAINS[1]) for name, struct, message in cases]


def acts() -> list[dict[str, Any]]:
    """Everything that is signed about one milestone."""
    structs = [name for name in ATOMS if name != "Milestone" and name not in MEMBERS]
    return [
        vector(name, struct, message, chain)
        for struct in structs
        for chain, (name, message) in zip(_cycle(CHAINS), extremes(struct), strict=False)
    ]


def words() -> list[dict[str, Any]]:
    """The storage word: four bits a milestone, its status and whether it has details."""
    found = []
    for index in (0, 1, 15, 16, 31, 32, 58, 59):
        for status in range(8):
            for details in (False, True):
                nibble = status | (8 if details else 0)
                others = (1 << 255) | (((1 << 240) - 1) & ~(15 << 4 * index))
                found.append(
                    {
                        "milestone": index,
                        "status": status,
                        "details": details,
                        "empty": hex(1 << 255),
                        "word": hex((1 << 255) | nibble << 4 * index),
                        "amongOthers": hex(others | nibble << 4 * index),
                    }
                )
    return found


FILES = {
    "milestones": milestones,
    "agreements": agreements,
    "acts": acts,
    "orders": orders,
    "words": words,
}


def text(name: str) -> str:
    """What the file of that name says."""
    return json.dumps(FILES[name](), indent=1) + "\n"


def _zero(kind: str) -> Any:
    if kind == "address":
        return "0x" + "0" * 40
    if kind == "bytes32":
        return "0x" + "0" * 64
    return [] if kind.endswith("[]") else False if kind == "bool" else 0


def _typical(struct: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for field in fields(struct):
        kind, name = field["type"], field["name"]
        if kind == "address":
            values[name] = account_of(name)
        elif kind == "bytes32":
            values[name] = word_of(name)
        elif kind in HIGHEST:
            values[name] = int.from_bytes(keccak(text=name), "big") % min(HIGHEST[kind], 10**9)
        else:
            values[name] = _zero(kind)
    return values


def _text(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _text(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_text(inner) for inner in value]
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _cycle(values: Sequence[int]) -> Iterator[int]:
    while True:
        yield from values


if __name__ == "__main__":
    for file in FILES:
        (FOLDER / f"{file}.json").write_text(text(file), encoding="utf-8")
