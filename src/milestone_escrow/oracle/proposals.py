"""What one side has signed or written and another has not answered yet: splits and offers, which
stand until the milestone changes, and change orders, which collect signatures."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from sqlalchemy import Connection, Row, delete, select

from milestone_escrow.documents.files.signed_act import ACTS, SignedAct
from milestone_escrow.documents.files.signed_change import SignedChange
from milestone_escrow.errors import EscrowError, LifecycleError, UsageError
from milestone_escrow.oracle.store import aside, audit_log
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.store import serialize, upsert
from milestone_escrow.oracle.viewing import AgreementView
from milestone_escrow.protocol.acts import Resolution
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.lifecycle import end
from milestone_escrow.protocol.receivables import ASSIGNABLE, Offer, stands
from milestone_escrow.protocol.signatures import Wallets

CHANGE = "amendment"


def keep(connection: Connection, signed: SignedAct, by: str, now: int) -> bytes:
    """Keep a split or an offer whose signatures were checked; returns its digest, its name."""
    act = signed.act
    values = {
        field.name: str(getattr(act, field.name))
        for field in fields(act)
        if field.name != "agreement_id"
    }
    digest = signed.typed_data.digest()
    row = _row(digest, act.agreement_id, signed.kind, values, signed.signatures, now)
    _keep(connection, {**row, "milestone": act.milestone}, by, now)
    return digest


def splits(connection: Connection, view: AgreementView, index: int, now: int) -> list[SignedAct]:
    """The proposed splits of all that a milestone holds that still stand, the newest first."""
    return _standing(connection, view, index, Resolution, now)


def offers(connection: Connection, view: AgreementView, index: int, now: int) -> list[SignedAct]:
    """The offers of a milestone's receivable that still stand, the newest first."""
    return _standing(connection, view, index, Offer, now)


def offers_of(connection: Connection, view: AgreementView) -> Iterator[tuple[int, SignedAct]]:
    """The offers of an agreement's receivables that nothing has voided since, with when each was
    handed in; also those that have expired."""
    for row, signed in _readable(view, _rows(connection, view, Offer)):
        if not _overtaken(view, signed):
            yield row.made_at, signed


def take_offer(
    connection: Connection, view: AgreementView, signed: SignedAct, by: str, now: int
) -> bool:
    """Keep an offer whose signatures were checked; whether it was not known already.

    Raises:
        LifecycleError: the contract would not take it any more; it says why.
    """
    if why := why_void(view, signed, now):
        raise LifecycleError(
            f"the offer of '{signed.planned.key}' is void: {why}",
            hint="ask the payee for a new one",
        )
    digest = signed.typed_data.digest()
    known = select(t.proposals.c.digest).where(t.proposals.c.digest == digest)
    if connection.execute(known).first():
        return False
    payee = view.payee(signed.act.milestone)
    # Who else signed it does not matter to anybody.
    keep(connection, replace(signed, signatures={payee: signed.signatures[payee]}), by, now)
    return True


def why_void(view: AgreementView, signed: SignedAct, now: int) -> str:
    """Why the contract would not take a split or an offer any more; empty where it would."""
    act, stage = signed.act, view.views[signed.act.milestone]
    if now > act.valid_until:
        return "it has expired"
    if isinstance(act, Offer) and now >= end(stage.milestone, stage.state):
        return "the milestone's time is over"
    return _overtaken(view, signed)


def keep_change(connection: Connection, change: SignedChange, by: str, now: int) -> bytes:
    """Keep a change order with its signatures, which were checked, beside those that are here;
    returns its digest."""
    digest = change.typed_data.digest()
    # Two who sign at once must not overwrite each other.
    serialize(connection, "audit")
    query = select(t.proposals.c.signatures).where(t.proposals.c.digest == digest)
    known = connection.execute(query).scalar_one_or_none() or {}
    change = replace(change, signatures={**_raw(known), **change.signatures})
    values = {"file": change.dumps()}
    row = _row(digest, change.old.id, CHANGE, values, change.signatures, now)
    _keep(connection, {**row, "milestone": None}, by, now)
    return digest


def changes(connection: Connection, agreement_id: bytes) -> dict[bytes, tuple[Address, ...]]:
    """Who has signed each of an agreement's change orders, by digest, the newest first."""
    rows = connection.execute(
        select(t.proposals.c.digest, t.proposals.c.signatures)
        .where(t.proposals.c.agreement_id == agreement_id, t.proposals.c.kind == CHANGE)
        .order_by(t.proposals.c.made_at.desc(), t.proposals.c.digest)
    )
    found: dict[bytes, tuple[Address, ...]] = {}
    for row in rows:
        with aside.apart(f"the change order 0x{row.digest.hex()}"):
            found[row.digest] = tuple(row.signatures)
    return found


