"""Talking to a node: one method, `request`, whoever answers it."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Sequence
from typing import Any, Protocol
from urllib.parse import urlsplit

from milestone_escrow.errors import ChainError

METHOD_NOT_FOUND = -32601
TOO_MANY = 429

# Their codes are no help: -32005 is also what a query with too many results is answered with. So
# is what says "limit" of blocks or results; only a narrower question helps there.
_LIMITS = re.compile(
    r"rate[ -]?limit|too many requests?\b|requests? (limit|count|rate)|capacity|compute units"
    r"|\brps\b|quota|credits? limited|usage limit|(retry|try again) later|per[ -]second|/second"
)
# What a contract reverts with is its own text.
_OTHERWISE = re.compile(r"\b(blocks?|range|results?|response size)\b|revert")


class RpcError(ChainError):
    """The node answered with an error; `data` is what a call reverted with."""

    def __init__(self, message: str, *, code: int = -32000, data: bytes = b"") -> None:
        super().__init__(message, code=code, data=data)
        self.code = code
        self.data = data


class LimitedError(ChainError):
    """The node answers no more questions for a while."""

    def __init__(self, host: str, said: str) -> None:
        super().__init__(
            f"the node at {host} limits how often it may be asked ({said})",
            hint="wait a minute and run the same again, or name a node of your own with --rpc",
        )


class Node(Protocol):
    """Whatever answers JSON-RPC: a node over HTTP, the embedded chain, a web3 provider."""

    def request(self, method: str, params: Sequence[object] = ()) -> Any:
        """The result of a JSON-RPC method.

        Raises:
            RpcError: the node answered with an error.
            ChainError: it did not answer, or not in JSON-RPC.
        """
        ...


class HttpNode:
    """A node behind HTTP, through web3. Errors name its host only: addresses carry access keys."""

    def __init__(self, url: str, *, timeout: float = 20, pause: float = 0.5) -> None:
        """`pause` is how many seconds to wait where the node limits how often it may be asked."""
        from web3 import HTTPProvider

        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ChainError(
                "the node's address must start with http:// or https://",
                hint="give it as http://127.0.0.1:8545",
            )
        port = f":{parts.port}" if parts.port else ""
        self.host = f"{parts.scheme}://{parts.hostname}{port}"
        self._timeout = timeout
        self._pause = pause
        # Nothing is sent twice behind the caller's back: whether to repeat is decided above.
        self._provider = HTTPProvider(
            url, request_kwargs={"timeout": timeout}, exception_retry_configuration=None
        )

    def request(self, method: str, params: Sequence[object] = ()) -> Any:
        # Only what changes nothing is asked again.
        pauses = [] if method.startswith("eth_send") else [self._pause, 3 * self._pause]
        for pause in pauses:
            try:
                return self._request(method, params)
            except LimitedError:
                time.sleep(pause)
        return self._request(method, params)

    def _request(self, method: str, params: Sequence[object]) -> Any:
        import requests

        try:
            message = self._ask(method, params)
        except requests.Timeout:
            raise ChainError(
                f"the node at {self.host} did not answer within {self._timeout:g} seconds",
                hint="try again, or name another node with --rpc",
            ) from None
        except requests.HTTPError as error:
            status = error.response.status_code if error.response is not None else "unknown"
            if status in (401, 403):
                raise ChainError(
                    f"the node at {self.host} wants an access key (HTTP status {status})",
                    hint="name one that is open, or with its key, with --rpc",
                ) from None
            raise self._no_node(f"HTTP status {status}") from None
        except ValueError:  # requests' own JSON error is one, too
            raise self._no_node("no JSON") from None
        except requests.RequestException:
            raise ChainError(
                f"no node answers at {self.host}",
                hint="start it (a sandbox with `escrow sandbox`), or name another with --rpc",
            ) from None
        return read_answer(message, self.host)

    def _ask(self, method: str, params: Sequence[object]) -> object:
        import requests
        from web3.types import RPCEndpoint

        try:
            return self._provider.make_request(RPCEndpoint(method), list(params))
        except requests.HTTPError as error:
            if error.response is not None and error.response.status_code == TOO_MANY:
                raise LimitedError(self.host, f"HTTP status {TOO_MANY}") from None
            # Nodes send JSON-RPC errors with other statuses than 200, too.
            with contextlib.suppress(ValueError):
                message = json.loads(error.response.content) if error.response is not None else None
                if isinstance(message, dict) and "error" in message:
                    return message
            raise

    def _no_node(self, what: str) -> ChainError:
        return ChainError(
            f"what answers at {self.host} is not a node ({what})",
            hint="check the address given with --rpc",
        )


class Web3Node:
    """A node behind a `Web3` object or a web3 provider that someone has set up already."""

    def __init__(self, web3: Any) -> None:
        self._provider = getattr(web3, "provider", web3)
        self.host = str(getattr(self._provider, "endpoint_uri", "the provider"))

    def request(self, method: str, params: Sequence[object] = ()) -> Any:
        try:
            message = self._provider.make_request(method, list(params))
        except (OSError, ValueError) as error:  # requests' errors are OSErrors, too
            raise ChainError(
                f"the node does not answer as a node does ({type(error).__name__})",
                hint="check the provider that was given as `rpc`",
            ) from None
        return read_answer(message, "the provider")


def read_answer(message: object, host: str) -> Any:
    """The result within a JSON-RPC answer; raises what it says or what it lacks."""
    error = message.get("error") if isinstance(message, dict) else None
    if isinstance(error, str) and error:
        error = {"message": error}
    # Some nodes write an empty one beside each result.
    if isinstance(error, dict) and isinstance(message, dict) and (error or "result" not in message):
        said = str(error.get("message") or "")
        if _limits(said) or error.get("code") == TOO_MANY:
            raise LimitedError(host, said or f"code {TOO_MANY}")
        raise _error(error)
    if not isinstance(message, dict) or "result" not in message:
        raise ChainError(
            f"what answers at {host} does not speak JSON-RPC",
            hint="check the address given with --rpc",
        )
    return message["result"]


def _limits(said: str) -> bool:
    """Whether a node says that it is asked too often, and not for too much at once."""
    text = said.lower()
    return bool(_LIMITS.search(text)) and not _OTHERWISE.search(text)


def _error(error: dict[str, Any]) -> RpcError:
    data = error.get("data")
    if isinstance(data, dict):  # some nodes wrap it once more
        data = data.get("data")
    code = error.get("code")
    return RpcError(
        str(error.get("message") or "the node gave no reason"),
        code=code if isinstance(code, int) else -32000,
        data=revert_data(data),
    )


def revert_data(data: object) -> bytes:
    """The bytes that a call reverted with, as nodes write them in an error's `data`."""
    if not isinstance(data, str):
        return b""
    # "Reverted 0x…" is how some nodes put it.
    text = data.removeprefix("Reverted ").removeprefix("execution reverted: ")
    try:
        return bytes.fromhex(text[2:]) if text.startswith("0x") else b""
    except ValueError:
        return b""
