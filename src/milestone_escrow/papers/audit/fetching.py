"""Collecting a bundle from a node: the agreement's transactions, with proofs of every one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from milestone_escrow.chain.contract.reader import Reader
from milestone_escrow.chain.node.rpc import Node, RpcError
from milestone_escrow.chain.proofs.headers import decode_header, encode_header
from milestone_escrow.chain.proofs.receipts import encode_receipt
from milestone_escrow.chain.proofs.transactions import encode_transaction
from milestone_escrow.chain.proofs.tries import Trie
from milestone_escrow.documents.attachments import file_sha256
from milestone_escrow.documents.files.collected import words_hash
from milestone_escrow.documents.files.signed_agreement import SignedAgreement
from milestone_escrow.errors import ChainError, EscrowError, UsageError
from milestone_escrow.papers.audit.archive import pack
from milestone_escrow.papers.audit.bundle import (
    Contents,
    ProvenTransaction,
    contract_signers,
    text_of,
    write,
)
from milestone_escrow.papers.audit.bundle_story import attestation_files, events_of, verdicts_of

MAX_FILE = 100_000_000

Words = Callable[[bytes], Mapping[str, object]]


def export(
    reader: Reader,
    versions: Sequence[SignedAgreement],
    words: Words,
    folders: Iterable[Path] = (),
) -> bytes:
    """The audit bundle of an agreement as a file; `versions` are the oldest first.

    `words` gives what a hash on chain stands for, as far as it is known; in `folders` files of
    evidence and attachments are looked for, by their SHA-256.

    Raises:
        EscrowError: the agreement is not open.
        ChainError: the node does not give what proofs are built from.
    """
    return pack(write(collect(reader, versions, words, folders)))


def collect(
    reader: Reader,
    versions: Sequence[SignedAgreement],
    words: Words,
    folders: Iterable[Path] = (),
) -> Contents:
    """See `export`."""
    current = versions[-1]
    if not reader.is_open(current.id):
        raise EscrowError(
            f"{current.agreement.reference} is not open, so there is nothing to prove",
            hint="open it with `escrow open`",
        )
    head = reader.node.request("eth_getBlockByNumber", ["latest", False])
    events = [event for signed in versions for event in reader.events(signed.id)]
    wanted: dict[int, set[str]] = {}
    for event in events:
        wanted.setdefault(event.place.block, set()).add(event.place.transaction.lower())
    headers = {int(head["number"], 16): encode_header(head)}
    sent: list[ProvenTransaction] = []
    for number in sorted(wanted):
        header, found = _block(reader.node, number, wanted[number])
        headers[number] = header
        sent += found
    hashes = {digest for event in events for digest in _hashes(event)}
    evidence = {digest: dict(words(digest)) for digest in sorted(hashes)}
    known = {digest: text for digest, text in evidence.items() if words_hash(text) == digest}
    contents = Contents(
        agreements=tuple(versions),
        texts=tuple(map(text_of, versions)),
        contract_signers=contract_signers(versions),
        head=decode_header(headers[int(head["number"], 16)]),
        headers=dict(sorted(headers.items())),
        transactions=tuple(sent),
        evidence=known,
        files=_files(versions, known.values(), folders),
        attestations={},
    )
    return replace(contents, attestations=attestations(contents))


def attestations(contents: Contents) -> dict[str, bytes]:
    """The files of verdicts that follow from a bundle's transactions."""
    bounds = {signed.id: signed.bound for signed in contents.agreements}
    contract = contents.agreement.domain.verifying_contract
    found = []
    for sent in contents.transactions:
        events = list(events_of(sent, decode_header(contents.headers[sent.block]), contract))
        found += list(verdicts_of(sent, events, bounds))
    return attestation_files(found, bounds)


def listed_files(
    versions: Iterable[SignedAgreement], evidence: Iterable[Mapping[str, object]]
) -> dict[str, str]:
    """The files that the agreement and the evidence name: SHA-256 in hex, and a name."""
    found = {f.sha256: f.name for signed in versions for f in signed.agreement.attachments}
    for words in evidence:
        files = words.get("files")
        for file in files if isinstance(files, list) else []:
            if isinstance(file, dict):
                found[str(file.get("sha256"))] = str(file.get("name"))
    return found


def _block(node: Node, number: int, wanted: set[str]) -> tuple[bytes, Iterator[ProvenTransaction]]:
    block = node.request("eth_getBlockByNumber", [hex(number), True])
    encoded = encode_header(block)
    header = decode_header(encoded)
    transactions = [_raw(node, tx) for tx in block["transactions"]]
    receipts = [encode_receipt(receipt) for receipt in _receipts(node, block)]
    sent_trie, receipt_trie = Trie(transactions), Trie(receipts)
    if sent_trie.root != header.transactions_root or receipt_trie.root != header.receipts_root:
        raise ChainError(
            f"the transactions and receipts of block {number:,} do not give the roots of its "
            "header",
            hint="this chain encodes them differently, or the node is wrong: name another",
        )

    def found() -> Iterator[ProvenTransaction]:
        for index, tx in enumerate(block["transactions"]):
            if tx["hash"].lower() in wanted:
                yield ProvenTransaction(
                    hash=bytes.fromhex(tx["hash"][2:]),
                    block=number,
                    index=index,
                    raw=transactions[index],
                    receipt=receipts[index],
                    transaction_proof=sent_trie.proof(index),
                    receipt_proof=receipt_trie.proof(index),
                )

    return encoded, found()


def _raw(node: Node, tx: Mapping[str, Any]) -> bytes:
    encoded = encode_transaction(tx)
    if encoded is not None:
        return encoded
    return bytes.fromhex(node.request("eth_getRawTransactionByHash", [tx["hash"]])[2:])


def _receipts(node: Node, block: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """All receipts of a block, at once where the node can, else one by one."""
    try:
        found = node.request("eth_getBlockReceipts", [block["number"]])
    except RpcError:
        found = None
    if isinstance(found, list) and len(found) == len(block["transactions"]):
        return found
    return [node.request("eth_getTransactionReceipt", [tx["hash"]]) for tx in block["transactions"]]


def _hashes(event: object) -> Iterator[bytes]:
    for name in ("evidence_hash", "reason_hash"):
        digest = getattr(event, name, b"")
        if any(digest):
            yield digest


def _files(
    versions: Sequence[SignedAgreement],
    evidence: Iterable[Mapping[str, object]],
    folders: Iterable[Path],
) -> dict[str, bytes]:
    wanted = listed_files(versions, evidence)
    found: dict[str, bytes] = {}
    for folder in folders:
        if not folder.is_dir():
            raise UsageError(f"{folder} is not a folder", hint="name the folder with the files")
        for path in sorted(folder.rglob("*")):
            if not path.is_file() or path.is_symlink() or path.stat().st_size > MAX_FILE:
                continue
            digest = file_sha256(path)
            if digest in wanted:
                found[digest] = path.read_bytes()
    return found
