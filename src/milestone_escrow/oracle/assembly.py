"""From settings and keys to a service: which room gets what."""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from milestone_escrow.chain.contract.client import Escrow
from milestone_escrow.chain.contract.wallets import ContractWallets
from milestone_escrow.chain.deploy.deployments import verify_contract
from milestone_escrow.errors import ChainError
from milestone_escrow.oracle.api.deps import ApiDeps, ApiSettings
from milestone_escrow.oracle.api.throttle import rates
from milestone_escrow.oracle.evaluating import Deciding
from milestone_escrow.oracle.evidence.blobs import open_blobs
from milestone_escrow.oracle.evidence.handing_in import IntakeRules
from milestone_escrow.oracle.indexer.bounds import AgreementFilter
from milestone_escrow.oracle.indexer.indexer import Indexer
from milestone_escrow.oracle.policies.http import Fetcher
from milestone_escrow.oracle.policies.limits import Limits
from milestone_escrow.oracle.policies.looking import Looking
from milestone_escrow.oracle.policies.webhook import Hook
from milestone_escrow.oracle.policies.would_sign import why_not
from milestone_escrow.oracle.relaying.patience import RelayingSettings
from milestone_escrow.oracle.relaying.relayer import Relayer
from milestone_escrow.oracle.reminders.delivery import Channel
from milestone_escrow.oracle.reminders.journal import LogChannel
from milestone_escrow.oracle.reminders.mail import MailChannel, MailSettings
from milestone_escrow.oracle.reminders.posting import WebhookChannel
from milestone_escrow.oracle.service import Pauses, Service
from milestone_escrow.oracle.settings import Settings
from milestone_escrow.oracle.signing.signer import GuardedSigner
from milestone_escrow.oracle.store.store import Store
from milestone_escrow.protocol.eip712 import Domain
from milestone_escrow.protocol.signatures import Signer

LOCAL_PAUSES = Pauses(follow=0.25, work=0.5, tell=1.0)


@dataclass(frozen=True)
class Instance:
    """One running oracle: the service, and what its API and page work with."""

    service: Service
    api: ApiDeps
    escrow: Escrow


@dataclass(frozen=True)
class Parts:
    """What an operator brings. `relayer` pays for gas, `verifier` signs attestations; each may be
    missing, and then that part of the work is left to others. `new_key` vouches that the verifier's
    key has never signed anywhere."""

    store: Store
    escrow: Escrow
    settings: Settings
    relayer: Signer | None = None
    verifier: Signer | None = None
    new_key: bool = False
    evidence: str | Path = "evidence"
    origin: str = ""
    since: int = 0
    owner: str = ""
    clock: Callable[[], int] = field(default=lambda: int(time.time()))


def assemble(parts: Parts) -> Instance:
    """Put the rooms together.

    Raises:
        UsageError: a setting makes no sense.
        KeyFileError: a secret is missing, or others can read it.
    """
    escrow, settings, store = parts.escrow, parts.settings, parts.store
    network = escrow.network
    owner = parts.owner or f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"[:80]
    watched = AgreementFilter(
        frozenset(bytes.fromhex(one.removeprefix("0x")) for one in settings.indexing.agreements),
        frozenset(settings.indexing.parties),
    )
    indexer = Indexer(store, escrow.node, network, escrow.contract, parts.since, watched=watched)
    relayer = None
    if parts.relayer is not None:
        relaying = RelayingSettings.of(settings.relaying)
        relayer = Relayer(
            store,
            escrow.node,
            network,
            escrow.contract,
            parts.relayer,
            relaying,
            parts.clock,
            owner=owner,
        )
    limits = Limits.parse(
        settings.limits.model_dump(exclude_none=True),
        real_money=network.main,
        tokens=network.tokens,
    )
    guarded = guarded_signer(parts, limits) if parts.verifier else None
    service = Service(
        store,
        network,
        indexer,
        parts.clock,
        owner,
        decider=Deciding(store, limits, guarded),
        asker=Looking(store, fetcher_of(settings)),
        relayer=relayer,
        channels=channels(settings, parts.clock),
        leads=settings.reminders.ahead,
        pauses=LOCAL_PAUSES if network.local else Pauses(),
    )
    api = ApiDeps(
        store,
        _api_settings(parts),
        clock=parts.clock,
        wake=service.wake,
        chain_problem=lambda: _problem(escrow),
        balance=(lambda: relayer.balance) if relayer else (lambda: None),
        wallets=ContractWallets(escrow.node, network.chain_id),
        blobs=open_blobs(settings.evidence.where or parts.evidence),
        rules=IntakeRules(settings.evidence.max_size, frozenset(settings.evidence.types)),
        hooks={
            name: Hook(settings.secret(name, hook), hook.window)
            for name, hook in settings.webhooks.items()
        },
        counters=relayer.collectors if relayer else (),
        loops=service.loops,
    )
    return Instance(service, api, escrow)


def guarded_signer(parts: Parts, limits: Limits) -> GuardedSigner:
    """The verifier's key under its protection.

    Raises:
        EscrowError: nothing is known of what the key has signed, and nobody vouches for it.
    """
    assert parts.verifier is not None
    domain = Domain(parts.escrow.network.chain_id, parts.escrow.contract)
    guarded = GuardedSigner(
        parts.store,
        domain,
        parts.verifier,
        why_not=lambda connection, view, attestation, now: why_not(
            connection, view, attestation, limits, now
        ),
        verify_contract=lambda: verify_contract(parts.escrow.node, domain),
    )
    guarded.start(parts.clock(), declared_new=parts.new_key)
    return guarded


def channels(settings: Settings, clock: Callable[[], int]) -> tuple[Channel, ...]:
    """Everybody who is told: the log always, and whom oracle.toml names."""
    found: list[Channel] = [LogChannel()]
    fetcher = fetcher_of(settings)
    for name, notify in settings.notify.items():
        secret = settings.secret(name, notify)
        found.append(
            WebhookChannel(name, notify.url, secret, clock, kinds=notify.events, fetcher=fetcher)
        )
    if settings.email is not None:
        found.append(MailChannel(_mail(settings)))
    return tuple(found)


def fetcher_of(settings: Settings) -> Fetcher:
    """What the oracle may ask and tell over HTTP."""
    hosts = frozenset(settings.http.allow_hosts)
    return Fetcher(seconds=settings.http.timeout, private=hosts)


def _problem(escrow: Escrow) -> str:
    """Why the node cannot be used just now; "" where it can."""
    try:
        escrow.now()
    except ChainError as error:
        return error.message
    return ""


def _mail(settings: Settings) -> MailSettings:
    email = settings.email
    assert email is not None
    has_secret = email.secret_file is not None or email.secret_env is not None
    return MailSettings(
        email.host,
        email.sender,
        port=email.port,
        username=email.user,
        password=settings.secret("email", email) if has_secret else None,
        security=email.security,
        operators=email.operators,
        parties=email.parties,
        copies=email.copies,
    )


def _api_settings(parts: Parts) -> ApiSettings:
    api, escrow = parts.settings.api, parts.escrow
    domain = Domain(escrow.network.chain_id, escrow.contract)
    usual = ApiSettings(domain, escrow.network)
    return ApiSettings(
        domain,
        escrow.network,
        origin=api.public_url or parts.origin or usual.origin,
        trusted_proxies=api.trusted_proxies,
        session_seconds=api.session,
        operator_token=parts.settings.operator_token(),
        rates=rates(api.requests_per_minute),
    )
