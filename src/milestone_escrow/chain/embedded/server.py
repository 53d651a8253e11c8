"""The embedded chain behind JSON-RPC over HTTP, on this machine only: the sandbox's node.

It answers POST requests with JSON, singly or in batches, whose Host is this machine: a web page
that points a name of its own at 127.0.0.1 gets nothing, and one that posts a form neither.
"""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from milestone_escrow.chain.embedded.chain import EmbeddedChain
from milestone_escrow.chain.node.rpc import RpcError
from milestone_escrow.errors import ChainError
from milestone_escrow.protocol.hexes import hexed

HOST = "127.0.0.1"
PORT = 8547
MAX_BODY = 2_000_000
MAX_BATCH = 200
MAX_DEPTH = 32

_PARSE_ERROR, _INVALID_REQUEST, _INTERNAL = -32700, -32600, -32603
_STRING = re.compile(rb'"(?:\\.|[^"\\])*"', re.DOTALL)
_log = logging.getLogger(__name__)


class RpcServer:
    """Serves one chain until it is closed. `lock` is held while the chain is used."""

    def __init__(self, chain: EmbeddedChain, port: int = PORT) -> None:
        """Port 0 takes any that is free.

        Raises:
            ChainError: the port is taken.
        """
        self.chain = chain
        self.lock = threading.RLock()
        try:
            self._http = _HttpServer((HOST, port), _Handler)
        except OSError as error:
            raise ChainError(
                f"port {port} of this machine cannot be used ({error.strerror})",
                hint="is a sandbox running already? choose another with --port",
            ) from None
        self._http.rpc = self
        self.port: int = self._http.server_address[1]
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def start(self) -> None:
        """Serve from a thread of its own."""
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.1,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving and free the port; a second time does nothing."""
        thread, self._thread = self._thread, None
        if thread:
            self._http.shutdown()
            thread.join()
        self._http.server_close()

    def __enter__(self) -> RpcServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def using(self) -> Iterator[EmbeddedChain]:
        """The chain for this process' own use, while no request is answered."""
        with self.lock:
            yield self.chain

    def answer(self, body: bytes) -> object | None:
        """The JSON-RPC answer to a request's body; None where nothing is to be answered."""
        try:
            message = json.loads(body) if _is_shallow(body) else None
        except ValueError:
            return _error(None, _PARSE_ERROR, "this is not JSON")
        if not isinstance(message, list):
            return self._one(message)
        if not 0 < len(message) <= MAX_BATCH:
            return _error(None, _INVALID_REQUEST, f"a batch has 1 to {MAX_BATCH} requests")
        return [answer for one in message if (answer := self._one(one)) is not None] or None

    def _one(self, message: object) -> dict[str, object] | None:
        if not isinstance(message, dict) or not isinstance(message.get("method"), str):
            return _error(None, _INVALID_REQUEST, "a request is an object with a method")
        number, params = message.get("id"), message.get("params") or []
        if not isinstance(params, list):
            return _error(number, -32602, "parameters come as a list")
        try:
            with self.lock:
                result = self.chain.handle(message["method"], params)
        except RpcError as error:
            data = hexed(error.data) if error.code == 3 or error.data else None
            return _error(number, error.code, error.message, data)
        except Exception:  # one bad request must not end the sandbox
            _log.exception("answering %s", message["method"])
            return _error(number, _INTERNAL, "the sandbox failed to answer")
        # A request without an id is a notification and gets no answer.
        return {"jsonrpc": "2.0", "id": number, "result": result} if "id" in message else None


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    # On some systems two servers could otherwise share the port, each with a chain of its own.
    allow_reuse_port = False
    rpc: RpcServer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "milestone-escrow"
    sys_version = ""
    timeout = 60
    server: _HttpServer

    def do_POST(self) -> None:
        refusal = self._refusal()
        if refusal:
            self._send(*refusal)
            return
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = self.server.rpc.answer(body)
        self._send(204 if answer is None else 200, answer)

    def _refusal(self) -> tuple[int, object] | None:
        name = (self.headers.get("Host") or "").rsplit(":", 1)[0]
        if name not in ("127.0.0.1", "localhost"):
            return 403, _error(None, _INVALID_REQUEST, "this node serves this machine only")
        kind = (self.headers.get("Content-Type") or "").partition(";")[0].strip().lower()
        if kind != "application/json":
            return 415, _error(None, _INVALID_REQUEST, "send Content-Type: application/json")
        length = self.headers.get("Content-Length") or ""
        if not length.isdecimal():
            return 411, _error(None, _INVALID_REQUEST, "send a Content-Length")
        if int(length) > MAX_BODY:
            return 413, _error(None, _INVALID_REQUEST, f"a request has at most {MAX_BODY} bytes")
        return None

    def do_GET(self) -> None:
        self._send(405, _error(None, _INVALID_REQUEST, "this is a JSON-RPC node: use POST"))

    def _send(self, status: int, body: object | None) -> None:
        data = b"" if body is None else json.dumps(body).encode()
        if status >= 400:
            # What was not read of a refused request must not be taken for the next one.
            self.close_connection = True
        self.send_response(status)
        if data:
            self.send_header("Content-Type", "application/json")
        if status == 405:
            self.send_header("Allow", "POST")
        if self.close_connection:
            self.send_header("Connection", "close")
        if status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class' name)
        _log.debug(format, *args)


def _is_shallow(body: bytes) -> bool:
    """Whether JSON is nested as little as requests are.

    py-evm raises Python's recursion limit so far that deeper JSON ends the whole process.
    """
    depth = 0
    for byte in _STRING.sub(b"", body):
        if byte in b"[{":
            depth += 1
        elif byte in b"]}":
            depth -= 1
        if depth > MAX_DEPTH:
            return False
    return True


def _error(number: object, code: int, message: str, data: str | None = None) -> dict[str, object]:
    error: dict[str, object] = {"code": code, "message": message}
    if data is not None:
        error["data"] = data
    return {"jsonrpc": "2.0", "id": number, "error": error}
