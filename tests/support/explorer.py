"""A stand-in for explorers: it compiles what it is sent and compares it with what is deployed."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from milestone_escrow.chain.contract.artifact import ContractCode
from milestone_escrow.chain.deploy.compiler import CACHE
from milestone_escrow.chain.deploy.deployments import immutable_words
from milestone_escrow.chain.deploy.solc import SOLC_VERSION, ensure_solc, run_solc
from milestone_escrow.chain.node.rpc import Node
from milestone_escrow.protocol.eip712 import Domain

ROOT = Path(__file__).resolve().parents[2]
KEY = "a-free-key"


@dataclass
class Explorer:
    """What it knows and how it behaves.

    `refuses` is what it answers to every submission; `unaware` is how often it does not know the
    contract yet, `busy` how often it is still compiling.
    """

    node: Node
    url: str = ""
    refuses: str = ""
    unaware: int = 0
    busy: int = 1
    asked: list[dict[str, Any]] = field(default_factory=list)
    jobs: dict[str, str] = field(default_factory=dict)

    # Etherscan's dialect

    def etherscan(self, query: dict[str, str]) -> dict[str, str]:
        self.asked.append(query)
        if self.refuses:
            return {"status": "0", "message": "NOTOK", "result": self.refuses}
        if query.get("apikey", "") not in ("", KEY):
            return {"status": "0", "message": "NOTOK", "result": "Invalid API Key"}
        assert query["module"] == "contract"
        if query["action"] == "checkverifystatus":
            if self.busy:
                self.busy -= 1
                return {"status": "0", "message": "NOTOK", "result": "Pending in queue"}
            return {"status": "1", "message": "OK", "result": self.jobs[query["guid"]]}
        assert query["action"] == "verifysourcecode"
        if self.unaware:
            self.unaware -= 1
            place = query["contractaddress"]
            said = f"Unable to locate ContractCode at {place}"
            return {"status": "0", "message": "NOTOK", "result": said}
        assert query["codeformat"] == "solidity-standard-json-input"
        assert query["constructorArguements"] == ""
        same = self.compare(
            int(query["chainid"]),
            query["contractaddress"],
            json.loads(query["sourceCode"]),
            query["compilerversion"].removeprefix("v"),
            query["contractname"],
        )
        said = "Pass - Verified" if same else "Fail - Unable to verify"
        return {"status": "1", "message": "OK", "result": self.job(said)}

    # Sourcify's

    def submit(self, chain_id: str, address: str, body: dict[str, Any]) -> tuple[int, Any]:
        self.asked.append(body)
        if self.refuses:
            error = {"customCode": "unsupported_chain", "message": self.refuses, "errorId": "1"}
            return 400, error
        same = self.compare(
            int(chain_id),
            address,
            body["stdJsonInput"],
            body["compilerVersion"],
            body["contractIdentifier"],
        )
        return 202, {"verificationId": self.job("match" if same else "")}

    def look(self, job: str) -> dict[str, Any]:
        if self.busy:
            self.busy -= 1
            return {"isJobCompleted": False, "verificationId": job}
        match = self.jobs[job] or None
        answer: dict[str, Any] = {
            "isJobCompleted": True,
            "verificationId": job,
            "contract": {"match": match, "creationMatch": match, "runtimeMatch": match},
        }
        if not match:
            answer["error"] = {
                "customCode": "no_match",
                "message": "The onchain and recompiled bytecodes don't match.",
            }
        return answer

    # Both

    def job(self, outcome: str) -> str:
        name = f"job-{len(self.jobs)}"
        self.jobs[name] = outcome
        return name

    def compare(
        self, chain_id: int, address: str, source: dict[str, Any], compiler: str, name: str
    ) -> bool:
        """Whether the sources compile to what is at the address."""
        file, _, contract = name.partition(":")
        version, output = compiled(source)
        assert compiler == version, "the compiler's version, commit included"
        made = output[file][contract]["evm"]["deployedBytecode"]
        places = [place for found in made["immutableReferences"].values() for place in found]
        code = ContractCode(
            contract,
            (),
            b"",
            bytes.fromhex(made["object"]),
            tuple((place["start"], place["length"]) for place in places),
            version,
        )
        deployed = bytes.fromhex(self.node.request("eth_getCode", [address, "latest"])[2:])
        return code.matches(deployed, immutable_words(Domain(chain_id, address)))


def compiled(source: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The compiler's version and output, from the suite's cache where the same went in before."""
    text = json.dumps({"solc": SOLC_VERSION, **source}, indent=1, sort_keys=True)
    text = json.dumps(json.loads(text), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    for file in (ROOT / CACHE).glob(f"*-{digest}.json"):
        found = json.loads(file.read_text(encoding="utf-8"))
        return found["compiler"], found["contracts"]
    return run_solc(ensure_solc(ROOT), source)


@contextmanager
def explorer(node: Node) -> Iterator[Explorer]:
    """One that serves `/api` in Etherscan's dialect and `/v2/verify` in Sourcify's."""
    site = Explorer(node)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path == "/api":
                self.answer(200, site.etherscan(dict(parse_qsl(parts.query))))
            else:
                self.answer(200, site.look(parts.path.rpartition("/")[2]))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            parts = urlsplit(self.path)
            if parts.path == "/api":
                form = dict(parse_qsl(body.decode(), keep_blank_values=True))
                self.answer(200, site.etherscan(dict(parse_qsl(parts.query)) | form))
                return
            _, _, _, chain_id, address = parts.path.split("/")
            self.answer(*site.submit(chain_id, address, json.loads(body)))

        def answer(self, status: int, body: object) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
