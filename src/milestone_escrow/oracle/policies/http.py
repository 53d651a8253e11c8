"""Looking up a JSON value at an address that an agreement names, without being led astray.

https only, unless told otherwise. The host is resolved once, every address it has must be public,
and the connection goes to the very address that was judged, so that a name which answers
differently a moment later leads nowhere. Redirects are not followed. Size and time are bounded.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeAlias
from urllib.parse import SplitResult, urlsplit

from milestone_escrow.documents.files.hostile import parse_json
from milestone_escrow.documents.requirements.compare import NoValueError, at_pointer, shortened
from milestone_escrow.documents.requirements.facts import JsonValue
from milestone_escrow.errors import EscrowError
from milestone_escrow.oracle.policies.addresses import refusal

Resolver: TypeAlias = Callable[[str, int], Sequence[str]]
Dialer: TypeAlias = Callable[[str, int, float], socket.socket]

USER_AGENT = "milestone-escrow-oracle"


class FetchError(EscrowError):
    """The address could not, or may not, be asked; the message is fit for a reason."""


def resolve(host: str, port: int) -> Sequence[str]:
    """All addresses of a host, in the order in which they should be tried."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


def dial(address: str, port: int, timeout: float) -> socket.socket:
    """A connection to exactly this address."""
    return socket.create_connection((address, port), timeout)


@dataclass(frozen=True)
class Fetcher:
    """Asks addresses for JSON.

    `seconds` and `max_bytes` bound a whole look; `private` lists hosts of one's own that may lie
    anywhere; `plain` also allows http://.
    """

    seconds: float = 10
    max_bytes: int = 256 * 1024
    plain: bool = False
    private: frozenset[str] = frozenset()
    resolver: Resolver = field(default=resolve, repr=False)
    dialer: Dialer = field(default=dial, repr=False)
    context: ssl.SSLContext = field(default_factory=ssl.create_default_context, repr=False)

    def value(self, url: str, pointer: str) -> JsonValue:
        """The value that an RFC 6901 pointer leads to in the JSON at an address.

        Raises:
            FetchError: refused, unreachable, too slow, too large, not JSON, or no such value.
        """
        body = self.fetch(url)
        try:
            document: JsonValue = parse_json(body, limit=self.max_bytes, exact=True)  # type: ignore[assignment]
            return at_pointer(document, pointer)
        except NoValueError as error:
            raise FetchError(str(error)) from None
        except (ValueError, RecursionError, UnicodeError):
            raise FetchError("the answer is not JSON") from None

    def fetch(self, url: str) -> bytes:
        """The body at an address, where it answers 200; see `value`."""
        parts, host, port = self._target(url)
        address = self._vetted(host, port)
        try:
            with self._connected(parts.scheme, host, address, port) as connection:
                return self._body(connection, parts, host, port)
        except ssl.SSLCertVerificationError as error:
            raise FetchError(f"its certificate is not valid ({error.verify_message})") from None
        except TimeoutError:
            raise FetchError(f"no answer within {self.seconds:g} s") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise FetchError(f"no usable answer ({reason})") from None

    def _target(self, url: str) -> tuple[SplitResult, str, int]:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise FetchError("the address makes no sense") from None
        allowed = ("https", "http") if self.plain else ("https",)
        if parts.scheme not in allowed:
            raise FetchError(f"only {' and '.join(allowed)} may be asked, not {parts.scheme}")
        # A control character in a path would let it smuggle a header, or a second request.
        printable = url.isascii() and url.isprintable() and " " not in url
        if not host or not printable or parts.username is not None or parts.password is not None:
            raise FetchError("the address must be plain: a host and a path, without a password")
        return parts, host, port or (443 if parts.scheme == "https" else 80)

    def _vetted(self, host: str, port: int) -> str:
        """The address to connect to. One closed address among several closes the host."""
        try:
            found = self.resolver(host, port)
        except (OSError, UnicodeError):
            raise FetchError("its name is not known") from None
        if not found:
            raise FetchError("its name is not known")
        if host not in self.private:
            for address in found:
                if reason := refusal(address):
                    raise FetchError(f"it may not be asked: {reason}")
        return found[0]

    @contextmanager
    def _connected(
        self, scheme: str, host: str, address: str, port: int
    ) -> Iterator[http.client.HTTPConnection]:
        raw = self.dialer(address, port, self.seconds)
        connection = http.client.HTTPConnection(host, port, timeout=self.seconds)
        # A server that sends a byte now and then never times out: the whole look must end.
        watch = _Watch(self.seconds, raw)
        try:
            raw.settimeout(self.seconds)
            connection.sock = raw
            if scheme == "https":
                wrapped = self.context.wrap_socket(
                    raw, server_hostname=host, do_handshake_on_connect=False
                )
                connection.sock = watch.live = wrapped
                wrapped.do_handshake()
            yield connection
            watch.check()
        except (OSError, http.client.HTTPException, FetchError):
            watch.check()
            raise
        finally:
            watch.stop()
            connection.close()
            raw.close()

    def _body(
        self, connection: http.client.HTTPConnection, parts: SplitResult, host: str, port: int
    ) -> bytes:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {"Accept": "application/json", "User-Agent": USER_AGENT, "Connection": "close"}
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        if answer.status in range(300, 400):
            target = shortened(answer.headers.get("Location") or "another address")
            raise FetchError(f"it sends the oracle on to {target}, which is not followed")
        if answer.status != 200:
            raise FetchError(f"it answered {answer.status}")
        body = answer.read(self.max_bytes + 1)
        if len(body) > self.max_bytes:
            raise FetchError(f"the answer is larger than {self.max_bytes:,} bytes")
        if answer.length:
            raise FetchError("the answer broke off")
        return body


class _Watch:
    """Hangs up after so many seconds, whatever is going on."""

    def __init__(self, seconds: float, live: socket.socket) -> None:
        self.live = live
        self._late = threading.Event()
        self._timer = threading.Timer(seconds, self._hang_up)
        self._timer.daemon = True
        self._timer.start()

    def check(self) -> None:
        """Raises TimeoutError once it has hung up."""
        if self._late.is_set():
            raise TimeoutError

    def stop(self) -> None:
        self._timer.cancel()

    def _hang_up(self) -> None:
        self._late.set()
        with suppress(OSError):
            # Not the method of a TLS socket, which would first drop what the reader is using.
            socket.socket.shutdown(self.live, socket.SHUT_RDWR)
