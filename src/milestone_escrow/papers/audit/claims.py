"""What an audit bundle proves by itself, claim by claim."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from hashlib import sha256

from milestone_escrow.chain.contract.events import (
    AgreementAmended,
    AgreementOpened,
    CreditWithdrawn,
    Event,
    MilestonePaid,
    MilestonesFunded,
    PayoutCredited,
)
from milestone_escrow.chain.contract.replay import undelivered
from milestone_escrow.chain.proofs.headers import Header, decode_header
from milestone_escrow.chain.proofs.receipts import Log, decode_receipt
from milestone_escrow.chain.proofs.tries import proven
from milestone_escrow.documents.agreement import BoundAgreement
from milestone_escrow.documents.canonical import canonical_json
from milestone_escrow.documents.files.collected import words_hash
from milestone_escrow.documents.files.hostile import parse_json
from milestone_escrow.documents.files.signed_agreement import PARTIES
from milestone_escrow.errors import EscrowError
from milestone_escrow.papers.audit.archive import unpack
from milestone_escrow.papers.audit.bundle import (
    MANIFEST,
    MAX_JSON,
    Contents,
    ProvenTransaction,
    hexed,
    read,
)
from milestone_escrow.papers.audit.bundle_story import Verdicts, events_of, verdicts_of
from milestone_escrow.papers.audit.fetching import attestations, listed_files
from milestone_escrow.papers.audit.walk import Walk
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.hashing import keccak
from milestone_escrow.protocol.signatures import by_key

TRANSFER = keccak(b"Transfer(address,address,uint256)")


@dataclass(frozen=True, slots=True)
class Claim:
    """One line of the checklist. `holds` is None where the bundle cannot say; `why` says what was
    found, or what is wrong."""

    title: str
    holds: bool | None
    why: str


@dataclass(frozen=True)
class ToldBundle:
    """A bundle and what its transactions say."""

    contents: Contents

    @cached_property
    def bounds(self) -> Mapping[bytes, BoundAgreement]:
        return {signed.id: signed.bound for signed in self.contents.agreements}

    @cached_property
    def contract(self) -> str:
        return self.contents.agreement.domain.verifying_contract

    @cached_property
    def by_transaction(self) -> tuple[tuple[ProvenTransaction, tuple[Event, ...]], ...]:
        """In the order of the chain, whatever order the files have."""
        ordered = sorted(self.contents.transactions, key=lambda sent: (sent.block, sent.index))
        return tuple(
            (sent, tuple(events_of(sent, self.header(sent), self.contract))) for sent in ordered
        )

    def header(self, sent: ProvenTransaction) -> Header:
        return decode_header(self.contents.headers[sent.block])

    def events(self, agreement_id: bytes) -> tuple[Event, ...]:
        """The events of one version."""
        return tuple(
            event
            for _, events in self.by_transaction
            for event in events
            if version_of(event) == agreement_id
        )

    @cached_property
    def verdicts(self) -> tuple[Verdicts, ...]:
        return tuple(
            verdict
            for sent, events in self.by_transaction
            for verdict in verdicts_of(sent, events, self.bounds)
        )

    @cached_property
    def walks(self) -> tuple[Walk, ...]:
        return tuple(
            Walk(bound).run(self.events(agreement_id))
            for agreement_id, bound in self.bounds.items()
        )


def verify(data: bytes, *, file: str = "bundle") -> tuple[Contents | None, tuple[Claim, ...]]:
    """Check a bundle by itself; without contents where it cannot even be read."""
    whole = claimed("The file is whole", lambda: _whole(data, file))
    if not whole.holds:
        return None, (whole,)
    found: list[Contents] = []

    def legible() -> str:
        found.append(read(unpack(data, file=file)))
        told = found[0].agreement
        return f"{told.agreement.reference}, {told.agreement.title}; id {hexed(told.id)}"

    readable = claimed("Every part follows from the rest", legible)
    if not found:
        return None, (whole, readable)
    told = ToldBundle(found[0])
    checks = (
        ("The agreement is the one with this id", _agreement),
        ("Both sides agreed", _consent),
        ("The blocks are what their hashes say", _blocks),
        ("The transactions stand in these blocks", _transactions),
        ("The receipts are those of these transactions", _receipts),
        ("Every verdict was signed by its quorum", _quorum),
        ("Every step follows the rules agreed", _steps),
        ("Money in is money out and money held", _books),
        ("The token moved what the contract says", _transfers),
        ("Hashes on chain stand for what is listed", _evidence),
        ("The files are those listed", _files),
    )
    rest = [claimed(title, partial(check, told)) for title, check in checks]
    return found[0], (whole, readable, *rest)


def claimed(title: str, check: Callable[[], str | Claim]) -> Claim:
    """A claim by its check, which says what it found, or raises."""
    try:
        said = check()
    except EscrowError as error:
        return Claim(title, False, str(error))
    except Exception as error:  # whatever a forged file makes a parser stumble over
        return Claim(title, False, f"cannot be read ({type(error).__name__})")
    return said if isinstance(said, Claim) else Claim(title, True, said)


def _whole(data: bytes, file: str) -> str:
    files = unpack(data, file=file)
    if MANIFEST not in files:
        raise EscrowError(f"it has no {MANIFEST}")
    manifest = parse_json(files[MANIFEST], limit=MAX_JSON)
    if not isinstance(manifest, dict) or canonical_json(manifest) != files[MANIFEST]:
        raise EscrowError(f"{MANIFEST} is not canonical")
    listed = {name: content for name, content in files.items() if name != MANIFEST}
    if manifest["format"] != "1" or set(manifest["files"]) != set(listed):
        raise EscrowError("the manifest lists other files than there are")
    for name, content in listed.items():
        expected = {"sha256": sha256(content).hexdigest(), "size": str(len(content))}
        if manifest["files"][name] != expected:
            raise EscrowError(f"{name} is not the file that the manifest lists")
    return f"{len(files)} files, each with the SHA-256 that the manifest lists"


def _agreement(told: ToldBundle) -> str:
    for signed in told.contents.agreements:
        digest = sha256(signed.agreement.canonical_json()).digest()
        if digest != signed.terms.document_hash or signed.bound.typed_data().digest() != signed.id:
            raise EscrowError(f"{signed.agreement.reference} hashes to something else")
    ids = [signed.id for signed in told.contents.agreements]
    before = [signed.agreement.replaces for signed in told.contents.agreements[1:]]
    if before != ids[:-1]:
        raise EscrowError("the versions do not replace each other in this order")
    digest = told.contents.agreement.terms.document_hash
    count = f", {len(ids)} versions" if len(ids) > 1 else ""
    return f"document SHA-256 {digest.hex()}, terms and EIP-712 digest follow{count}"


def _consent(told: ToldBundle) -> Claim | str:
    title, asked = "Both sides agreed", []
    for signed in told.contents.agreements:
        opened = [e for e in told.events(signed.id) if isinstance(e, AgreementOpened)]
        if not opened:
            raise EscrowError(f"{signed.agreement.reference} was never opened in this bundle")
        for role in PARTIES:
            signature, account = signed.signatures.get(role), signed.agreement.people[role]
            digest = signed.to_sign(role).digest()
            if signature and by_key(account, digest, signature):
                continue
            asked.append(role)
    if not asked:
        return "the signatures of buyer and supplier recover to their accounts"
    names = " and ".join(dict.fromkeys(asked))
    return Claim(
        title, True,
        f"the contract opened it, which takes the consent of both; {names} consented by sending or "
        "as a contract wallet, not by a signature in here",
    )  # fmt: skip


def _blocks(told: ToldBundle) -> str:
    headers = told.contents.headers
    for number, encoded in headers.items():
        if decode_header(encoded).number != number:
            raise EscrowError(f"block {number} is another one")
    used = {sent.block for sent in told.contents.transactions} | {told.contents.head.number}
    if set(headers) != used:
        raise EscrowError("there are blocks without a transaction of this agreement")
    head = told.contents.head
    if max(headers) > head.number:
        raise EscrowError("there are blocks after the last one")
    return f"{len(headers)} headers, the last one {hexed(head.hash)} (number {head.number:,})"


def _transactions(told: ToldBundle) -> str:
    for sent in told.contents.transactions:
        if keccak(sent.raw) != sent.hash:
            raise EscrowError(f"{hexed(sent.hash)} is not the hash of its transaction")
        root = told.header(sent).transactions_root
        if proven(root, sent.index, sent.transaction_proof) != sent.raw:
            raise EscrowError(f"{hexed(sent.hash)} is not in block {sent.block:,}")
    return f"{len(told.contents.transactions)} transactions, each proven by a Merkle path"


def _receipts(told: ToldBundle) -> str:
    for sent in told.contents.transactions:
        root = told.header(sent).receipts_root
        if proven(root, sent.index, sent.receipt_proof) != sent.receipt:
            raise EscrowError(f"the receipt of {hexed(sent.hash)} is not in block {sent.block:,}")
        if not decode_receipt(sent.receipt).succeeded:
            raise EscrowError(f"{hexed(sent.hash)} failed")
    credited: set[tuple[Address, Address]] = set()
    for sent, events in told.by_transaction:
        own = any(version_of(event) in told.bounds for event in events)
        # Any withdrawal of an account may be of what this agreement paid.
        withdraws = any(
            isinstance(event, CreditWithdrawn) and (event.token, event.account) in credited
            for event in events
        )
        if not own and not withdraws:
            raise EscrowError(f"{hexed(sent.hash)} has nothing to do with this agreement")
        if own:
            credited |= {(e.token, e.account) for e in events if isinstance(e, PayoutCredited)}
    return f"{len(told.contents.transactions)} receipts, each proven by a Merkle path"


def _quorum(told: ToldBundle) -> str | Claim:
    by_chain = hidden = 0
    for verdict in told.verdicts:
        event, bound = verdict.event, told.bounds[verdict.event.agreement_id]
        milestone = bound.milestones[event.milestone]
        key = bound.agreement.milestones[event.milestone].key
        allowed = bound.terms.verifiers_of(milestone)
        accounts = [bound.terms.verifiers[place] for place in event.signers]
        if len(set(accounts)) < milestone.quorum or not set(accounts) <= set(allowed):
            raise EscrowError(f"'{key}' was decided by {len(accounts)} of {milestone.quorum}")
        hidden += verdict.attestation is None
        by_chain += sum(not one.by_key for one in verdict.signatures)
    if attestations(told.contents) != dict(told.contents.attestations):
        raise EscrowError("the attestations listed are not those of the transactions")
    count = len(told.verdicts)
    if not count:
        return "no verifier had to decide yet"
    said = f"{count} verdicts, every signature recovered to its verifier"
    if hidden or by_chain:
        said = (
            f"{count} verdicts; of their signatures {by_chain} by contract wallets, and those of "
            f"{hidden} verdicts within another contract's call: the chain has checked them"
        )
    return said


def _steps(told: ToldBundle) -> str:
    count = sum(len(told.events(walk.bound.id)) for walk in told.walks)
    return f"{count} events replayed through the status table, payees, fees and clocks included"


def _books(told: ToldBundle) -> str:
    said = []
    for walk in told.walks:
        out = walk.paid_out + walk.fees + walk.given_back + walk.carried_on
        if walk.paid_in != out + walk.held:
            raise EscrowError(
                f"{walk.bound.agreement.amount(walk.paid_in)} went in, "
                f"{walk.bound.agreement.amount(out + walk.held)} is accounted for"
            )
        parts = [(walk.paid_out, "paid"), (walk.fees, "fees"), (walk.given_back, "given back"),
                 (walk.carried_on, "carried on"), (walk.held, "held")]  # fmt: skip
        shown = [f"{walk.bound.agreement.amount(n)} {word}" for n, word in parts if n]
        said.append(f"{walk.bound.agreement.amount(walk.paid_in)} in = {' + '.join(shown) or '0'}")
        events = [event for _, events in told.by_transaction for event in events]
        if waits := sum(one.units for one in undelivered(walk.bound, events)):
            said.append(f"of this, {walk.bound.agreement.amount(waits)} could not be delivered")
    return "; ".join(said)


def _transfers(told: ToldBundle) -> str | Claim:
    """What the token says that it moved, against what the contract says, transaction by
    transaction; those that moved other agreements' money, too, cannot be told apart."""
    checked = shared = 0
    token = bytes.fromhex(told.contents.agreement.terms.token[2:])
    contract = bytes.fromhex(told.contract[2:])
    for sent, events in told.by_transaction:
        moved = sum(_moved(log, token, contract) for log in decode_receipt(sent.receipt).logs)
        if any(version_of(event) not in (*told.bounds, b"") for event in events):
            shared += 1
        elif moved != sum(_books_of(event) for event in events if _is_in(event, token)):
            raise EscrowError(f"in {hexed(sent.hash)} the token moved another amount")
        else:
            checked += 1
    also = f"; {shared} shared with other agreements, not told apart" if shared else ""
    return f"{checked} transactions, to the last unit{also}"


