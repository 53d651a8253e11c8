"""What stands in an audit bundle, and under which names; read as hostile.

Every JSON file is canonical (RFC 8785) with numbers as text. Whoever reads one derives it again
from what it says, and takes nothing that would have been written differently.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from milestone_escrow.chain.proofs.headers import Header, decode_header
from milestone_escrow.documents.canonical import canonical_json
from milestone_escrow.documents.edit import dump
from milestone_escrow.documents.files.hostile import parse_json
from milestone_escrow.documents.files.signed_agreement import SignedAgreement
from milestone_escrow.documents.source import parse_source
from milestone_escrow.errors import DocumentError, EscrowError
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.signatures import by_key

MAX_JSON = 64_000_000
MANIFEST, README = "manifest.json", "README.txt"

READ_ME = """\
An audit bundle of an escrow agreement: everything that is needed to check what was agreed, proven
and paid, without trusting whoever made it. `escrow audit verify FILE` does all of this by itself.

manifest.json      what the bundle is about, and the SHA-256 and size of every other file
agreements/ID/     document.json   the agreement; its SHA-256 is the documentHash of the terms
                   document.yaml   the same, to read
                   signed.json     document, terms and signatures
                   typed-data.json what buyer and supplier signed (EIP-712); its digest is ID
evidence/          what the hashes on chain stand for: lists of files, reasons; named by SHA-256
files/             files of evidence and attachments, where they were added; named by SHA-256
attestations/      the verdicts that verifiers signed, with their signatures
blocks/            headers of blocks (RLP); the Keccak-256 of a header is the block's hash
transactions/      transactions and receipts (EIP-2718), with Merkle-Patricia proofs that lead to
                   the transactionsRoot and the receiptsRoot of their block's header

