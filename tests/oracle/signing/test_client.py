"""A client that believes nothing: an oracle that lies is found out, one that is away is told."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from milestone_escrow.documents.manifest import EvidenceFile, Manifest
from milestone_escrow.errors import EscrowError, UsageError
from milestone_escrow.oracle.answers import EvidenceAnswer, OracleStrangeError
from milestone_escrow.oracle.api import siwe
from milestone_escrow.oracle.api_client import OracleAwayError, OracleClient, OracleRefusedError
from milestone_escrow.oracle.signing.attestation_json import Post, attestation_data, read_post
from milestone_escrow.protocol.acts import Attestation, Verdict
from milestone_escrow.protocol.eip712 import ZERO_HASH
from tests.oracle.conftest import DOMAIN
from tests.oracle.signing.people import INSPECTOR, NOW, sign

ID = b"\x0a" * 32
PATH = f"/v1/agreements/0x{ID.hex()}/milestones/1"
CONTENT = b"the photo"
SHA = hashlib.sha256(CONTENT).hexdigest()
ATTESTATION = Attestation(ID, 1, Verdict.ACCEPTED, 5, ZERO_HASH, NOW, NOW + 9)

Answer = tuple[int, object]


class Fake:
    """An oracle that answers what a test tells it to: by path a status and a body."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer | Callable[[Any], Answer]] = {}
        self.headers: dict[str, str] = {}
        self.asked: list[tuple[str, str, Any, dict[str, str]]] = []
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(None)

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                self._answer(json.loads(self.rfile.read(length)))

            def _answer(self, body: Any) -> None:
                fake.asked.append((self.command, self.path, body, dict(self.headers)))
                found = fake.answers.get(self.path, (404, {"detail": "there is no such thing"}))
                status, answer = found(body) if callable(found) else found
                raw = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                for name, value in fake.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.01}
        )
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def fake() -> Iterator[Fake]:
    found = Fake()
    yield found
    found.close()


@pytest.fixture
def client(fake: Fake) -> OracleClient:
    return OracleClient(fake.url)


def entry(**changes: object) -> dict[str, object]:
    usual: dict[str, object] = {
        "agreement_id": "0x" + ID.hex(),
        "milestone": 1,
        "name": "photo.png",
        "kind": "photo",
        "media_type": "image/png",
        "size": len(CONTENT),
        "sha256": SHA,
        "supplied_by": INSPECTOR.address,
        "role": "inspector",
        "added_at": {"unix": NOW, "iso": None},
        "download": f"/v1/evidence/{SHA}",
    }
    return {**usual, **changes}


def listed(*entries: dict[str, Any], digest: bytes | None = None) -> Answer:
    files = sorted(
        (EvidenceFile(e["name"], e["kind"], e["media_type"], e["size"], e["sha256"])
         for e in entries), key=lambda file: str(file.name),
    )  # fmt: skip
    found = Manifest(tuple(files)).hash if files and digest is None else (digest or ZERO_HASH)
    return 200, {"evidence_hash": "0x" + found.hex(), "manifest": {}, "items": list(entries)}


def item(**changes: object) -> EvidenceAnswer:
    fake = {**entry(), **changes}
    file = EvidenceFile(*(fake[n] for n in ("name", "kind", "media_type", "size", "sha256")))  # type: ignore[arg-type]
    return EvidenceAnswer(file, INSPECTOR.address, "inspector", NOW, stored=True)


def test_puts_the_manifest_together_itself(fake: Fake, client: OracleClient) -> None:
    fake.answers[f"{PATH}/evidence"] = listed(entry(), entry(name="b.png", download=None))
    found = client.evidence(ID, 1)
    assert [(one.file.name, one.stored) for one in found.items] == [
        ("photo.png", True),
        ("b.png", False),
    ]
    assert found.manifest.files[0].name == "b.png"


def test_no_evidence_is_no_hash(fake: Fake, client: OracleClient) -> None:
    fake.answers[f"{PATH}/evidence"] = listed()
    assert client.evidence(ID, 1).hash == ZERO_HASH