def change(
    connection: Connection, agreement_id: bytes, digest: str, wallets: Wallets | None = None
) -> SignedChange:
    """One change order, by its hexadecimal digest; `wallets` asks about contracts' signatures.

    Raises:
        UsageError: there is no such one.
    """
    wanted = bytes.fromhex(digest[2:]) if re.fullmatch("0x[0-9a-f]{64}", digest) else b""
    data = connection.execute(
        select(t.proposals.c.data).where(
            t.proposals.c.digest == wanted,
            t.proposals.c.agreement_id == agreement_id,
            t.proposals.c.kind == CHANGE,
        )
    ).scalar_one_or_none()
    if data is None:
        raise UsageError("there is no such change order", hint="look at the agreement again")
    return SignedChange.loads(data["file"], wallets=wallets)


def drop_unsigned_changes(connection: Connection, agreement_id: bytes) -> None:
    """Forget the change orders that nobody has signed: a newer one is written instead."""
    where = (t.proposals.c.agreement_id == agreement_id, t.proposals.c.kind == CHANGE)
    connection.execute(delete(t.proposals).where(*where, t.proposals.c.signatures == {}))


def named(found: list[SignedAct], digest: str) -> SignedAct:
    """The one that its hexadecimal digest names.

    Raises:
        EscrowError: it does not stand any more.
    """
    for one in found:
        if "0x" + one.typed_data.digest().hex() == digest:
            return one
    raise EscrowError(
        "what was proposed does not stand any more", hint="look at the agreement again"
    )


def _keep(connection: Connection, row: dict[str, Any], by: str, now: int) -> None:
    upsert(connection, t.proposals, row, "digest")
    subject = audit_log.subject_of(row["agreement_id"], row["milestone"])
    digest, signers = "0x" + row["digest"].hex(), sorted(row["signatures"])
    action = f"{row['kind']}.proposed"
    audit_log.record(connection, now, by, action, subject, digest=digest, signed_by=signers)


def _row(
    digest: bytes,
    agreement_id: bytes,
    kind: str,
    data: Mapping[str, str],
    signatures: Mapping[Address, bytes],
    now: int,
) -> dict[str, Any]:
    return {
        "digest": digest,
        "agreement_id": agreement_id,
        "kind": kind,
        "data": dict(data),
        "signatures": {account: "0x" + one.hex() for account, one in signatures.items()},
        "made_at": now,
    }


def _standing(
    connection: Connection, view: AgreementView, index: int, kind: type, now: int
) -> list[SignedAct]:
    found = _readable(view, _rows(connection, view, kind, index))
    return [one for _, one in found if not why_void(view, one, now)]


def _readable(
    view: AgreementView, rows: Iterable[Row[Any]]
) -> Iterator[tuple[Row[Any], SignedAct]]:
    """Those that can be read; one that cannot stops none of them."""
    for row in rows:
        signed = None
        with aside.apart(f"the {row.kind} 0x{row.digest.hex()}"):
            signed = _signed(view, row)
            view.find(signed.act.milestone)
        if signed is not None:
            yield row, signed


def _rows(
    connection: Connection, view: AgreementView, kind: type, index: int | None = None
) -> Sequence[Row[Any]]:
    """What was proposed, the newest first; nothing where the document is not known."""
    if view.signed is None:
        return []
    name = next(name for name, act in ACTS.items() if act is kind)
    query = select(t.proposals).where(
        t.proposals.c.agreement_id == view.id, t.proposals.c.kind == name
    )
    if index is not None:
        query = query.where(t.proposals.c.milestone == index)
    return connection.execute(
        query.order_by(t.proposals.c.made_at.desc(), t.proposals.c.digest)
    ).all()


def _signed(view: AgreementView, row: Row[Any]) -> SignedAct:
    assert view.signed is not None
    kind, data = ACTS[row.kind], row.data
    values: dict[str, Any] = {
        field.name: int(data[field.name]) if field.type == "int" else data[field.name]
        for field in fields(kind)
        if field.name != "agreement_id"
    }
    act = kind(agreement_id=view.id, **values)
    return SignedAct(view.signed.bound, act, {}, _raw(row.signatures))


def _raw(signatures: Mapping[Address, str]) -> dict[Address, bytes]:
    return {account: bytes.fromhex(one[2:]) for account, one in signatures.items()}


def _overtaken(view: AgreementView, signed: SignedAct) -> str:
    """Which part of what was signed is not so any more; empty where nothing has happened."""
    act, stage = signed.act, view.views[signed.act.milestone]
    left = stage.held
    if isinstance(act, Offer):
        payee = view.payee(act.milestone)
        if payee not in signed.signatures:
            return f"{payee}, whom the milestone pays, did not sign it"
        if stage.state.status not in ASSIGNABLE:
            return "what the milestone pays cannot change hands now"
        fits = stands(act, left, stage.state)
    else:
        assert isinstance(act, Resolution)
        whole = act.to_payee + act.to_buyer == left
        fits = stage.state.status.holds and whole and stands(act, left, stage.state)
    if not fits:
        return "something has happened to the milestone since it was signed"
    return ""
