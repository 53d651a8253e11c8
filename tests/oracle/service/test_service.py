"""The whole service on one chain: evidence in, money out, whatever happens in between."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from milestone_escrow.chain.node.rpc import Node
from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.documents.files.signed_agreement import SignedAgreement
from milestone_escrow.errors import ChainError, EscrowError
from milestone_escrow.keys.local_signers import DevSigner
from milestone_escrow.oracle import viewing
from milestone_escrow.oracle.api.app import create_app
from milestone_escrow.oracle.assembly import Instance, Parts, assemble
from milestone_escrow.oracle.evidence import handing_in
from milestone_escrow.oracle.evidence.entries import manifest
from milestone_escrow.oracle.log_lines import JsonLines, Sentences
from milestone_escrow.oracle.settings import Settings
from milestone_escrow.oracle.signing.batch_json import BatchItem, BatchPost, batch_data
from milestone_escrow.oracle.store import audit_log
from milestone_escrow.oracle.store.store import Store
from milestone_escrow.protocol.acts import batch_typed_data
from milestone_escrow.protocol.eip712 import Domain
from milestone_escrow.protocol.lifecycle import Status
from milestone_escrow.sandbox.world import World
from tests.cli.deal import DEAL, START

BUYER, SUPPLIER, SURVEYOR, CARPENTER, RELAYER = (DevSigner(n) for n in (1, 2, 3, 4, 18))
FOUNDATION, WALLS = 1, 2

Start = Callable[..., Instance]


@pytest.fixture
def world() -> World:
    world = World.start(START)
    world.mint(BUYER.address, world.escrow.token("USDC"), 50_000 * 10**6)
    return world


@pytest.fixture
def signed(world: World) -> SignedAgreement:
    """A deal, open and funded."""
    bound = Agreement.loads(DEAL).on(world.escrow)
    signed = SignedAgreement.start(bound).sign(BUYER).sign(SUPPLIER)
    signatures = {
        signer.address: signed.signatures[role]
        for role, signer in (("buyer", BUYER), ("supplier", SUPPLIER))
    }
    world.escrow.acting_as(BUYER).open(signed, signatures, range(4), how="permit")
    return signed


@pytest.fixture
def start(world: World, open_store: Callable[..., Store], tmp_path: Path) -> Start:
    """Starts an oracle on the same store, as after a restart."""

    def starts(
        verifier: DevSigner | None = None,
        *,
        new_key: bool = False,
        settings: Settings = Settings(),  # noqa: B008 - frozen
    ) -> Instance:
        escrow = world.escrow
        store = open_store(domain=Domain(escrow.network.chain_id, escrow.contract))
        parts = Parts(
            store,
            escrow,
            settings,
            relayer=RELAYER,
            verifier=verifier,
            new_key=new_key,
            evidence=tmp_path / "evidence",
            clock=lambda: world.chain.time,
        )
        return assemble(parts)

    return starts


def _register(instance: Instance, signed: SignedAgreement) -> None:
    with instance.service.store.transaction() as connection:
        viewing.register(connection, signed, by="operator", now=START)


def _hand_in(
    instance: Instance, signed: SignedAgreement, account: str, milestone: int = FOUNDATION
) -> None:
    store = instance.service.store
    with store.reading() as connection:
        view = viewing.agreement(connection, signed.id)
    assert view is not None
    assert instance.api.blobs is not None
    photo = b"\x89PNG\r\n\x1a\n" + bytes(16)
    handing_in.add(
        store, instance.api.blobs, instance.api.rules, view, milestone, "photos.png", [photo],
        account, START,
    )  # fmt: skip


def _status(world: World, signed: SignedAgreement, milestone: int = FOUNDATION) -> Status:
    return world.escrow.states(signed)[milestone].status


def _open(world: World, reference: str, trusting: str) -> SignedAgreement:
    """A deal like the other, with one milestone for which the supplier's own photos are enough."""
    text = DEAL.replace(trusting, f"{trusting}, supplier_evidence: is enough")
    bound = Agreement.loads(text.replace("SHED-7", reference)).on(world.escrow)
    deal = SignedAgreement.start(bound).sign(BUYER).sign(SUPPLIER)
    signatures = {
        signer.address: deal.signatures[role]
        for role, signer in (("buyer", BUYER), ("supplier", SUPPLIER))
    }
    world.escrow.acting_as(BUYER).open(deal, signatures, range(4), how="permit")
    return deal


