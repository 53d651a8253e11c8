"""Anvil, Foundry's node, as a subprocess."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Sequence
from types import TracebackType

from milestone_escrow.chain.node.rpc import HttpNode
from milestone_escrow.errors import ChainError
from tests.support.npm import program

CHAIN_ID = 31337


class Anvil:
    """A running Anvil; leaving the `with` block ends it."""

    def __init__(
        self,
        *,
        port: int = 0,
        start: int | None = None,
        chain_id: int = CHAIN_ID,
        block_time: int | None = None,
        hardfork: str = "prague",
        flags: Sequence[str] = (),
        wait: float = 20,
    ) -> None:
        """Port 0 takes a free one; `start` is the first block's Unix time. With `block_time` a
        block comes every so many seconds, too, and not only with each transaction. `flags` are
        any others of its own.

        Raises:
            ChainError: does not come up within `wait` seconds.
        """
        self.port = port or _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        command = [
            str(program("anvil")),
            "--silent",
            "--host",
            "127.0.0.1",
            "--port",
            str(self.port),
        ]
        command += ["--chain-id", str(chain_id), "--hardfork", hardfork, *flags]
        if start is not None:
            command += ["--timestamp", str(start)]
        if block_time is not None:
            command += ["--block-time", str(block_time), "--mixed-mining"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        self.node = HttpNode(self.url)
        self._await(wait)

    def stop(self) -> None:
        """End it, and wait until it has ended."""
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stderr:
            self._process.stderr.close()

    def __enter__(self) -> Anvil:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _await(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until and self._process.poll() is None:
            try:
                self.node.request("eth_chainId")
            except ChainError:
                time.sleep(0.05)
            else:
                return
        said = ""
        if self._process.poll() is not None and self._process.stderr:
            said = self._process.stderr.read().decode(errors="replace").strip()
        self.stop()
        reason = said.splitlines()[-1] if said else "it does not answer"
        raise ChainError(
            f"Anvil did not start on port {self.port}: {reason}", hint="choose another port"
        )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