@pytest.mark.parametrize(
    "answer",
    [
        listed(entry(), digest=b"\x01" * 32),
        listed(digest=b"\x01" * 32),
        listed(entry(), entry()),
        listed(entry(name="../photo.png")),
        listed(entry(name=".bashrc")),
        listed(entry(name="a\x1b[2J.png")),
        listed(entry(name="")),
        listed(entry(sha256="x" * 64)),
        listed(entry(size=-1)),
        (200, {"items": [entry(size="many")]}),
        (200, {"items": "none"}),
        (200, {"items": [7]}),
        (200, []),
        (200, b"{" * 100_000),
        (200, b"hello"),
        (200, b'{"items": [], "items": []}'),
        (200, b" " * (5 * 1024 * 1024)),
        (302, {"detail": "elsewhere"}),
    ],
)
def test_an_answer_that_does_not_fit_is_refused(
    answer: Answer, fake: Fake, client: OracleClient
) -> None:
    fake.answers[f"{PATH}/evidence"] = answer
    with pytest.raises(OracleStrangeError):
        client.evidence(ID, 1)


def test_what_it_says_cannot_steer_the_terminal(fake: Fake, client: OracleClient) -> None:
    fake.answers[f"{PATH}/evidence"] = listed(entry(role="\x1b]0;owned\x07chief"))
    assert client.evidence(ID, 1).items[0].role == " ]0;owned chief"
    fake.answers[f"{PATH}/requirements"] = 403, {"detail": "no\x1b[31m", "type": "urn:x:not-yours"}
    with pytest.raises(OracleRefusedError) as caught:
        client.requirements(ID, 1)
    assert "\x1b" not in str(caught.value)
    assert (caught.value.status, caught.value.kind) == (403, "not-yours")


def test_fetches_a_file_and_compares_it(fake: Fake, client: OracleClient, tmp_path: Path) -> None:
    fake.answers[f"/v1/evidence/{SHA}"] = 200, CONTENT
    path = client.download(item(), tmp_path / "files")
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize(
    "answer",
    [
        (200, b"another"),
        (200, b"the phota"),
        (200, CONTENT + b"!"),
        (200, b""),
        (404, {"detail": "gone"}),
        (503, {"detail": "damaged"}),
        (301, b""),
    ],
)
def test_a_file_that_is_another_one_is_not_left_behind(
    answer: Answer, fake: Fake, client: OracleClient, tmp_path: Path
) -> None:
    fake.answers[f"/v1/evidence/{SHA}"] = answer
    with pytest.raises(OracleStrangeError):
        client.download(item(), tmp_path / "files")
    assert list((tmp_path / "files").iterdir()) == []


def test_posts_what_the_interface_reads(fake: Fake, client: OracleClient) -> None:
    sent = Post(ATTESTATION, sign(ATTESTATION, INSPECTOR), {"format": "1", "files": []})
    digest = ATTESTATION.typed_data(DOMAIN).digest()
    fake.answers[f"{PATH}/attestations"] = (
        201,
        {
            "digest": "0x" + digest.hex(),
            "state": "complete",
            "signers": [INSPECTOR.address],
            "quorum": 1,
            "is_complete": True,
            "refused": [{"reason": "no"}],
        },
    )
    taken = client.post(sent)
    assert (taken.digest, taken.is_complete, taken.refused) == (digest, True, ("no",))
    assert read_post(fake.asked[0][2]) == sent


def test_attestations_of_another_milestone_are_not_believed(
    fake: Fake, client: OracleClient
) -> None:
    other = {
        "attestation": {**attestation_data(ATTESTATION), "milestone": 2},
        "state": "open",
        "signers": [],
        "words": None,
    }
    fake.answers[f"{PATH}/attestations"] = 200, {"items": [other]}
    with pytest.raises(OracleStrangeError, match="another milestone"):
        client.proposals(ID, 1)


def nonce(fake: Fake, **changes: object) -> Answer:
    usual: dict[str, object] = {
        "nonce": "abcdef1234567890",
        "domain": urlsplit(fake.url).netloc,
        "uri": fake.url,
        "chain_id": DOMAIN.chain_id,
        "issued_at": {"unix": NOW, "iso": "2027-01-15T08:00:00Z"},
        "expires_at": {"unix": NOW + 600, "iso": "2027-01-15T08:10:00Z"},
        "message": "I owe the oracle everything",
    }
    return 200, {**usual, **changes}


