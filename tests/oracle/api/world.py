"""A service with one agreement in it, and the people around it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import Connection, insert, update

from milestone_escrow import Agreement
from milestone_escrow.chain.contract.events import (
    AgreementOpened,
    Event,
    MilestonePaid,
    MilestonesFunded,
    Place,
)
from milestone_escrow.chain.node.networks import network
from milestone_escrow.documents.files.signed_agreement import SignedAgreement
from milestone_escrow.keys import DevSigner
from milestone_escrow.oracle import viewing
from milestone_escrow.oracle.api import sessions
from milestone_escrow.oracle.api.app import create_app
from milestone_escrow.oracle.api.deps import ApiDeps, ApiSettings
from milestone_escrow.oracle.api.sessions import hashed
from milestone_escrow.oracle.store import row_shapes
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.store import Store, upsert
from milestone_escrow.protocol.devchain import SANDBOX_CHAIN_ID
from milestone_escrow.protocol.eip712 import Domain
from milestone_escrow.protocol.lifecycle import State, Status, end
from milestone_escrow.protocol.token import Token
from tests.cli.deal import DEAL, START

DOMAIN = Domain(SANDBOX_CHAIN_ID, "0xBbcBa0436641eEbfEf117b7185573B146487a1AA")
USDC = Token("USDC", "0xB26E813cFd31649Dab7eBD9234193999F88A66e1", 6)
ORIGIN = "http://oracle.example"
NOW = START + 1_000
DEPOSIT, FOUNDATION, WALLS, HANDOVER = range(4)
PEOPLE = {"buyer": 1, "supplier": 2, "surveyor": 3, "carpenter": 4, "arbiter": 6, "stranger": 7}


@dataclass(frozen=True, slots=True)
class Here:
    """The deployment that the agreements are bound to."""

    domain: Domain = DOMAIN

    def token(self, symbol: str) -> Token:
        return USDC


@dataclass
class Clock:
    """Wall-clock time that stands still until a test moves it."""

    now: float = NOW

    def __call__(self) -> float:
        return self.now


@dataclass
class World:
    """Everything that a test touches. `deal` is open on chain, as far as the store knows."""

    store: Store
    clock: Clock
    deps: ApiDeps
    app: FastAPI
    client: TestClient
    deal: SignedAgreement
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return "0x" + self.deal.id.hex()

    @property
    def url(self) -> str:
        return f"/v1/agreements/{self.id}"

    def as_(self, role: str) -> dict[str, str]:
        """Headers of somebody who is signed in; none for "anonymous"."""
        if role == "anonymous":
            return {}
        if role not in self.tokens:
            with self.store.transaction() as connection:
                account = signer(role).address
                self.tokens[role], _ = sessions.start(connection, account, int(self.clock.now))
        return {"Authorization": f"Bearer {self.tokens[role]}"}

    def login(self, role: str, session: str = "token", **headers: str) -> dict[str, Any]:
        message = self.message(role, **headers)
        body = {"message": message, "signature": sign(role, message), "session": session}
        answer = self.client.post("/v1/login", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def message(self, role: str, **headers: str) -> str:
        account = {"account": signer(role).address}
        answer = self.client.post("/v1/login/nonce", json=account, headers=headers)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["message"])

    def get(self, path: str, role: str = "anonymous", **query: str) -> Any:
        return self.client.get(path, params=query, headers=self.as_(role))

    def post(self, path: str, role: str = "anonymous", **more: Any) -> Any:
        headers = {**self.as_(role), **more.pop("headers", {})}
        return self.client.post(path, headers=headers, **more)


def signer(role: str) -> DevSigner:
    return DevSigner(PEOPLE[role])


def sign(role: str, message: str) -> str:
    """A wallet's signature of a text (`personal_sign`)."""
    from eth_account import Account
    from eth_account.messages import encode_defunct

    number = PEOPLE[role]
    signed = Account.sign_message(encode_defunct(text=message), number.to_bytes(32, "big"))
    assert Account.from_key(number.to_bytes(32, "big")).address == signer(role).address
    return "0x" + bytes(signed.signature).hex()


def agreement(reference: str = "SHED-7", **changed: str) -> SignedAgreement:
    """The deal, or one like it, signed by both parties."""
    text = DEAL.replace("SHED-7", reference)
    for old, new in changed.items():
        text = text.replace(old, new)
    signed = SignedAgreement.start(Agreement.loads(text).on(Here()))
    for role in ("buyer", "supplier"):
        signed = signed.add(role, signed.bound.sign(signer(role)))
    return signed


