"""Reminders and events by webhook, as JSON, signed as https://www.standardwebhooks.com describes.

Each request carries `webhook-id` (the same for every attempt), `webhook-timestamp` (Unix seconds of
this attempt) and `webhook-signature`: "v1," and base64 of HMAC-SHA256 over "id.timestamp.body" with
the shared secret. `verify` is what a receiver does with them.
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult

from milestone_escrow.errors import EscrowError, UsageError
from milestone_escrow.keys.secrets import Secret
from milestone_escrow.oracle.policies.http import USER_AGENT, Fetcher, FetchError
from milestone_escrow.oracle.policies.webhook_signature import is_signed, secret_bytes, sign
from milestone_escrow.oracle.reminders.delivery import MAX_NAME, Delivery, DeliveryError, Mark
from milestone_escrow.oracle.reminders.notices import Notice
from milestone_escrow.oracle.reminders.situation import Situation
from milestone_escrow.oracle.store.types import dumps

API = 1
TOLERANCE = 300
GONE = 410


class SignatureError(EscrowError):
    """A webhook that did not come from where it says, was changed, or is old."""


def verify(
    secret: str, headers: Mapping[str, str], body: bytes, now: int, *, tolerance: int = TOLERANCE
) -> str:
    """The delivery's id, under which a receiver remembers that it has seen it.

    Raises:
        SignatureError: the signature is wrong, or older than `tolerance` seconds.
    """
    given = {name.lower(): value for name, value in headers.items()}
    try:
        delivery_id, timestamp = given["webhook-id"], int(given["webhook-timestamp"])
    except (KeyError, ValueError):
        raise SignatureError("the headers of a signed webhook are missing") from None
    if abs(now - timestamp) > tolerance:
        raise SignatureError(f"it was signed at {timestamp}, it is {now}")
    offered = given.get("webhook-signature", "")
    if not is_signed(secret_bytes(secret), delivery_id, timestamp, body, offered):
        raise SignatureError("the signature is not of this secret, this body and this time")
    return delivery_id


def payload(delivery: Delivery) -> bytes:
    """The JSON body: the same bytes at every attempt."""
    body = delivery.body
    return dumps(
        {
            "api": API,
            "id": delivery.id,
            "type": delivery.kind,
            "at": body["at"],
            "until": body["until"],
            "subject": body["subject"],
            "text": body["text"],
            "agreement": body["agreement"],
            "milestone": body["milestone"],
            "facts": body["facts"],
        }
    ).encode()


@dataclass(frozen=True)
class WebhookChannel:
    """Posts to one address. `kinds` are those it wants, or their first words; () = all.

    `fetcher` says what may be reached: public https, unless its settings say otherwise.
    """

    label: str
    url: str
    secret: Secret
    clock: Callable[[], int]
    kinds: tuple[str, ...] = ()
    fetcher: Fetcher = field(default_factory=Fetcher)

    def __post_init__(self) -> None:
        if not 1 <= len(self.name) <= MAX_NAME:
            raise UsageError(
                f"'{self.label}' is too long a name for an address to notify",
                hint=f"use at most {MAX_NAME - len('hook:')} letters",
            )

    @property
    def name(self) -> str:
        return f"hook:{self.label}"

    def recipients(self, notice: Notice, seen: Situation | None) -> tuple[str, ...]:
        wanted = not self.kinds or any(
            notice.kind == kind or notice.kind.startswith(f"{kind}.") for kind in self.kinds
        )
        return ("",) if wanted else ()

    def send(self, delivery: Delivery, mark: Mark) -> None:
        body, timestamp = payload(delivery), self.clock()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": USER_AGENT,
            "Connection": "close",
            "webhook-id": delivery.id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(
                secret_bytes(self.secret.reveal()), delivery.id, timestamp, body
            ),
        }
        marked = False

        def mark_first() -> None:
            nonlocal marked
            mark()
            marked = True

        try:
            status = _Poster.of(self.fetcher).post(self.url, body, headers, mark_first)
        except FetchError as error:
            raise DeliveryError(f"{self.label}: {error.message}", unsure=marked) from None
        if not 200 <= status < 300:
            raise DeliveryError(f"{self.label} answered {status}", lasting=status == GONE)


class _Poster(Fetcher):
    """The same care as for looking things up, but sends."""

    @classmethod
    def of(cls, fetcher: Fetcher) -> _Poster:
        return cls(
            fetcher.seconds,
            fetcher.max_bytes,
            fetcher.plain,
            fetcher.private,
            fetcher.resolver,
            fetcher.dialer,
            fetcher.context,
        )

    def post(self, url: str, body: bytes, headers: Mapping[str, str], mark: Mark) -> int:
        """The answer's status; redirects are answers like others.

        Raises:
            FetchError: refused, unreachable or too slow.
        """
        parts, host, port = self._target(url)
        address = self._vetted(host, port)
        try:
            with self._connected(parts.scheme, host, address, port) as connection:
                mark()
                connection.request("POST", _path(parts), body, dict(headers))
                answer = connection.getresponse()
                answer.read(self.max_bytes)
                return answer.status
        except ssl.SSLCertVerificationError as error:
            raise FetchError(f"its certificate is not valid ({error.verify_message})") from None
        except TimeoutError:
            raise FetchError(f"no answer within {self.seconds:g} s") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise FetchError(f"no usable answer ({reason})") from None


def _path(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