def _moved(log: Log, token: bytes, contract: bytes) -> int:
    if log.address != token or len(log.topics) != 3 or log.topics[0] != TRANSFER:
        return 0
    amount = int.from_bytes(log.data, "big")
    return amount * ((log.topics[2][12:] == contract) - (log.topics[1][12:] == contract))


def _is_in(event: Event, token: bytes) -> bool:
    """Whether an event moves this token; only those of credits may be about another."""
    if isinstance(event, (PayoutCredited, CreditWithdrawn)):
        return bytes.fromhex(event.token[2:]) == token
    return True


def _books_of(event: Event) -> int:
    """What an event adds to the contract's balance."""
    if isinstance(event, MilestonesFunded):
        return event.amount
    if isinstance(event, AgreementAmended):
        return -event.carried
    if isinstance(event, MilestonePaid):
        return -event.total
    if isinstance(event, PayoutCredited):
        return event.amount
    return -event.amount if isinstance(event, CreditWithdrawn) else 0


def _evidence(told: ToldBundle) -> str | Claim:
    title = "Hashes on chain stand for what is listed"
    wanted = {
        digest
        for agreement_id in told.bounds
        for event in told.events(agreement_id)
        for digest in (getattr(event, "evidence_hash", b""), getattr(event, "reason_hash", b""))
        if any(digest)
    }
    for digest, words in told.contents.evidence.items():
        if words_hash(words) != digest or digest not in wanted:
            raise EscrowError(f"evidence {hexed(digest)} hashes to something else")
    if not wanted:
        return "no hash of evidence or of a reason stands on the chain"
    missing = len(wanted - set(told.contents.evidence))
    if missing:
        said = f"of {len(wanted)} hashes, what {missing} stand for is not in the bundle"
        return Claim(title, None, f"{said}; whoever has the files can add them")
    return f"{len(wanted)} hashes, each of the list of files or the reason in here"


def _files(told: ToldBundle) -> str | Claim:
    title = "The files are those listed"
    wanted = listed_files(told.contents.agreements, told.contents.evidence.values())
    for name, content in told.contents.files.items():
        if sha256(content).hexdigest() != name or name not in wanted:
            raise EscrowError(f"the file {name[:16]}… is not one that was listed")
    if not wanted:
        return "no file is listed"
    missing = len(set(wanted) - set(told.contents.files))
    if missing:
        said = f"{len(told.contents.files)} of {len(wanted)} files are in the bundle"
        return Claim(title, None, f"{said}; --with-files adds the others")
    return f"{len(wanted)} files, each with its SHA-256"


def version_of(event: Event) -> bytes:
    """Which version an event belongs to; empty for credits, which belong to accounts."""
    if isinstance(event, AgreementAmended):
        return event.replaces
    found: bytes = getattr(event, "agreement_id", b"")
    return found


def failed(claims: Iterable[Claim]) -> bool:
    """Whether any claim does not hold."""
    return any(claim.holds is False for claim in claims)