FUNDED = State(Status.FUNDED, epoch=1)
STATES = (
    State(Status.SETTLED, epoch=1, paid=1_000_000_000),
    FUNDED,
    State(Status.SUBMITTED, clock=NOW + 7 * 86_400, epoch=2),
    State(),
)


def open_on_chain(
    connection: Connection,
    signed: SignedAgreement,
    *,
    block: int = 10,
    first: int = 0,
    states: tuple[State, ...] = STATES,
) -> None:
    """What the indexer would write."""
    bound = signed.bound
    terms = bound.terms
    connection.execute(
        insert(t.agreements).values(
            agreement_id=signed.id,
            buyer=terms.buyer,
            supplier=terms.supplier,
            arbiter=terms.arbiter,
            token=terms.token,
            terms=row_shapes.terms_data(terms),
            milestones=row_shapes.milestones_data(bound.milestones),
            opened_block=block,
            opened_at=START + block,
        )
    )
    for index, (milestone, state) in enumerate(zip(bound.milestones, states, strict=True)):
        row = {name: getattr(state, name) for name in State.__dataclass_fields__}
        connection.execute(
            insert(t.milestones).values(
                agreement_id=signed.id,
                milestone=index,
                amount=milestone.amount,
                deadline=milestone.deadline,
                **{**row, "status": int(state.status)},
                next_at=end(milestone, state) or None,
                changed_block=block,
                changed_at=START,
            )
        )
    place = Place(block, START, "0x" + f"{block:064x}", first)
    happened(
        connection,
        AgreementOpened(place, signed.id, terms.buyer, terms.supplier, terms, bound.milestones),
        MilestonesFunded(at(place, first + 1), signed.id, terms.buyer, (0, 1, 2), 8_000_000_000),
        MilestonePaid(at(place, first + 2), signed.id, 0, terms.supplier, 1_000_000_000, 0, 0),
    )


def at(place: Place, log_index: int, block: int = 0) -> Place:
    return Place(block or place.block, place.time, place.transaction, log_index)


def happened(connection: Connection, *events: Event) -> None:
    for event in events:
        row = row_shapes.event_row(event, block_hash(event.place.block))
        connection.execute(insert(t.events).values(row))


def block_hash(number: int) -> bytes:
    return number.to_bytes(32, "big")


def set_head(connection: Connection, number: int = 12, time: int = NOW) -> None:
    row = {
        "id": 1,
        "number": number,
        "hash": block_hash(number),
        "time": time,
        "final_number": number - 2,
        "final_hash": block_hash(number - 2),
    }
    upsert(connection, t.cursor, row, "id")


def set_state(store: Store, signed: SignedAgreement, index: int, state: State) -> None:
    row: Mapping[str, Any] = {name: getattr(state, name) for name in State.__dataclass_fields__}
    with store.transaction() as connection:
        connection.execute(
            update(t.milestones)
            .where(t.milestones.c.agreement_id == signed.id)
            .where(t.milestones.c.milestone == index)
            .values(**{**row, "status": int(state.status)})
        )


def register(store: Store, signed: SignedAgreement) -> None:
    with store.transaction() as connection:
        viewing.register(connection, signed, by="operator", now=NOW)


OPERATOR = "the-operators-own-token-of-32-characters"


def seed(store: Store) -> None:
    """The deal, open on chain and with its document."""
    deal = agreement()
    with store.transaction() as connection:
        open_on_chain(connection, deal)
        set_head(connection)
    register(store, deal)


def build(store: Store, **changed: Any) -> World:
    """The service over a seeded store, with settings or rooms otherwise than usual."""
    clock, deal = Clock(), agreement()
    names = {known.name for known in dataclasses.fields(ApiSettings)}
    usual: dict[str, Any] = {
        "domain": DOMAIN,
        "network": network("sandbox"),
        "origin": ORIGIN,
        "operator_token": hashed(OPERATOR),
        "stream_poll": 0.02,
    }
    given = {name: value for name, value in changed.items() if name in names}
    rooms = {name: value for name, value in changed.items() if name not in names}
    settings = ApiSettings(**usual | given)
    deps = ApiDeps(**{"store": store, "settings": settings, "clock": clock} | rooms)
    app = create_app(deps)
    return World(store, clock, deps, app, TestClient(app, base_url=settings.origin), deal)
