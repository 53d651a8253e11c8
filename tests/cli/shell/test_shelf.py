"""The agreements that this machine knows, and how a name finds one of them."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from milestone_escrow.cli.oracle import serving
from milestone_escrow.documents.agreement import Agreement, BoundAgreement
from milestone_escrow.documents.files.signed_agreement import SignedAgreement, signed_path
from milestone_escrow.documents.shelf import Shelf
from milestone_escrow.errors import DocumentError, UsageError
from milestone_escrow.keys import DevSigner
from milestone_escrow.oracle.store import aside
from milestone_escrow.protocol.devchain import SANDBOX_CHAIN_ID
from milestone_escrow.protocol.eip712 import Domain
from milestone_escrow.protocol.token import Token
from tests.cli.conftest import Run
from tests.cli.deal import DEAL

CONTRACT = "0x00000000000000000000000000000000000000E5"


class Place:
    """A deployment, as far as an agreement needs to know it."""

    domain = Domain(SANDBOX_CHAIN_ID, CONTRACT)

    def token(self, symbol: str) -> Token:
        return Token(symbol, "0x0000000000000000000000000000000000000C0C", 6)


def bind(agreement: Agreement) -> BoundAgreement:
    return agreement.on(Place())


def same(one: SignedAgreement | None, other: SignedAgreement) -> bool:
    """The lines of the file are not kept; everything that is signed is."""
    return one is not None and one.to_json() == other.to_json()


@pytest.fixture
def shelf(home: Path) -> Shelf:
    return Shelf(home / "agreements")


@pytest.fixture
def unsigned(deal: Path) -> SignedAgreement:
    return SignedAgreement.start(bind(Agreement.load(deal)))


@pytest.fixture
def other(deal: Path) -> SignedAgreement:
    """Another deal under the same reference."""
    agreement = Agreement.loads(DEAL.replace("A garden shed", "A larger shed"))
    return SignedAgreement.start(bind(agreement))


def test_keeps_what_is_put_there_for_its_owner_only(shelf: Shelf, unsigned: SignedAgreement):
    shelf.put(unsigned)
    (path,) = shelf.folder.iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    assert shelf.folder.stat().st_mode & 0o777 == 0o700
    assert same(shelf.get(unsigned.id), unsigned)


def test_keeps_the_signatures_of_both_copies(shelf: Shelf, unsigned: SignedAgreement):
    shelf.put(unsigned.sign(DevSigner(1)))
    both = shelf.put(unsigned.sign(DevSigner(2)))
    assert set(both.signatures) == {"buyer", "supplier"}
    assert same(shelf.get(unsigned.id), both)


def test_finds_by_reference_id_and_first_digits(shelf: Shelf, unsigned: SignedAgreement):
    shelf.put(unsigned)
    digits = unsigned.id.hex()
    for name in ("SHED-7", "shed-7", "0x" + digits, digits, digits[:4], "0x" + digits[:6].upper()):
        assert shelf.find(name).id == unsigned.id


def test_finds_by_file_with_the_signatures_beside_it(shelf: Shelf, deal: Path):
    signed = SignedAgreement.start(bind(Agreement.load(deal))).sign(DevSigner(1))
    signed.save(signed_path(deal))
    assert same(shelf.find(str(deal), bind), signed)
    assert same(shelf.find(str(signed_path(deal))), signed)


def test_forgets_the_signatures_beside_a_file_that_has_changed(shelf: Shelf, deal: Path):
    SignedAgreement.start(bind(Agreement.load(deal))).sign(DevSigner(1)).save(signed_path(deal))
    deal.write_text(deal.read_text("utf-8").replace("Handed over", "Keys handed over"), "utf-8")
    assert not shelf.find(str(deal), bind).signatures


def test_lists_the_candidates_of_an_ambiguous_name(
    shelf: Shelf, unsigned: SignedAgreement, other: SignedAgreement
):
    shelf.put(unsigned)
    shelf.put(other)
    with pytest.raises(UsageError) as caught:
        shelf.find("SHED-7")
    for signed in (unsigned, other):
        assert f"0x{signed.id.hex()[:8]}…" in str(caught.value)
    assert "first digits" in str(caught.value)


def test_names_what_is_known_when_nothing_fits(shelf: Shelf, unsigned: SignedAgreement):
    with pytest.raises(UsageError, match="give the path of its file once"):
        shelf.find("PO-1")
    shelf.put(unsigned)
    with pytest.raises(UsageError, match="known here: SHED-7"):
        shelf.find("PO-1")
    with pytest.raises(UsageError, match="did you mean 'SHED-7'"):
        shelf.find("SHED-8")


def test_three_digits_are_too_few_for_an_id(shelf: Shelf, unsigned: SignedAgreement):
    shelf.put(unsigned)
    with pytest.raises(UsageError, match="there is no agreement"):
        shelf.find(unsigned.id.hex()[:3])


def test_refuses_a_file_that_does_not_exist(shelf: Shelf):
    with pytest.raises(UsageError, match=r"nowhere\.yaml does not exist"):
        shelf.find("nowhere.yaml", bind)


DAMAGES = pytest.mark.parametrize(
    "damage", [b"", b"{}", b"[]", b'{"document": 5}', b"\xff", b"cut"], ids=repr
)


@DAMAGES
def test_a_damaged_file_is_set_aside_and_named(
    shelf: Shelf, unsigned: SignedAgreement, other: SignedAgreement, damage: bytes
):
    shelf.put(unsigned)
    shelf.put(other)
    path = shelf.folder / f"0x{other.id.hex()}.json"
    path.write_bytes(path.read_bytes()[:2_000] if damage == b"cut" else damage)
    assert [card.agreement_id for card in shelf.cards()] == [f"0x{unsigned.id.hex()}"]
    assert shelf.find("SHED-7").id == unsigned.id
    good, strange = shelf.look_through()
    assert [signed.id for signed in good] == [unsigned.id]
    assert [one.path for one in strange] == [path]
    assert str(path) in strange[0].why


def test_a_folder_that_cannot_be_read_is_not_an_empty_one(escrow: Run, shelf: Shelf):
    assert shelf.look_through() == ((), ())
    shelf.folder.parent.mkdir(exist_ok=True)
    shelf.folder.write_bytes(b"")
    good, (found,) = shelf.look_through()
    assert good == ()
    assert found.path == shelf.folder
    assert "cannot be read (Not a directory)" in found.why
    with pytest.raises(DocumentError, match="cannot be read"):
        shelf.find("SHED-7")
    status = escrow("status")
    assert "cannot be read (Not a directory)" in status.words + status.err
    assert "Nothing needs you" not in status.words
    assert "no agreement here yet" not in status.words


def test_an_oracle_looks_again_when_a_file_changes_where_it_lies(
    shelf: Shelf, unsigned: SignedAgreement
):
    shelf.put(unsigned)
    (path,) = shelf.folder.iterdir()
    whole, told = path.read_bytes(), shelf.glance()
    session: Any = SimpleNamespace(shelf=shelf, say=print)
    given: Any = None
    oracle = serving.Shelf(session, store=given, domain=given)
    oracle.look(0)
    assert not aside.everything()
    path.write_bytes(whole[:-9])
    assert shelf.glance() != told
    oracle.look(1)
    assert [str(path) in name for name in aside.everything()] == [True]
    path.write_bytes(whole)
    oracle.look(2)
    assert not aside.everything()


@DAMAGES
def test_a_damaged_copy_makes_room_for_a_whole_one(
    shelf: Shelf, unsigned: SignedAgreement, damage: bytes
):
    shelf.put(unsigned)
    (path,) = shelf.folder.iterdir()
    path.write_bytes(damage)
    assert shelf.put(unsigned).id == unsigned.id
    assert shelf.find("SHED-7").id == unsigned.id
    assert path.with_suffix(".json.damaged").read_bytes() == damage


def test_refuses_a_shelf_file_whose_terms_were_changed(shelf: Shelf, unsigned: SignedAgreement):
    shelf.put(unsigned)
    (path,) = shelf.folder.iterdir()
    fields = json.loads(path.read_text("utf-8"))
    fields["terms"]["supplier"] = fields["terms"]["arbiter"]
    path.write_text(json.dumps(fields), encoding="utf-8")
    with pytest.raises(DocumentError, match="the terms are not those of the document"):
        shelf.find("SHED-7")
