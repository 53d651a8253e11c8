"""Events that others send: authenticated, fresh, taken in once."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, select

from milestone_escrow.documents.files.hostile import parse_json
from milestone_escrow.errors import EscrowError, UsageError
from milestone_escrow.keys.secrets import Secret
from milestone_escrow.oracle import viewing
from milestone_escrow.oracle.policies.webhook_signature import is_signed, secret_bytes
from milestone_escrow.oracle.store import audit_log
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.store import insert_new

MAX_BODY = 64 * 1024
WINDOW = 300

_DELIVERY = re.compile(r"[A-Za-z0-9._:-]{1,100}")
_TIME = re.compile(r"\d{1,12}", re.ASCII)
_ID = re.compile(r"0x[0-9a-fA-F]{64}")
_OWN = ("event", "agreement", "milestone")


class HookError(EscrowError):
    """An event that is not taken in; `status` is what HTTP calls it."""

    def __init__(self, message: str, *, status: int, hint: str = "") -> None:
        super().__init__(message, hint=hint, status=status)
        self.status = status


@dataclass(frozen=True, slots=True)
class Hook:
    """One sender: the secret shared with it, and for how many seconds an event stays fresh."""

    secret: Secret
    window: int = WINDOW


@dataclass(frozen=True, slots=True)
class Received:
    """An event that was taken in; `is_new` is false where the same delivery came before."""

    source: str
    event: str
    agreement_id: bytes
    milestone: int
    is_new: bool


def receive(
    connection: Connection,
    hooks: Mapping[str, Hook],
    source: str,
    headers: Mapping[str, str],
    body: bytes,
    now: int,
) -> Received:
    """Take in an event from `source`; `now` is wall-clock time.

    Sending a delivery again is harmless and answered alike.

    Raises:
        HookError: unknown sender, wrong signature, stale, malformed, or about nothing known here.
    """
    hook = hooks.get(source)
    if hook is None:
        raise HookError(
            f"no events are expected from '{source}'",
            status=404,
            hint=f"name it in oracle.toml, under [webhooks.{source[:40]}]",
        )
    if len(body) > MAX_BODY:
        raise HookError(
            f"the event has {len(body):,} bytes, at most {MAX_BODY:,} are read", status=413
        )
    delivery = _authenticated(hook, headers, body, now)
    fields = _fields(body)
    agreement_id, milestone = _subject(connection, fields)
    event = str(fields["event"])
    fingerprint = hashlib.sha256(body).hexdigest()
    row = {
        "agreement_id": agreement_id,
        "milestone": milestone,
        "kind": "webhook",
        "source": source,
        "name": event,
        "value": {
            "sha256": fingerprint,
            "data": {name: _plain(fields[name]) for name in fields if name not in _OWN},
        },
        "met": True,
        "seen_at": now,
        "delivery": f"{source}:{delivery}",
    }
    is_new = insert_new(connection, t.observations, row, "delivery")
    if is_new:
        audit_log.record(
            connection, now, f"webhook {source}", "event.received",
            audit_log.subject_of(agreement_id, milestone),
            event=event, delivery=delivery, sha256=fingerprint,
        )  # fmt: skip
    else:
        _require_same(connection, str(row["delivery"]), fingerprint)
    return Received(source, event, agreement_id, milestone, is_new)


def _authenticated(hook: Hook, headers: Mapping[str, str], body: bytes, now: int) -> str:
    """The delivery's id, once its signature and time are right."""
    given = {name.lower(): value for name, value in headers.items()}
    delivery, moment = given.get("webhook-id", ""), given.get("webhook-timestamp", "")
    signature = given.get("webhook-signature", "")
    if not _DELIVERY.fullmatch(delivery) or not _TIME.fullmatch(moment) or not signature:
        raise HookError(
            "the event is not signed as agreed",
            status=401,
            hint="send webhook-id, webhook-timestamp and webhook-signature",
        )
    if not is_signed(
        secret_bytes(hook.secret.reveal()), delivery, int(moment), body, signature[:2_000]
    ):
        raise HookError("the event's signature is wrong", status=401, hint="compare the secret")
    # Only now: whoever cannot sign learns nothing about the clock.
    if abs(now - int(moment)) > hook.window:
        raise HookError(
            f"the event was signed {abs(now - int(moment))} s from now, at most {hook.window} s "
            "are allowed",
            status=401,
            hint="sign it anew, and set the sender's clock",
        )
    return delivery


def _fields(body: bytes) -> Mapping[str, Any]:
    try:
        fields = parse_json(body, limit=MAX_BODY, exact=True)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise HookError("the event is not a JSON object", status=400)
    if not all(type(fields.get(name)) in (str, int) and fields[name] != "" for name in _OWN):
        raise HookError(
            "the event needs the fields event, agreement and milestone",
            status=400,
            hint='as in {"event": "delivered", "agreement": "0x…", "milestone": "arrived"}',
        )
    return fields


def _subject(connection: Connection, fields: Mapping[str, Any]) -> tuple[bytes, int]:
    agreement, milestone = str(fields["agreement"]), fields["milestone"]
    view = None
    if _ID.fullmatch(agreement):
        view = viewing.agreement(connection, bytes.fromhex(agreement[2:]))
    if view is None:
        raise HookError(
            "the event is about an agreement that is not open here",
            status=404,
            hint="name it by its id, 0x and 64 hex digits",
        )
    try:
        return view.id, view.find(milestone).index
    except UsageError as error:
        raise HookError(error.message, status=404, hint=error.hint) from error


def _require_same(connection: Connection, delivery: str, fingerprint: str) -> None:
    value = connection.execute(
        select(t.observations.c.value).where(t.observations.c.delivery == delivery)
    ).scalar_one()
    if value["sha256"] != fingerprint:
        raise HookError(
            "this delivery was taken in before, with another content",
            status=409,
            hint="give each event a webhook-id of its own",
        )


def _plain(value: Any) -> Any:
    """JSON that every store keeps digit by digit: fractions become text."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value