def test_signs_and_releases_what_is_shown(
    world: World, signed: SignedAgreement, start: Start
) -> None:
    deal = _open(world, "SHED-8", "verified_by: surveyor, requires: [photos from supplier]")
    instance = start(SURVEYOR, new_key=True)
    _register(instance, deal)
    instance.service.tick()
    assert _status(world, deal) is Status.FUNDED
    _hand_in(instance, deal, SUPPLIER.address)
    instance.service.tick()
    assert _status(world, deal) is Status.SETTLED
    # A restart finds all done, and does nothing more.
    sent = world.chain.head.number
    start(SURVEYOR).service.tick()
    assert world.chain.head.number == sent
    with instance.service.store.reading() as connection:
        assert audit_log.verify(connection) is not None


def test_joins_another_verifiers_batch_and_sends_it_as_one(world: World, start: Start) -> None:
    walls = "due: 2027-05-01,\n     requires: [photos from supplier]"
    deals = [_open(world, name, walls) for name in ("SHED-8", "SHED-9")]
    instance = start(SURVEYOR, new_key=True)
    for deal in deals:
        _register(instance, deal)
    instance.service.tick()
    for deal in deals:
        _hand_in(instance, deal, SUPPLIER.address, WALLS)
    with instance.service.store.reading() as connection:
        items = tuple(
            world.escrow.attestation(
                deal, WALLS, evidence_hash=manifest(connection, deal.id, WALLS).hash
            )
            for deal in sorted(deals, key=lambda deal: deal.id)
        )
    signature = CARPENTER.sign_typed_data(batch_typed_data(world.escrow.domain, items))
    post = BatchPost(tuple(BatchItem(one, {}) for one in items), {CARPENTER.address: signature})
    client = TestClient(create_app(instance.api))
    assert client.post("/v1/batches", json=batch_data(post)).json()["state"] == "open"
    before = world.chain.head.number
    instance.service.tick()
    assert [_status(world, deal, WALLS) for deal in deals] == [Status.SETTLED] * 2
    assert world.chain.head.number == before + 1


def test_does_not_sign_on_the_payees_word_alone(
    world: World, signed: SignedAgreement, start: Start
) -> None:
    instance = start(SURVEYOR, new_key=True)
    _register(instance, signed)
    instance.service.tick()
    _hand_in(instance, signed, SUPPLIER.address)
    instance.service.tick()
    assert _status(world, signed) is Status.FUNDED


def test_a_key_without_its_history_does_not_start(start: Start) -> None:
    with pytest.raises(EscrowError, match="--new-key"):
        start(SURVEYOR)


def test_lets_time_decide_what_falls_due(
    world: World, signed: SignedAgreement, start: Start
) -> None:
    instance = start()
    _register(instance, signed)
    instance.service.tick()
    world.chain.warp(400 * 86_400)
    instance.service.tick()
    states = world.escrow.states(signed)
    assert {state.status for state in states} == {Status.SETTLED}


def test_a_node_that_does_not_answer_stops_nothing(
    world: World, signed: SignedAgreement, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = start()
    _register(instance, signed)

    def silent(*_: object) -> object:
        raise ChainError("no node answers")

    with monkeypatch.context() as patched:
        node: Node = instance.escrow.node
        patched.setattr(node, "request", silent)
        with pytest.raises(ChainError):
            instance.service.follow()
        instance.service.work()
        instance.service.tell()
    instance.service.tick()
    with instance.service.store.reading() as connection:
        assert viewing.agreement(connection, signed.id) is not None


def test_log_lines_cannot_be_forged() -> None:
    record = logging.LogRecord("milestone_escrow.oracle.api", 20, "", 0, "a\nb", (), None)
    record.fields = {"who": "x\r\x1b[2Jy"}
    assert "\n" not in Sentences().format(record)
    assert "\x1b" not in Sentences().format(record)
    line = JsonLines().format(record)
    assert io.StringIO(line).read().count("\n") == 0
    assert json.loads(line)["text"] == "a\nb"


def test_the_operators_token_is_read_from_its_file_and_never_logged(
    signed: SignedAgreement, start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    token, file = "0123456789abcdef" * 2, tmp_path / "operator.token"
    file.write_text(token)
    file.chmod(0o600)
    caplog.set_level(logging.DEBUG)
    tree = {"api": {"operator_token_file": file.name}}
    instance = start(settings=Settings.read(tree, tmp_path / "oracle.toml"))
    instance.service.tick()
    with TestClient(create_app(instance.api)) as client:
        for shown, status in ((token, 200), (token[:-1] + "x", 401)):
            headers = {"Authorization": f"Bearer {shown}"}
            assert client.get("/v1/session", headers=headers).status_code == status
    assert token not in caplog.text + repr(instance)