All JSON is canonical (RFC 8785). Whether the blocks are those of the chain can only the chain say:
compare their hashes with any node or explorer.
"""


@dataclass(frozen=True, slots=True)
class ProvenTransaction:
    """One transaction of the bundle with its receipt, and the proofs of both."""

    hash: bytes
    block: int
    index: int
    raw: bytes
    receipt: bytes
    transaction_proof: tuple[bytes, ...]
    receipt_proof: tuple[bytes, ...]

    @property
    def name(self) -> str:
        return f"transactions/{self.block:012d}-{self.index:05d}-{hexed(self.hash)}.json"

    def data(self) -> dict[str, object]:
        return {
            "hash": hexed(self.hash),
            "block": str(self.block),
            "index": str(self.index),
            "raw": hexed(self.raw),
            "receipt": hexed(self.receipt),
            "transaction_proof": [hexed(node) for node in self.transaction_proof],
            "receipt_proof": [hexed(node) for node in self.receipt_proof],
        }


@dataclass(frozen=True)
class Contents:
    """A bundle, read: agreements oldest version first, headers by number, evidence by hash.

    `texts` are the agreements as YAML, whose fields stand in the order in which people wrote them.
    `contract_signers` are accounts whose signatures only their chain can check (ERC-1271).
    """

    agreements: tuple[SignedAgreement, ...]
    texts: tuple[bytes, ...]
    contract_signers: tuple[Address, ...]
    head: Header
    headers: Mapping[int, bytes]
    transactions: tuple[ProvenTransaction, ...]
    evidence: Mapping[bytes, Mapping[str, object]]
    files: Mapping[str, bytes]
    attestations: Mapping[str, bytes]

    @property
    def agreement(self) -> SignedAgreement:
        """The version that the bundle is about, the newest in it."""
        return self.agreements[-1]


def seal(files: Mapping[str, bytes], about: Mapping[str, object]) -> dict[str, bytes]:
    """The files with README and manifest."""
    everything = {**files, README: READ_ME.encode()}
    listed = {
        name: {"sha256": sha256(data).hexdigest(), "size": str(len(data))}
        for name, data in everything.items()
    }
    everything[MANIFEST] = canonical_json({"format": "1", **about, "files": listed})
    return everything


def about(contents: Contents) -> dict[str, object]:
    """What the manifest says beside the list of files."""
    domain = contents.agreement.domain
    return {
        "agreement": hexed(contents.agreement.id),
        "versions": [hexed(signed.id) for signed in contents.agreements],
        "chain_id": str(domain.chain_id),
        "contract": domain.verifying_contract,
        "contract_signers": list(contents.contract_signers),
        "head": {
            "number": str(contents.head.number),
            "hash": hexed(contents.head.hash),
            "time": str(contents.head.time),
        },
    }


def write(contents: Contents) -> dict[str, bytes]:
    """All files of a bundle."""
    files = dict(contents.attestations)
    for signed, text in zip(contents.agreements, contents.texts, strict=True):
        files |= _agreement_files(signed, text)
    for number, header in contents.headers.items():
        block = {"hash": hexed(decode_header(header).hash), "header": hexed(header)}
        files[_block_name(number)] = canonical_json(block)
    for sent in contents.transactions:
        files[sent.name] = canonical_json(sent.data())
    for digest, words in contents.evidence.items():
        files[f"evidence/{hexed(digest)}.json"] = canonical_json(dict(words))
    for name, data in contents.files.items():
        files[f"files/{name}"] = data
    return seal(files, about(contents))


def read(files: Mapping[str, bytes]) -> Contents:
    """A bundle's files, read.

    Raises:
        EscrowError: something in them is not as `write` writes it.
    """
    manifest = _group(_json(files, MANIFEST))
    head, signers = _group(manifest["head"]), _texts(manifest["contract_signers"])
    # Names that go into sentences are hexadecimal, nothing that could move a terminal's cursor.
    versions = [hexed(bytes_of(version)) for version in _texts(manifest["versions"])]
    trusting = _Contracts(frozenset(signers))
    agreements = tuple(
        SignedAgreement.loads(_file(files, f"{_folder(version)}/signed.json"), wallets=trusting)
        for version in versions
    )
    headers = {
        int(name.split("/")[1].removesuffix(".json")): bytes_of(
            _group(_json(files, name))["header"]
        )
        for name in files
        if name.startswith("blocks/")
    }
    contents = Contents(
        agreements=agreements,
        texts=tuple(_text(files, signed) for signed in agreements),
        contract_signers=tuple(signers),
        head=decode_header(headers[int(str(head["number"]))]),
        headers=headers,
        transactions=tuple(
            _sent(_group(_json(files, name)))
            for name in sorted(files)
            if name.startswith("transactions/")
        ),
        evidence={
            bytes_of(name.split("/")[1].removesuffix(".json")): _group(_json(files, name))
            for name in files
            if name.startswith("evidence/")
        },
        files={name[6:]: data for name, data in files.items() if name.startswith("files/")},
        attestations={n: data for n, data in files.items() if n.startswith("attestations/")},
    )
    _require_same(files, write(contents))
    return contents


def contract_signers(agreements: Sequence[SignedAgreement]) -> tuple[Address, ...]:
    """The accounts whose signatures no key has made."""
    found = {
        signed.agreement.people[role]
        for signed in agreements
        for role, signature in signed.signatures.items()
        if not by_key(signed.agreement.people[role], signed.to_sign(role).digest(), signature)
    }
    return tuple(sorted(found))


def hexed(value: bytes) -> str:
    return "0x" + value.hex()


def bytes_of(value: object) -> bytes:
    if isinstance(value, str) and value.startswith("0x"):
        try:
            return bytes.fromhex(value[2:])
        except ValueError:
            pass
    raise EscrowError("a value in the bundle is not hexadecimal")


@dataclass(frozen=True, slots=True)
class _Contracts:
    """Takes the word of accounts that are said to be contracts; `verify` says so."""

    accounts: frozenset[Address]

    def accepts(self, chain_id: int, account: Address, digest: bytes, signature: bytes) -> bool:
        return account in self.accounts


def text_of(signed: SignedAgreement) -> bytes:
    """An agreement as YAML."""
    return dump(signed.agreement.document).encode()


def _text(files: Mapping[str, bytes], signed: SignedAgreement) -> bytes:
    """The YAML of a bundle, which must say what the document says, and be written like it."""
    name = f"{_folder(hexed(signed.id))}/document.yaml"
    text = _file(files, name)
    tree = parse_source(text.decode(), file=name).tree
    if tree != signed.agreement.document or dump(tree).encode() != text:
        raise DocumentError("is not what the document says", file=name)
    return text


def _agreement_files(signed: SignedAgreement, text: bytes) -> dict[str, bytes]:
    folder = _folder(hexed(signed.id))
    return {
        f"{folder}/document.json": signed.agreement.canonical_json(),
        f"{folder}/document.yaml": text,
        # Which calendar a date was read by is nobody's to prove, so a bundle does not say it.
        f"{folder}/signed.json": canonical_json(replace(signed, calendar="").to_json()),
        f"{folder}/typed-data.json": canonical_json(signed.bound.typed_data().to_json()),
    }


def _folder(agreement_id: str) -> str:
    return f"agreements/{agreement_id}"


def _block_name(number: int) -> str:
    return f"blocks/{number:012d}.json"


def _sent(fields: Mapping[str, object]) -> ProvenTransaction:
    return ProvenTransaction(
        hash=bytes_of(fields["hash"]),
        block=int(str(fields["block"])),
        index=int(str(fields["index"])),
        raw=bytes_of(fields["raw"]),
        receipt=bytes_of(fields["receipt"]),
        transaction_proof=tuple(map(bytes_of, _texts(fields["transaction_proof"]))),
        receipt_proof=tuple(map(bytes_of, _texts(fields["receipt_proof"]))),
    )


def _require_same(given: Mapping[str, bytes], derived: Mapping[str, bytes]) -> None:
    for name in sorted({*given, *derived}):
        if given.get(name) != derived.get(name):
            raise DocumentError("is not what the rest of the bundle says", file=name)


def _file(files: Mapping[str, bytes], name: str) -> bytes:
    if name not in files:
        raise DocumentError("is missing", file=name)
    return files[name]


def _json(files: Mapping[str, bytes], name: str) -> object:
    try:
        return parse_json(_file(files, name), limit=MAX_JSON)
    except ValueError as error:
        raise DocumentError(f"is not JSON ({error})", file=name) from error


def _group(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise EscrowError("a part of the bundle is not a group of fields")
    return value


def _texts(value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise EscrowError("a part of the bundle is not a list of text")
    return value
