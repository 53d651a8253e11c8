"""A bundle proves what it claims, and whoever changes one byte of it is found out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from milestone_escrow.documents.canonical import canonical_json, sha256
from milestone_escrow.documents.files.collected import words_hash
from milestone_escrow.papers.audit.archive import pack, unpack
from milestone_escrow.papers.audit.bundle import MANIFEST, README
from milestone_escrow.papers.audit.claims import failed, verify
from milestone_escrow.papers.audit.fetching import export
from milestone_escrow.papers.audit.online import verify_on_chain
from milestone_escrow.sandbox.world import World
from tests.support.nodes import Odd
from tests.unit.papers.conftest import Played
from tests.unit.papers.deal import DEAL

REPORT = b"Inspected, AQL 2.5, passed."
WORDS: Mapping[str, object] = {
    "format": "1",
    "files": [
        {
            "name": "inspection-report.txt", "kind": "inspection_report",
            "media_type": "text/plain", "size": str(len(REPORT)), "sha256": sha256(REPORT).hex(),
        }
    ],
}  # fmt: skip

QUICK = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def words(digest: bytes) -> Mapping[str, object]:
    return WORDS if digest == words_hash(WORDS) else {}


@pytest.fixture(scope="module")
def deal() -> Played:
    """Certified on evidence, in full and in part; another milestone approved, one given back."""
    played = Played.open(DEAL)
    bound, world = played.bound, played.world
    for key, part in (("manufactured", 1), ("packed", 3)):
        amount = bound.agreement.milestone(key).amount // part
        what = world.escrow.attestation(bound, key, amount=amount, evidence_hash=words_hash(WORDS))
        milestone = bound.milestones[what.milestone]
        signers = bound.terms.verifiers_of(milestone)[: milestone.quorum]
        data = what.typed_data(bound.domain)
        signatures = {a: world.signer(a).sign_typed_data(data) for a in signers}
        world.escrow.acting_as(world.stranger).attest(bound, what, signatures)
        world.travel(world.now + 3 * 86_400)
        world.escrow.acting_as(world.stranger).finalize(bound, key)
    world.acting_as(bound.terms.buyer).approve(bound, "retainage-1")
    world.acting_as(bound.terms.supplier).refund(bound, "arrived", 5_600_000_000)
    return played


@pytest.fixture(scope="module")
def data(deal: Played, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("evidence")
    (folder / "report.txt").write_bytes(REPORT)
    (folder / "unrelated.txt").write_bytes(b"private")
    return export(deal.world.escrow, [deal.signed], words, [folder])


def reseal(files: Mapping[str, bytes]) -> bytes:
    """As a forger would: the manifest lists the changed files."""
    manifest = json.loads(files[MANIFEST])
    manifest["files"] = {
        name: {"sha256": sha256(content).hex(), "size": str(len(content))}
        for name, content in files.items()
        if name != MANIFEST
    }
    return pack({**files, MANIFEST: canonical_json(manifest)})


def test_everything_it_claims_holds(data: bytes, deal: Played) -> None:
    contents, claims = verify(data)
    assert [claim.holds for claim in claims] == [True] * 13, claims
    assert contents is not None
    assert all(claim.holds for claim in verify_on_chain(contents, deal.world.escrow))
    books = next(claim.why for claim in claims if claim.title.startswith("Money in"))
    # The fee is 1 % of 24,000.00, 68,400.00, 30,400.00 and 5,400.00.
    assert books == (
        "240,000.00 USDC in = 126,918.00 USDC paid + 1,282.00 USDC fees + 5,600.00 USDC given back "
        "+ 106,200.00 USDC held"
    )


def test_holds_what_a_stranger_needs_and_nothing_private(data: bytes, deal: Played) -> None:
    files = unpack(data)
    folders = {name.split("/")[0] for name in files}
    assert folders == {
        README, MANIFEST, "agreements", "attestations", "blocks", "evidence", "files",
        "transactions",
    }  # fmt: skip
    assert [name for name in files if name.startswith("files/")] == [
        f"files/{sha256(REPORT).hex()}"
    ]
    verdict = json.loads(files["attestations/0002-packed.json"])
    assert [signer["name"] for signer in verdict["signers"]] == ["Elbe Logistik", "Indus Survey"]
    assert verdict["amount_text"] == "30,400.00 USDC"
    assert {signer["recovered"] for signer in verdict["signers"]} == {"yes"}


def test_the_same_block_gives_the_same_bytes(data: bytes, deal: Played) -> None:
    first = export(deal.world.escrow, [deal.signed], words)
    assert first == export(deal.world.escrow, [deal.signed], words)
    assert first != data  # which holds a file more


@QUICK
@given(st.data())
def test_any_changed_byte_is_detected(data: bytes, draw: st.DataObject) -> None:
    at = draw.draw(st.integers(0, len(data) - 1))
    to = draw.draw(st.integers(0, 255).filter(lambda value: value != data[at]))
    assert failed(verify(data[:at] + bytes([to]) + data[at + 1 :])[1])


@QUICK
@given(st.data())
def test_a_changed_byte_is_detected_though_the_manifest_agrees(
    data: bytes, draw: st.DataObject
) -> None:
    files = unpack(data)
    name = draw.draw(st.sampled_from(sorted(set(files) - {MANIFEST})))
    content = files[name]
    at = draw.draw(st.integers(0, len(content) - 1))
    to = draw.draw(st.integers(0, 255).filter(lambda value: value != content[at]))
    forged = content[:at] + bytes([to]) + content[at + 1 :]
    assert failed(verify(reseal({**files, name: forged}))[1])


def test_every_changed_field_is_detected_though_the_manifest_agrees(data: bytes) -> None:
    """Each text in each JSON file, a digit or a letter of it replaced, all else consistent."""
    files = unpack(data)
    tried = 0
    for name, content in files.items():
        if not name.endswith(".json"):
            continue
        # Long lists of hashes are all alike; a few of each file are enough.
        for path in list(_leaves(json.loads(content)))[:40]:
            tree = json.loads(content)
            _replace(tree, path)
            forged = {**files, name: canonical_json(tree)}
            sealed = pack(forged) if name == MANIFEST else reseal(forged)
            assert failed(verify(sealed)[1]), f"{name}: {path}"
            tried += 1
    assert tried > 150


@pytest.mark.parametrize("folder", ["agreements", "attestations", "blocks", "transactions"])
def test_a_missing_or_an_added_file_is_detected(data: bytes, folder: str) -> None:
    files = unpack(data)
    first = next(name for name in sorted(files) if name.startswith(folder))
    assert failed(verify(reseal({n: c for n, c in files.items() if n != first}))[1])
    stem, _, end = first.rpartition(".")
    assert failed(verify(reseal({**files, f"{stem}0.{end}": files[first]}))[1])


def test_what_is_left_out_is_said_and_is_no_failure(deal: Played) -> None:
    contents, claims = verify(export(deal.world.escrow, [deal.signed], lambda digest: {}))
    assert not failed(claims)
    assert [claim.title for claim in claims if claim.holds is None] == [
        "Hashes on chain stand for what is listed"
    ]
    assert contents is not None


def test_a_left_out_transaction_shows_on_the_chain(data: bytes, deal: Played) -> None:
    """The last one takes nothing with it that others would miss."""
    files = unpack(data)
    last = max(name for name in files if name.startswith("transactions/"))
    number = last.split("/")[1].split("-")[0]
    head = json.loads(files[MANIFEST])["head"]["number"]
    dropped = {last} if int(head) == int(number) else {last, f"blocks/{number}.json"}
    shorter = reseal({name: c for name, c in files.items() if name not in dropped})
    contents, claims = verify(shorter)
    assert contents is not None
    assert not failed(claims)
    found = verify_on_chain(contents, deal.world.escrow)
    assert "Nothing is left out" in [claim.title for claim in found if claim.holds is False]


def test_another_chain_has_other_blocks(data: bytes, deal: Played) -> None:
    contents, _ = verify(data)
    assert contents is not None
    other = World.start(deal.world.now)
    found = verify_on_chain(contents, other.escrow)
    assert [claim.holds for claim in found] == [False, False, False]


def test_what_happened_since_is_said(deal: Played) -> None:
    snapshot = deal.world.chain.snapshot()
    contents, _ = verify(export(deal.world.escrow, [deal.signed], words))
    assert contents is not None
    deal.world.acting_as(deal.bound.terms.buyer).approve(deal.bound, "retainage-2")
    found = verify_on_chain(contents, deal.world.escrow)
    deal.world.chain.revert(snapshot)
    assert [claim.holds for claim in found] == [True, True, None]
    assert "events have happened since" in found[-1].why


def test_receipts_are_asked_for_one_by_one_where_a_node_gives_no_blocks_of_them(
    data: bytes, deal: Played
) -> None:
    from milestone_escrow.chain.contract.client import Escrow
    from milestone_escrow.chain.node.rpc import RpcError

    escrow = deal.world.escrow
    odd = Odd(escrow.node, eth_getBlockReceipts=RpcError("the method does not exist", code=-32601))
    other = Escrow(odd, escrow.network, escrow.contract)
    assert export(other, [deal.signed], words) == export(escrow, [deal.signed], words)


def test_a_node_that_invents_receipts_is_refused(deal: Played) -> None:
    from milestone_escrow.chain.contract.client import Escrow
    from milestone_escrow.errors import ChainError

    def richer(_: object, truth: object) -> object:
        receipts = truth()  # type: ignore[operator]
        return [{**receipt, "cumulativeGasUsed": "0x1"} for receipt in receipts]

    escrow = deal.world.escrow
    other = Escrow(Odd(escrow.node, eth_getBlockReceipts=richer), escrow.network, escrow.contract)
    with pytest.raises(ChainError, match="do not give the roots of its header"):
        export(other, [deal.signed], words)


Path = tuple[str | int, ...]


def _leaves(tree: object, path: Path = ()) -> Iterator[Path]:
    if isinstance(tree, dict):
        for name, value in tree.items():
            yield from _leaves(value, (*path, name))
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            yield from _leaves(value, (*path, index))
    elif tree:
        yield path


def _replace(tree: object, path: Path) -> None:
    for step in path[:-1]:
        tree = tree[step]  # type: ignore[index]
    value = tree[path[-1]]  # type: ignore[index]
    last = str(value)[-1]
    changed = str(value)[:-1] + ("0" if last != "0" else "1")
    tree[path[-1]] = changed if isinstance(value, str) else value + 1  # type: ignore[index]
