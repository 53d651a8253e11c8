"""The contract's sources handed to explorers, so that everybody reads what runs.

Two dialects: Etherscan's (Blockscout speaks it, too), and Sourcify's second API. Both take the
compiler's standard JSON input as it ships with the package, compile it and compare.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from milestone_escrow.chain.contract.artifact import load, standard_input
from milestone_escrow.chain.deploy.deployments import CONTRACT, Deployment
from milestone_escrow.chain.node.network import ExplorerApi, Network
from milestone_escrow.errors import ChainError

SOURCE = f"contracts/{CONTRACT}.sol:{CONTRACT}"
TIMEOUT = 30.0
# An explorer compiles for some seconds, and its node may not know the contract at once.
PATIENCE = 180.0
PAUSE = 3.0
_NOT_YET = ("unable to locate contractcode", "not yet", "pending", "in queue", "in progress")
_ALREADY = "already verified"


@dataclass(frozen=True, slots=True)
class Verified:
    """What one explorer said; `was_known` if it had the sources before."""

    explorer: str
    host: str
    was_known: bool = False


def verify_at(
    api: ExplorerApi,
    network: Network,
    made: Deployment,
    key: str = "",
    *,
    patience: float = PATIENCE,
    pause: float = PAUSE,
) -> Verified:
    """Submit the sources to one explorer, and wait for what it finds.

    Raises:
        ChainError: it does not answer, wants a key, or refuses; none of which harms the contract.
    """
    asked = _Asked(api, key, time.monotonic() + patience, pause)
    if api.kind == "sourcify":
        return _sourcify(asked, network, made)
    return _etherscan(asked, network, made)


@dataclass(frozen=True, slots=True)
class _Asked:
    """One conversation with an explorer; errors name its host, never the key."""

    api: ExplorerApi
    key: str
    until: float
    pause: float

    @property
    def host(self) -> str:
        return urlsplit(self.api.url).netloc

    def request(self, method: str, url: str, **more: Any) -> tuple[int, dict[str, Any]]:
        import requests

        try:
            answer = requests.request(method, url, timeout=TIMEOUT, **more)
            body = answer.json()
        except ValueError:
            raise self.error(f"answers no JSON (HTTP status {answer.status_code})") from None
        except requests.RequestException as error:
            raise self.error(f"does not answer ({type(error).__name__})") from None
        if not isinstance(body, dict):
            raise self.error("answers something else than expected")
        return answer.status_code, body

    def error(self, said: str) -> ChainError:
        return ChainError(
            f"the explorer at {self.host} {said}",
            hint="the contract is there all the same; run `escrow deploy --verify` again later",
        )

    def refusal(self, said: str) -> ChainError:
        return self.error(f"refuses the sources: {said.strip().rstrip('.') or 'no reason given'}")

    def wait(self) -> None:
        """Pause before asking again.

        Raises:
            ChainError: it has taken too long.
        """
        if time.monotonic() > self.until:
            raise self.error("has not finished in time")
        time.sleep(self.pause)


def _etherscan(asked: _Asked, network: Network, made: Deployment) -> Verified:
    if asked.api.kind == "etherscan" and not asked.key:
        raise ChainError(
            f"the explorer at {asked.host} wants an access key",
            hint="get one there for nothing, and set ETHERSCAN_API_KEY to it",
        )
    query = {"chainid": str(network.chain_id), "apikey": asked.key}
    form = {
        "module": "contract",
        "action": "verifysourcecode",
        "contractaddress": made.address,
        "sourceCode": standard_input(CONTRACT),
        "codeformat": "solidity-standard-json-input",
        "contractname": SOURCE,
        "compilerversion": "v" + load(CONTRACT).compiler,
        # Spelled like this in the API; the contract's constructor takes nothing.
        "constructorArguements": "",
    }
    while True:
        _, body = asked.request("POST", asked.api.url, params=query, data=query | form)
        said = str(body.get("result", ""))
        if str(body.get("status")) == "1":
            break
        if _ALREADY in said.lower():
            return Verified(asked.api.kind, asked.host, was_known=True)
        if not any(reason in said.lower() for reason in _NOT_YET):
            raise asked.refusal(said or str(body.get("message", "")))
        asked.wait()
    check = query | {"module": "contract", "action": "checkverifystatus", "guid": said}
    while True:
        _, body = asked.request("GET", asked.api.url, params=check)
        said = str(body.get("result", ""))
        if said.lower().startswith("pass") or _ALREADY in said.lower():
            return Verified(asked.api.kind, asked.host)
        if not any(reason in said.lower() for reason in _NOT_YET):
            raise asked.refusal(said or str(body.get("message", "")))
        asked.wait()


def _sourcify(asked: _Asked, network: Network, made: Deployment) -> Verified:
    base = asked.api.url.rstrip("/")
    body: dict[str, Any] = {
        "stdJsonInput": json.loads(standard_input(CONTRACT)),
        "compilerVersion": load(CONTRACT).compiler,
        "contractIdentifier": SOURCE,
    }
    if made.transaction:
        body["creationTransactionHash"] = made.transaction
    place = f"{base}/v2/verify/{network.chain_id}/{made.address}"
    status, answer = asked.request("POST", place, json=body)
    if status == 409 or answer.get("customCode") == "already_verified":
        return Verified(asked.api.kind, asked.host, was_known=True)
    job = answer.get("verificationId")
    if not isinstance(job, str):
        raise asked.refusal(str(answer.get("message", "")))
    while True:
        _, answer = asked.request("GET", f"{base}/v2/verify/{job}")
        if answer.get("isJobCompleted"):
            break
        asked.wait()
    contract, error = answer.get("contract"), answer.get("error")
    if isinstance(contract, dict) and contract.get("runtimeMatch"):
        return Verified(asked.api.kind, asked.host)
    if isinstance(error, dict) and error.get("customCode") == "already_verified":
        return Verified(asked.api.kind, asked.host, was_known=True)
    said = str(error.get("message", "")) if isinstance(error, dict) else "its code differs"
    raise asked.refusal(said)
