"""What every request passes on its way in, and every answer on its way out.

Plain ASGI, so that bodies and event streams pass through without being collected.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from fastapi import HTTPException

from milestone_escrow.oracle.api.problems import MEDIA_TYPE, Problem, encoded
from milestone_escrow.oracle.api.throttle import Buckets, IpNetwork, caller_address

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers: TypeAlias = list[tuple[bytes, bytes]]

logger = logging.getLogger("milestone_escrow.oracle.api")

# A page that the web room serves sets its own policy; everything else may load nothing at all.
SECURITY_HEADERS: dict[bytes, bytes] = {
    b"content-security-policy": (
        b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; sandbox"
    ),
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-resource-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
    b"permissions-policy": b"camera=(), geolocation=(), microphone=()",
    b"cache-control": b"no-store",
}
HSTS = (b"strict-transport-security", b"max-age=31536000")

# Whoever asks these must be answered even while somebody else asks too much; both are cheap.
_PROBES = frozenset({"/healthz", "/readyz"})


class TooLarge(HTTPException):
    """More of a body has come than is allowed. Of this kind, since the framework reports any other
    error while it reads a body as a malformed one."""

    def __init__(self, limit: int) -> None:
        super().__init__(413)
        self.limit = limit

    def problem(self) -> Problem:
        return Problem(
            413,
            f"the request is larger than the allowed {self.limit:,} bytes",
            hint="send less, or only a file's hash",
            headers={"Connection": "close"},
        )


@dataclass(frozen=True)
class Gate:
    """Headers, limits, the access log and the last catch, around an application.

    `limit_of` says how large a body may be, by method and path; `observe` takes method, route,
    status and seconds of each request.
    """

    app: App
    buckets: Buckets
    limit_of: Callable[[str, str], int]
    observe: Callable[[str, str, int, float], None]
    trusted: tuple[IpNetwork, ...] = ()
    secure: bool = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = _Request(self, scope, receive, send)
        await request.handle()


class _Request:
    """One request on its way through the gate."""

    def __init__(self, gate: Gate, scope: Scope, receive: Receive, send: Send) -> None:
        self.gate = gate
        self.scope = scope
        self._receive = receive
        self._send = send
        self.status = 0
        self.read = 0
        self.limit = gate.limit_of(scope["method"], scope["path"])
        self.id = uuid.uuid4().hex
        peer = scope.get("client") or ("", 0)
        forwarded = header(scope, b"x-forwarded-for")
        self.caller = caller_address(peer[0], forwarded, gate.trusted)
        scope.setdefault("state", {}).update(caller=self.caller, request_id=self.id)

    async def handle(self) -> None:
        started = time.perf_counter()
        try:
            await self._pass()
        except Problem as problem:
            await self._refuse(problem)
        except TooLarge as error:
            await self._refuse(error.problem())
        except Exception:
            logger.exception("a request failed", extra={"fields": self._fields(started)})
            await self._refuse(
                Problem(500, "the service failed", hint=f"the operator's log says why: {self.id}")
            )
        finally:
            seconds = time.perf_counter() - started
            self.gate.observe(self.scope["method"], route_of(self.scope), self.status, seconds)
            logger.info("request", extra={"fields": self._fields(started)})

    async def _pass(self) -> None:
        if self.scope["path"] not in _PROBES:
            self.gate.buckets.take("any", self.caller)
        declared = header(self.scope, b"content-length")
        if declared:
            if not (declared.isascii() and declared.isdigit()):
                raise Problem(400, "Content-Length is not a number")
            if len(declared) > 15 or int(declared) > self.limit:
                raise TooLarge(self.limit)
        await self.gate.app(self.scope, self.receive, self.send)

    async def receive(self) -> Message:
        """The next part of the body, counted, since a sender may declare less than it sends."""
        message = await self._receive()
        if message["type"] == "http.request":
            self.read += len(message.get("body", b""))
            if self.read > self.limit:
                raise TooLarge(self.limit)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = self._dressed(list(message.get("headers", [])))
        await self._send(message)

    async def _refuse(self, problem: Problem) -> None:
        if self.status:
            # The answer has begun: all that is left is to end the connection.
            return
        body = encoded(problem)
        headers: Headers = [(b"content-type", MEDIA_TYPE.encode())]
        headers += [(name.lower().encode(), v.encode()) for name, v in problem.headers.items()]
        headers.append((b"content-length", str(len(body)).encode()))
        await self.send(
            {"type": "http.response.start", "status": problem.status, "headers": headers}
        )
        await self._send({"type": "http.response.body", "body": body})

    def _dressed(self, headers: Headers) -> Headers:
        there = {name.lower() for name, _ in headers}
        headers += [(n, v) for n, v in SECURITY_HEADERS.items() if n not in there]
        if self.gate.secure:
            headers.append(HSTS)
        headers.append((b"x-request-id", self.id.encode()))
        return headers

    def _fields(self, started: float) -> dict[str, object]:
        """For the log: no query, no headers, no body, since those can hold secrets."""
        return {
            "request": self.id,
            "method": self.scope["method"],
            "path": self.scope["path"][:200],
            "status": self.status,
            "ms": round((time.perf_counter() - started) * 1000, 1),
            "caller": self.caller,
            "account": self.scope["state"].get("account", ""),
        }


def header(scope: Scope, name: bytes) -> str:
    """A request's header, "" where it is missing; several are joined by commas."""
    found = [value.decode("latin-1") for key, value in scope["headers"] if key == name]
    return ",".join(found)


def route_of(scope: Scope) -> str:
    """The route's pattern, so that a metric has no more series than there are routes."""
    return str(getattr(scope.get("route"), "path", "unknown"))