def test_signs_in_with_a_message_of_its_own(fake: Fake, client: OracleClient) -> None:
    fake.answers["/v1/login/nonce"] = nonce(fake)
    fake.answers["/v1/login"] = lambda body: (200, {"token": "t0k3n"})
    fake.answers[f"{PATH}/evidence"] = listed()
    client.sign_in(INSPECTOR, DOMAIN.chain_id)
    client.evidence(ID, 1)
    body, headers = fake.asked[1][2], fake.asked[2][3]
    message = siwe.parse(body["message"])
    assert (message.account, message.uri) == (INSPECTOR.address, fake.url)
    assert siwe.is_signed(message, bytes.fromhex(body["signature"][2:]))
    assert headers["Authorization"] == "Bearer t0k3n"


@pytest.mark.parametrize(
    "change",
    [
        {"uri": "https://bank.example", "domain": "bank.example"},
        {"domain": "bank.example"},
        {"chain_id": 1},
        {"nonce": "short\nURI: https://bank.example"},
        {"nonce": 7},
        {"issued_at": {"iso": "yesterday"}},
        {"issued_at": None},
    ],
)
def test_signs_in_nowhere_else(change: dict[str, object], fake: Fake, client: OracleClient) -> None:
    fake.answers["/v1/login/nonce"] = nonce(fake, **change)
    with pytest.raises(EscrowError):
        client.sign_in(INSPECTOR, DOMAIN.chain_id)
    assert len(fake.asked) == 1


@pytest.mark.parametrize("status", [500, 502, 503])
def test_an_oracle_in_trouble_is_away(status: int, fake: Fake, client: OracleClient) -> None:
    fake.answers[f"{PATH}/evidence"] = status, {"detail": "later"}
    with pytest.raises(OracleAwayError):
        client.evidence(ID, 1)


def test_an_oracle_that_is_not_there_is_away() -> None:
    with pytest.raises(OracleAwayError, match="does not answer"):
        OracleClient("http://127.0.0.1:9").evidence(ID, 1)


@pytest.mark.parametrize(
    "url",
    [
        "oracle.example",
        "http://oracle.example",
        "ftp://oracle.example",
        "https://me:secret@oracle.example",
        "",
    ],
)
def test_refuses_addresses_that_are_none(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        OracleClient(url)
    assert "secret" not in str(caught.value)


def test_a_reason_is_what_its_hash_says(fake: Fake, client: OracleClient) -> None:
    digest = hashlib.sha256(b"It leaks").hexdigest()
    item = {"act": "dispute", "reason_hash": "0x" + digest, "reason": "It leaks"}
    unknown = {**item, "reason_hash": "0x" + "1" * 64, "reason": None}
    fake.answers[f"{PATH}/reasons"] = (200, {"items": [item, unknown]})
    assert client.reasons(ID, 1) == {bytes.fromhex(digest): "It leaks"}
    for lie in (
        {**item, "reason": "It is fine"},
        {**item, "reason": 5},
        {**item, "reason_hash": 1},
    ):
        fake.answers[f"{PATH}/reasons"] = (200, {"items": [lie]})
        with pytest.raises(OracleStrangeError):
            client.reasons(ID, 1)


BATCH: dict[str, object] = {
    "digest": "0x" + "0b" * 32,
    "state": "open",
    "signers": [{"account": INSPECTOR.address}],
    "items": [{"attestation": attestation_data(ATTESTATION), "words": None}],
}


def test_a_batch_is_read_item_by_item(fake: Fake, client: OracleClient) -> None:
    digest = b"\x0b" * 32
    path = f"/v1/batches/0x{digest.hex()}"
    fake.answers[path] = 200, BATCH
    found = client.batch(digest)
    assert (found.signers, found.items) == ((INSPECTOR.address,), ((ATTESTATION, {}),))
    assert client.batch_address(digest) == fake.url + path


@pytest.mark.parametrize(
    "changes",
    [
        {"digest": "0x0b"},
        {"items": None},
        {"items": [{}]},
        {"items": [{"attestation": {**attestation_data(ATTESTATION), "amount": "-1"}}]},
        {"items": [{"attestation": attestation_data(ATTESTATION), "words": "none"}]},
        {"signers": [{"account": "0x1"}]},
    ],
)
def test_a_batch_that_makes_no_sense_is_not_believed(
    changes: dict[str, object], fake: Fake, client: OracleClient
) -> None:
    fake.answers["/v1/batches/0x" + "0b" * 32] = 200, {**BATCH, **changes}
    with pytest.raises(OracleStrangeError):
        client.batch(b"\x0b" * 32)
