"""Looking up values at addresses: what is refused, and what a server can and cannot do to it."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from milestone_escrow.oracle.policies.addresses import refusal
from milestone_escrow.oracle.policies.http import Fetcher, FetchError

pytestmark = pytest.mark.usefixtures("no_network")

PUBLIC = "93.184.215.14"


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.9.1", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255",
        "192.168.1.1", "169.254.169.254", "100.64.0.1", "100.127.255.255", "192.0.0.192",
        "198.18.0.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
        "192.0.2.1", "198.51.100.1", "203.0.113.1",
        "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1",
        "64:ff9b::7f00:1", "64:ff9b:1::a00:1", "2002:7f00:1::", "2002:a00:1::1",
        "2001::1", "2001:db8::1", "100::1", "fec0::1", "5f00::1", "3fff::1",
        "localhost", "", "127.1", "0x7f000001", "2130706433",
    ],
)  # fmt: skip
def test_refuses_addresses_that_are_not_public(address: str) -> None:
    assert refusal(address)


@pytest.mark.parametrize(
    "address",
    [
        PUBLIC, "1.1.1.1", "100.63.255.255", "100.128.0.0", "172.15.0.1", "172.32.0.1",
        "169.253.1.1", "223.255.255.255", "2606:4700::1111", "2a00:1450:4001::200e",
        "::ffff:1.1.1.1",
    ],
)  # fmt: skip
def test_allows_public_addresses(address: str) -> None:
    assert not refusal(address)


class Server:
    """One end of a pair of sockets, which answers a request with what it is told to."""

    def __init__(
        self, answer: bytes, *, slow: float = 0.0, secure: ssl.SSLContext | None = None
    ) -> None:
        self.answer, self.slow, self.secure = answer, slow, secure
        self.request = b""
        self.dialled: list[tuple[str, int]] = []
        self._threads: list[threading.Thread] = []
        self._done = threading.Event()

    def dial(self, address: str, port: int, timeout: float) -> socket.socket:
        ours, theirs = socket.socketpair()
        self.dialled.append((address, port))
        thread = threading.Thread(target=self._serve, args=(theirs,), daemon=True)
        thread.start()
        self._threads.append(thread)
        return ours

    def close(self) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join(5)

    def _serve(self, plain: socket.socket) -> None:
        with contextlib.suppress(OSError), plain:
            theirs = self.secure.wrap_socket(plain, server_side=True) if self.secure else plain
            self._answer(theirs)
            theirs.close()

    def _answer(self, theirs: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while b"\r\n\r\n" not in self.request:
                if not (read := theirs.recv(4096)):
                    return
                self.request += read
            if not self.slow:
                theirs.sendall(self.answer)
                return
            for byte in self.answer:
                if self._done.wait(self.slow):
                    return
                theirs.sendall(bytes([byte]))


def answer(body: str, status: str = "200 OK", headers: str = "") -> bytes:
    raw = body.encode()
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(raw)}\r\n{headers}\r\n".encode() + raw


@pytest.fixture
def serving() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def serve(answers: bytes, **how: Any) -> Server:
        servers.append(Server(answers, **how))
        return servers[-1]

    yield serve
    for server in servers:
        server.close()


def fetcher(server: Server, *addresses: str, **changes: object) -> Fetcher:
    def resolver(host: str, port: int) -> Sequence[str]:
        return addresses or (PUBLIC,)

    settings = {"plain": True, "seconds": 5.0, **changes}
    return Fetcher(resolver=resolver, dialer=server.dial, **settings)  # type: ignore[arg-type]


def test_reads_a_value_digit_by_digit(serving: Callable[..., Server]) -> None:
    server = serving(answer('{"a": [{"rate": 0.10000000000000000001}]}'))
    value = fetcher(server).value("http://api.example:8080/x?y=1", "/a/0/rate")
    assert value == Decimal("0.10000000000000000001")
    assert server.dialled == [(PUBLIC, 8080)]
    assert server.request.startswith(b"GET /x?y=1 HTTP/1.1\r\nHost: api.example:8080\r\n")


def test_connects_to_the_address_that_was_judged_and_asks_once(
    serving: Callable[..., Server],
) -> None:
    """A name that answers 10.0.0.1 the second time gains nothing: there is no second time."""
    server = serving(answer("{}"))
    asked: list[str] = []

    def rebinding(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return (PUBLIC,) if len(asked) == 1 else ("10.0.0.1",)

    Fetcher(plain=True, resolver=rebinding, dialer=server.dial).fetch("http://evil.example/")
    assert asked == ["evil.example"]
    assert server.dialled == [(PUBLIC, 80)]


@pytest.mark.parametrize(
    "addresses", [("10.0.0.1",), (PUBLIC, "169.254.169.254"), ("::ffff:127.0.0.1",), ()]
)
def test_one_closed_address_closes_the_host(
    serving: Callable[..., Server], addresses: tuple[str, ...]
) -> None:
    server = serving(answer("{}"))
    asking = Fetcher(plain=True, resolver=lambda host, port: addresses, dialer=server.dial)
    with pytest.raises(FetchError):
        asking.fetch("http://api.example/")
    assert server.dialled == []


def test_a_host_of_ones_own_may_be_named(serving: Callable[..., Server]) -> None:
    server = serving(answer("{}"))
    asking = fetcher(server, "10.0.0.7", private=frozenset({"erp.internal"}))
    assert asking.fetch("http://erp.internal/") == b"{}"
    with pytest.raises(FetchError, match="may not be asked"):
        asking.fetch("http://other.internal/")


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example/", "ftp://api.example/", "file:///etc/passwd", "https://",
        "https://user@api.example/", "https://user:pass@api.example/", "https://api.example/a b",
        "https://api.example/\r\nX: y", "https://api.example:99999/", "https://[::1/",
        "https://exämple.example/", "//api.example/", "gopher://api.example/",
    ],
)  # fmt: skip
def test_asks_only_plain_https_addresses(serving: Callable[..., Server], url: str) -> None:
    server = serving(answer("{}"))
    with pytest.raises(FetchError):
        fetcher(server, plain=False).fetch(url)
    assert server.dialled == []


def test_does_not_follow_redirects(serving: Callable[..., Server]) -> None:
    headers = "Location: http://169.254.169.254/latest/meta-data\r\n"
    server = serving(answer("", "302 Found", headers))
    with pytest.raises(FetchError, match="not followed"):
        fetcher(server).fetch("http://api.example/")
    assert len(server.dialled) == 1


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (answer("{}", "404 Not Found"), "answered 404"),
        (answer("{}", "500 Oops"), "answered 500"),
        (answer("<html>"), "not JSON"),
        (answer('{"a": NaN}'), "not JSON"),
        (answer('{"a": 1, "a": 2}'), "not JSON"),
        (answer("[" * 100_000), "not JSON"),
        (answer("9" * 5_000), "not JSON"),
        (answer('{"b": 1}'), "no /a in the answer"),
        (answer(" " * 300_000), "larger than 262,144 bytes"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}", "broke off"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}", "no usable answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "no usable answer"),
        (b"", "no usable answer"),
    ],
)
def test_an_answer_that_is_none_is_a_reason(
    serving: Callable[..., Server], sent: bytes, says: str
) -> None:
    with pytest.raises(FetchError, match=says):
        fetcher(serving(sent)).value("http://api.example/", "/a")


@pytest.mark.parametrize("sent", [answer('{"a": 1}'), b"HTTP/1.1 200 OK\r\n\r\n" + b" " * 9_000])
def test_a_server_that_trickles_is_cut_off(serving: Callable[..., Server], sent: bytes) -> None:
    asking = fetcher(serving(sent, slow=0.05), seconds=0.3)
    start = time.monotonic()
    with pytest.raises(FetchError, match="no answer within"):
        asking.fetch("http://api.example/")
    assert time.monotonic() - start < 3


def test_an_unknown_name_is_a_reason(serving: Callable[..., Server]) -> None:
    def unknown(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(-2, "Name or service not known")

    with pytest.raises(FetchError, match="name is not known"):
        Fetcher(resolver=unknown, dialer=serving(b"").dial).fetch("https://nowhere.example/")


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for api.example that signs itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "api.example")])
    now = datetime.now(timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("api.example")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "identity.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path


def test_the_certificate_must_be_the_hosts_own(
    serving: Callable[..., Server], identity: Path
) -> None:
    """The connection goes to an address, the certificate is compared with the name."""
    secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secure.load_cert_chain(identity)
    server = serving(answer('{"a": 1}'), secure=secure)
    trusting = ssl.create_default_context(cafile=str(identity))
    asking = fetcher(server, plain=False, context=trusting)
    assert asking.value("https://api.example/", "/a") == 1
    with pytest.raises(FetchError, match=r"certificate is not valid .*[Hh]ostname"):
        asking.fetch("https://other.example/")
    with pytest.raises(FetchError, match=r"certificate is not valid .*self"):
        fetcher(server, plain=False).fetch("https://api.example/")


def test_a_secure_server_that_trickles_is_cut_off(
    serving: Callable[..., Server], identity: Path
) -> None:
    secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secure.load_cert_chain(identity)
    server = serving(answer('{"a": 1}'), secure=secure, slow=0.05)
    trusting = ssl.create_default_context(cafile=str(identity))
    start = time.monotonic()
    with pytest.raises(FetchError, match="no answer within"):
        fetcher(server, context=trusting, seconds=0.5).fetch("https://api.example/")
    assert time.monotonic() - start < 3
