"""The Solidity compiler: found, downloaded or borrowed from npm, and run. solcx's only room."""

from __future__ import annotations

import logging
import subprocess
import threading
from pathlib import Path
from typing import Any

from milestone_escrow.errors import EscrowError

SOLC_VERSION = "0.8.37"

_DOWNLOAD_HOST = "https://binaries.soliditylang.org/"
# "can break composability": said of every use, of OpenZeppelin's reentrancy guard as well.
_TRANSIENT_STORAGE = "2394"
_log = logging.getLogger(__name__)


class CompilerError(EscrowError):
    """The contracts cannot be compiled: no compiler, a missing file, or an error in a source."""


def ensure_solc(root: Path) -> Path:
    """The compiler's path: installed, else downloaded, else npm's, set up as if installed.

    py-solc-x, Brownie and `forge --use` take any executable `~/.solcx/solc-v<version>`.
    """
    import solcx
    import solcx.install

    path = solcx.install.get_solcx_install_folder() / f"solc-v{SOLC_VERSION}"
    if path.exists() and _answers(path):
        return path
    path.unlink(missing_ok=True)  # for instance npm's, of a repository that has gone
    if _reachable():
        try:
            solcx.install_solc(SOLC_VERSION)
            return path
        except Exception as error:  # a download fails in many ways; npm's serves as well
            _log.warning("solc %s could not be downloaded (%s)", SOLC_VERSION, error)
    script = root / "tools" / "solc.cjs"
    path.write_text(f"#!/bin/sh\nexec node '{script.resolve()}' \"$@\"\n", encoding="utf-8")
    path.chmod(0o755)
    if not _answers(path):
        path.unlink()
        raise CompilerError(
            f"solc {SOLC_VERSION} is neither installed nor downloadable",
            hint=f"run `npm ci` in {root}, which brings the same compiler",
        )
    return path


def run_solc(solc: Path, source: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Compile a standard JSON input; returns the compiler's version and its `contracts`."""
    import solcx
    import solcx.exceptions
    import solcx.wrapper

    try:
        output = solcx.compile_standard(source, solc_binary=solc)
    except solcx.exceptions.SolcError as error:
        raise CompilerError(f"the contracts do not compile: {error.message.strip()}") from error
    for message in output.get("errors", []):
        if message.get("errorCode") == _TRANSIENT_STORAGE:
            continue
        _log.warning("%s", message["formattedMessage"].strip())
    # The version's commit but not its platform, since native and npm's write the same bytes.
    return solcx.wrapper.get_version_str_from_solc_binary(solc), output["contracts"]


def _answers(path: Path) -> bool:
    try:
        run = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return False
    return SOLC_VERSION in run.stdout


def _reachable(seconds: float = 4) -> bool:
    """Whether the compiler's host answers; in a thread, since a name look-up knows no time-out."""
    import requests

    answers: list[bool] = []

    def ask() -> None:
        try:
            answers.append(requests.head(_DOWNLOAD_HOST, timeout=seconds).status_code < 500)
        except requests.RequestException:
            answers.append(False)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(seconds)
    return answers == [True]
