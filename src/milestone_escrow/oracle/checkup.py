"""Everything that must be right before the oracle's first run, each with its fix."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from milestone_escrow.chain.contract.client import Escrow
from milestone_escrow.chain.deploy.deployments import verify_contract
from milestone_escrow.chain.deploy.readiness import Finding, stopped
from milestone_escrow.chain.node.probes import head
from milestone_escrow.chain.send.fees import coins
from milestone_escrow.documents.when import format_duration
from milestone_escrow.errors import EscrowError
from milestone_escrow.oracle import viewing
from milestone_escrow.oracle.assembly import channels
from milestone_escrow.oracle.evidence.blobs import open_blobs
from milestone_escrow.oracle.policies.limits import Limits
from milestone_escrow.oracle.record_check import strange_records
from milestone_escrow.oracle.relaying.patience import RelayingSettings
from milestone_escrow.oracle.settings import Settings
from milestone_escrow.oracle.signing import protection
from milestone_escrow.oracle.store import audit_log
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.store import Store, describe
from milestone_escrow.protocol.eip712 import Address, Domain
from milestone_escrow.words.departures import departure_words

# A clock that is off by more would sign attestations that the contract takes for the future's.
SKEW = 60


@dataclass(frozen=True)
class Patient:
    """What is examined. `connect` reaches the contract; accounts are those that sign and pay for
    gas, None where nobody does."""

    connect: Callable[[], Escrow]
    settings: Callable[[], Settings]
    store: str | Path | None
    usual_store: Callable[[Escrow], Path]
    evidence: str | Path
    signs: Address | None
    pays: Address | None
    now: int
    files: Callable[[], Sequence[str]] = tuple
    running: Callable[[Domain], Running | None] = lambda domain: None


@dataclass(frozen=True)
class Running:
    """What the oracle that runs on this machine says of itself: where it is, and what is not in
    order."""

    url: str
    wrong: Sequence[tuple[str, str]]


def examine(patient: Patient) -> Iterator[Finding]:
    """Everything, in the order in which it is put right."""
    settings = None
    try:
        settings = patient.settings()
        yield Finding("settings", "oracle.toml makes sense, or is not needed")
        yield _looked("secrets", lambda: _secrets(settings, patient))
    except EscrowError as error:
        yield _wrong("settings", error)
    try:
        escrow = patient.connect()
    except EscrowError as error:
        yield _wrong("node", error)
        return
    network = escrow.network
    yield Finding("node", f"answers on chain {network.chain_id}, {network.title}")
    domain = Domain(network.chain_id, escrow.contract)
    yield _looked("contract", lambda: _contract(escrow, domain))
    for token in network.tokens:
        yield from stopped(escrow.node, token, escrow.contract)
    yield _looked("clock", lambda: _clock(escrow, patient.now))
    if settings is not None:
        known = settings
        yield _looked("limits", lambda: _limits(known, escrow))
        yield _looked("gas", lambda: _gas(escrow, known, patient.pays))
    yield from _store(patient, escrow, domain)
    yield from _files(patient)
    yield from _loops(patient, domain)
    where = settings.evidence.where if settings else None
    yield _looked("evidence", lambda: _evidence(where or patient.evidence))


def _secrets(settings: Settings | None, patient: Patient) -> str:
    assert settings is not None
    told = channels(settings, lambda: patient.now)
    for name, hook in settings.webhooks.items():
        settings.secret(name, hook)
    names = ", ".join(channel.name for channel in told)
    token = "; the operator's token reads everything" if settings.operator_token() else ""
    return f"all readable by you alone; reminders go to {names}{token}"


def _contract(escrow: Escrow, domain: Domain) -> str:
    verify_contract(escrow.node, domain)
    return f"{escrow.contract} has the code and the signing domain of this version"


def _clock(escrow: Escrow, now: int) -> str:
    found = head(escrow.node)
    if escrow.network.local:
        return f"block {found.number}; a local chain has a time of its own"
    ahead = found.time - now
    if ahead > SKEW:
        raise EscrowError(
            f"this machine's clock is {format_duration(ahead)} behind the chain's",
            hint="set it by NTP",
        )
    return f"agrees with block {found.number}, {max(-ahead, 0)} seconds old"


def _limits(settings: Settings, escrow: Escrow) -> str | Finding:
    network = escrow.network
    limits = Limits.parse(
        settings.limits.model_dump(exclude_none=True),
        real_money=network.main,
        tokens=network.tokens,
    )
    if limits.per_release or limits.per_day:
        return "amounts are limited"
    fix = "set per_release and per_day under [limits] in oracle.toml"
    return Finding("limits", "no amount is limited", fix, is_note=not network.main)


def _gas(escrow: Escrow, settings: Settings, pays: Address | None) -> str | Finding:
    relaying = RelayingSettings.of(settings.relaying)
    if pays is None:
        fix = "name a key with --gas-key, or let others submit"
        return Finding("gas", "nobody pays for gas, so nothing is submitted", fix, is_note=True)
    wei = int(escrow.node.request("eth_getBalance", [pays, "latest"]), 16)
    has = f"{pays} has {coins(wei, escrow.network.coin)}"
    if wei >= relaying.low_balance:
        return has
    return Finding(
        "gas", has, f"send it at least {coins(relaying.low_balance, escrow.network.coin)}"
    )


def _store(patient: Patient, escrow: Escrow, domain: Domain) -> Iterator[Finding]:
    where = patient.store or patient.usual_store(escrow)
    if isinstance(where, Path) and not where.is_file():
        yield Finding("store", f"{where} will be made")
        if patient.signs:
            yield _history(None, patient.signs, patient.now)
        return
    try:
        store = Store.open(where, domain)
    except EscrowError as error:
        yield _wrong("store", error)
        return
    try:
        with store.reading() as connection:
            reached = viewing.head(connection)
        at = f"block {reached.number}" if reached else "nothing yet"
        yield Finding("store", f"{describe(where)} is in order and has followed the chain to {at}")
        yield _looked("log", lambda: _log(store))
        yield from _records(store)
        yield from _read_otherwise(store)
        if patient.signs:
            yield _history(store, patient.signs, patient.now)
    finally:
        store.close()


def _log(store: Store) -> str:
    with store.reading() as connection:
        last = audit_log.verify(connection)
    return f"{last.seq if last else 0:,} entries, none missing, none changed"


def _records(store: Store) -> Iterator[Finding]:
    """What the store keeps and cannot be read, by name."""
    for name, why in strange_records(store).items():
        if name.startswith("the state of "):
            fix = "start the oracle: it makes it again from the chain's events"
        elif name.startswith("the document of "):
            fix = "give the oracle its file again: `escrow oracle run FILE`"
        else:
            fix = "put it back from a copy of the store; until then it is set aside"
        yield Finding("records", f"{name}: {why}", fix)


def _files(patient: Patient) -> Iterator[Finding]:
    for why in patient.files():
        fix = "put the file back, or move it away; until then it is set aside"
        yield Finding("files", why, fix)


def _loops(patient: Patient, domain: Domain) -> Iterator[Finding]:
    """How the oracle does that runs here."""
    found = patient.running(domain)
    if found is None:
        return
    if not found.wrong:
        yield Finding("running", f"{found.url} is ready, and every loop has come through lately")
    for name, text in found.wrong:
        fix = "its log says more; it tries again by itself"
        yield Finding("running", f"{found.url}, {name}: {text}", fix)


def _read_otherwise(store: Store) -> Iterator[Finding]:
    """What this machine's calendar and packages read otherwise than it was signed."""
    with store.reading() as connection:
        ids = connection.execute(select(t.documents.c.agreement_id)).scalars().all()
        known = viewing.documents(connection, ids).values()
    for signed in known:
        for sentence in departure_words(signed):
            said = f"{signed.agreement.reference}: {sentence}"
            fix = "nothing stops for it; bring time zone data and packages up to date"
            yield Finding("documents", said, fix, is_note=True)


def _history(store: Store | None, signer: Address, now: int) -> Finding:
    known = False
    if store is not None:
        with store.reading() as connection:
            known = protection.is_known(connection, signer)
    if known:
        return Finding("history", f"what {signer} has signed is known here")
    return Finding(
        "history",
        f"what {signer} has signed is not known here",
        "bring it with `escrow oracle signatures import FILE`, or, if the key never signed "
        "anywhere, say --new-key once",
    )


def _evidence(where: str | Path) -> str:
    open_blobs(where)
    return f"files go to {where}"


def _looked(what: str, look: Callable[[], str | Finding]) -> Finding:
    try:
        found = look()
    except EscrowError as error:
        return _wrong(what, error)
    return found if isinstance(found, Finding) else Finding(what, found)


def _wrong(what: str, error: EscrowError) -> Finding:
    return Finding(what, error.message, error.hint or "put that right")
