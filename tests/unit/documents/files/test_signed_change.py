"""A change order travels as a file that is read as hostile, and the shelf follows it."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from milestone_escrow.documents.agreement import Agreement, DeploymentLike
from milestone_escrow.documents.change_orders.change_order import change_order
from milestone_escrow.documents.change_orders.marking import mark_change
from milestone_escrow.documents.files.signed_agreement import SignedAgreement
from milestone_escrow.documents.files.signed_change import SignedChange
from milestone_escrow.documents.shelf import Shelf
from milestone_escrow.errors import DocumentError, UsageError
from milestone_escrow.protocol.lifecycle import State, Status
from milestone_escrow.protocol.signatures import Signer

STATES = (State(Status.SETTLED), State(Status.FUNDED), State())
UNTIL = 1_900_000_000
Edit = Callable[..., str]


@pytest.fixture
def old(agreement: Agreement, deployment: DeploymentLike) -> SignedAgreement:
    return SignedAgreement.start(agreement.on(deployment))


@pytest.fixture
def write(
    edited: Edit, old: SignedAgreement, deployment: DeploymentLike
) -> Callable[..., SignedChange]:
    """The change order of a version with another due date."""

    def written(
        due: str = "2027-04-24", base: SignedAgreement = old, states: Any = STATES
    ) -> SignedChange:
        text = base.agreement.source.text or edited()
        text = mark_change(text.replace(text.split("due: ")[2][:10], due), base.bound, states)
        new = SignedAgreement.start(Agreement.loads(text).on(deployment))
        order = change_order(base.bound, new.bound, states, valid_until=UNTIL)
        return SignedChange.of(base, new, order)

    return written


@pytest.fixture
def change(write: Callable[..., SignedChange]) -> SignedChange:
    return write()


def test_contract_wallets_sign_where_their_chain_is_asked(
    change: SignedChange, tmp_path: Path
) -> None:
    class Chain:
        def accepts(self, chain_id: int, account: str, digest: bytes, signature: bytes) -> bool:
            return (account, digest) == (change.old.terms.buyer, change.typed_data.digest())

    file, chain = tmp_path / "change.json", Chain()
    change.add(change.old.terms.buyer, b"\xab" * 130, chain).save(file)
    assert set(SignedChange.load(file, chain).signatures) == {change.old.terms.buyer}
    with pytest.raises(DocumentError, match="check it with its chain at hand"):
        SignedChange.load(file)
    with pytest.raises(UsageError, match="is not by"):
        change.add(change.old.terms.supplier, b"\xab" * 130, chain)


def test_all_who_are_needed_sign(
    change: SignedChange, buyer: Signer, supplier: Signer, stranger: Signer
) -> None:
    people = change.old.agreement.people
    assert change.missing(STATES) == (people["buyer"], people["supplier"])
    both = change.sign(supplier).sign(buyer)
    assert both.missing(STATES) == ()
    assigned = (STATES[0], replace(STATES[1], assignee=stranger.address, handover=1), STATES[2])
    moves = (change.carried, change.epochs, UNTIL)
    again = SignedChange(change.old, change.new, ("built", "delivered"), ("built",), *moves)
    assert again.amendment == change.amendment
    assert both.missing(assigned) == (stranger.address,)


def test_what_is_saved_is_loaded_again(change: SignedChange, buyer: Signer, tmp_path: Path) -> None:
    file = tmp_path / "PO-7.change.json"
    change.sign(buyer).save(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = SignedChange.load(file)
    assert again.amendment == change.amendment
    assert again.signatures == change.sign(buyer).signatures
    assert again.order(STATES).effects() == change.order(STATES).effects()
    with pytest.raises(DocumentError, match="cannot be read"):
        SignedChange.load(tmp_path / "no.json")


def test_what_no_longer_fits_is_said(change: SignedChange) -> None:
    paid = (STATES[0], replace(STATES[1], paid=5), STATES[2])
    with pytest.raises(UsageError, match="has been paid, the new file says"):
        change.order(paid)
    funded = (STATES[0], STATES[1], State(Status.FUNDED))
    with pytest.raises(UsageError, match="has changed since this change order was written"):
        change.order(funded)


def test_copies_are_merged(
    change: SignedChange, write: Callable[..., SignedChange], buyer: Signer, supplier: Signer
) -> None:
    assert change.sign(buyer).merge(change.sign(supplier)).missing(STATES) == ()
    with pytest.raises(UsageError, match="different change orders"):
        change.merge(write("2027-05-01"))


def test_a_foreign_signature_is_refused(
    change: SignedChange, buyer: Signer, supplier: Signer
) -> None:
    with pytest.raises(UsageError, match="is not by"):
        change.add(buyer.address, change.sign(supplier).signatures[supplier.address])


def _swap_versions(fields: dict[str, Any]) -> None:
    fields["old"], fields["new"] = fields["new"], fields["old"]


def _other_new(fields: dict[str, Any]) -> None:
    fields["new"] = fields["old"]


def _edit_document(fields: dict[str, Any]) -> None:
    fields["new"]["document"]["clauses"]["law"] = "Danish law"


def _close_less(fields: dict[str, Any]) -> None:
    fields["closes"] = ["built"]


def _fund_more(fields: dict[str, Any]) -> None:
    fields["funds"] = ["built", "delivered"]


def _unknown_key(fields: dict[str, Any]) -> None:
    fields["closes"] = ["painted"]


def _twice(fields: dict[str, Any]) -> None:
    fields["closes"] = ["built", "built", "delivered"]


def _no_list(fields: dict[str, Any]) -> None:
    fields["funds"] = "built"


def _later(fields: dict[str, Any]) -> None:
    fields["valid_until"] = str(UNTIL + 1)


def _no_time(fields: dict[str, Any]) -> None:
    fields["valid_until"] = 5


def _huge_time(fields: dict[str, Any]) -> None:
    fields["valid_until"] = "9" * 19 + "9"


def _too_late(fields: dict[str, Any]) -> None:
    fields["valid_until"] = str(2**64)[:19]


def _extra(fields: dict[str, Any]) -> None:
    fields["note"] = "hello"


def _not_hex(fields: dict[str, Any]) -> None:
    fields["signatures"] = dict.fromkeys(fields["signatures"], "0xzz")


def _no_text(fields: dict[str, Any]) -> None:
    fields["signatures"] = dict.fromkeys(fields["signatures"], 5)


def _no_accounts(fields: dict[str, Any]) -> None:
    fields["signatures"] = ["0x"]


def _bad_account(fields: dict[str, Any]) -> None:
    fields["signatures"] = {"anna": "0x" + "11" * 65}


FORGERIES = [
    _swap_versions, _other_new, _edit_document, _close_less, _fund_more, _unknown_key, _twice,
    _no_list, _later, _no_time, _huge_time, _too_late, _extra, _not_hex, _no_text, _no_accounts,
    _bad_account,
]  # fmt: skip


@pytest.mark.parametrize("forge", FORGERIES)
def test_refuses_a_file_that_was_changed(
    forge: Callable[[dict[str, Any]], None], change: SignedChange, buyer: Signer
) -> None:
    fields = json.loads(change.sign(buyer).dumps())
    assert SignedChange.loads(json.dumps(fields)).signatures
    forge(fields)
    with pytest.raises(DocumentError) as caught:
        SignedChange.loads(json.dumps(fields), file="PO-7.change.json")
    assert caught.value.file.startswith("PO-7.change.json")


@pytest.mark.parametrize("data", ["", "[]", "{}", "[" * 100_000, b"\xff"])
def test_refuses_what_is_no_such_file(data: str | bytes) -> None:
    with pytest.raises(DocumentError, match="is not a change order"):
        SignedChange.loads(data)


# The shelf


@pytest.fixture
def shelf(tmp_path: Path, old: SignedAgreement) -> Shelf:
    shelf = Shelf(tmp_path / "agreements")
    shelf.put(old)
    return shelf


def test_a_reference_means_the_newest_version(
    shelf: Shelf, change: SignedChange, old: SignedAgreement, write: Callable[..., SignedChange]
) -> None:
    shelf.put(change.new)
    assert shelf.find("T-40").id == change.new.id
    assert shelf.find("0x" + old.id.hex()[:12]).id == old.id
    then = write("2027-05-01", change.new, (State(Status.FUNDED), State()))
    shelf.put(then.new)
    assert shelf.find("t-40").id == then.new.id
    assert [card.agreement_id for card in shelf.versions(then.new.id)] == [
        "0x" + signed.id.hex() for signed in (old, change.new, then.new)
    ]
    assert len(shelf.versions(old.id)) == 1
    assert shelf.versions(b"\1" * 32) == ()


def test_two_versions_of_one_agreement_are_ambiguous(
    shelf: Shelf, change: SignedChange, write: Callable[..., SignedChange]
) -> None:
    shelf.put(change.new)
    shelf.put(write("2027-05-01").new)
    with pytest.raises(UsageError, match="means 2 agreements"):
        shelf.find("T-40")


def test_a_damaged_change_order_hides_no_other(
    shelf: Shelf, change: SignedChange, old: SignedAgreement, write: Callable[..., SignedChange]
) -> None:
    shelf.put_change(change)
    shelf.put_change(write("2027-05-01"))
    damaged = shelf.folder / "changes" / f"0x{old.id.hex()}-0x{change.new.id.hex()}.json"
    damaged.write_bytes(damaged.read_bytes()[:99])
    assert len(shelf.changes(old.id)) == 1
    assert [one.path for one in shelf.look_through()[1]] == [damaged]
    assert shelf.put_change(change).new.id == change.new.id
    assert len(shelf.changes(old.id)) == 2
    assert shelf.look_through()[1] == ()


def test_a_change_order_waits_until_its_version_is_open(
    shelf: Shelf, change: SignedChange, old: SignedAgreement, buyer: Signer, supplier: Signer
) -> None:
    shelf.put_change(change.sign(buyer))
    kept = shelf.put_change(change.sign(supplier))
    assert len(kept.signatures) == 2
    assert [found.dumps() for found in shelf.changes(old.id)] == [kept.dumps()]
    assert shelf.find("T-40").id == old.id
    assert shelf.follow(old, lambda new: False).id == old.id
    assert shelf.follow(old, lambda new: new.id == change.new.id).id == change.new.id
    assert shelf.find("T-40").id == change.new.id
    assert shelf.changes(change.new.id) == ()


def test_a_later_order_to_the_same_version_takes_its_place(
    shelf: Shelf, change: SignedChange, buyer: Signer
) -> None:
    shelf.put_change(change.sign(buyer))
    later = replace(change, valid_until=UNTIL + 5, signatures={})
    assert shelf.put_change(later).signatures == {}
    assert [kept.valid_until for kept in shelf.changes(change.old.id)] == [UNTIL + 5]
