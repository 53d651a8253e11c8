"""An oracle's API as a verifier or arbiter uses it. Whatever it answers is treated as hostile.

What it says is read in `answers`; files that it sends are compared with their hashes here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable
from urllib.parse import urlsplit

from milestone_escrow.documents.files.signed_act import SignedAct, dumps_acts, reason_hash
from milestone_escrow.errors import EscrowError, UsageError
from milestone_escrow.oracle.answers import (
    MAX_ANSWER,
    EvidenceAnswer,
    MilestoneEvidence,
    OracleStrangeError,
    Proposed,
    ProposedBatch,
    RequirementAnswer,
    Taken,
    entries,
    mapping,
    parsed,
    part,
    plain,
    read,
    read_batch,
    read_found,
    read_item,
    read_proposed,
    read_reason,
    read_taken,
    strange,
)
from milestone_escrow.oracle.signing.attestation_json import Post, post_data, read_hash
from milestone_escrow.oracle.signing.batch_json import BatchPost, batch_data
from milestone_escrow.protocol.eip712 import Address

if TYPE_CHECKING:
    import requests

TIMEOUT = (5, 20)
MAX_FILE = 200 * 1024 * 1024
_PIECE = 1 << 16
_STATEMENT = "Sign in to see your agreements. This sends no transaction and costs nothing."


class OracleAwayError(EscrowError):
    """The oracle does not answer, or is in trouble: one can go on without it."""


class OracleRefusedError(EscrowError):
    """The oracle refused: `status` is HTTP's, `kind` names the problem for programs."""

    def __init__(self, message: str, *, status: int, kind: str, hint: str = "") -> None:
        super().__init__(message, hint=hint, status=status, kind=kind)
        self.status = status
        self.kind = kind


class OracleElsewhereError(EscrowError):
    """The oracle says that it is at another address, so nothing is signed for it."""


@runtime_checkable
class TextSigner(Protocol):
    """A key that signs texts for signing in (EIP-191), beside typed data."""

    @property
    def address(self) -> Address: ...

    def sign_text(self, text: str, chain_id: int) -> bytes: ...


class OracleClient:
    """One oracle, by its address."""

    def __init__(self, url: str, session: requests.Session | None = None) -> None:
        """
        Raises:
            UsageError: this is no address of an oracle.
        """
        parts = urlsplit(url)
        local = parts.hostname in ("127.0.0.1", "::1", "localhost")
        if parts.scheme not in ("https", "http") or not parts.netloc or parts.username:
            raise UsageError(
                "this is not the address of an oracle", hint="write it as https://oracle.example"
            )
        if parts.scheme == "http" and not local:
            raise UsageError(
                f"{parts.hostname} would be asked without encryption", hint="use https://"
            )
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self._base = self.origin + parts.path.rstrip("/")
        self._session = session or _session()
        self._token = ""

    def sign_in(self, signer: TextSigner, chain_id: int) -> None:
        """Prove to hold the signer's key (EIP-4361), by a message that is put together here.

        Raises:
            OracleAwayError, OracleRefusedError: as everywhere.
            OracleElsewhereError: it calls itself otherwise, and could use the signature there.
        """
        from milestone_escrow.oracle.api.siwe import SignIn, parse

        answer = self._ask("POST", "/v1/login/nonce", {"account": signer.address})
        claimed = (answer.get("uri"), answer.get("domain"), answer.get("chain_id"))
        if claimed != (self.origin, urlsplit(self.origin).netloc, chain_id):
            raise OracleElsewhereError(
                f"the oracle at {self.origin} calls itself {plain(answer.get('uri'), 80)} on chain "
                f"{plain(str(answer.get('chain_id')), 20)}",
                hint="use the address that it calls itself, if you trust it",
            )
        message = SignIn(
            domain=urlsplit(self.origin).netloc,
            account=signer.address,
            uri=self.origin,
            chain_id=chain_id,
            nonce=plain(answer.get("nonce"), 64),
            issued_at=plain(part(answer, "issued_at").get("iso"), 40),
            statement=_STATEMENT,
            expiration_time=plain(part(answer, "expires_at").get("iso"), 40),
        ).text()
        parse(message)
        signature = signer.sign_text(message, chain_id)
        body = {"message": message, "signature": "0x" + signature.hex()}
        self._token = plain(self._ask("POST", "/v1/login", body).get("token"), 200)

    def requirements(self, agreement_id: bytes, milestone: int) -> RequirementAnswer:
        """What must be shown, and what it comes to now."""
        path = f"{_path(agreement_id, milestone)}/requirements"
        return read_found(part(self._ask("GET", path), "finding"))

    def evidence(self, agreement_id: bytes, milestone: int) -> MilestoneEvidence:
        """The evidence listed for a milestone.

        Raises:
            OracleStrangeError: its hash is not that of its own list, or it is malformed.
        """
        answer = self._ask("GET", f"{_path(agreement_id, milestone)}/evidence")
        listed = MilestoneEvidence(tuple(read_item(entry) for entry in entries(answer, "items")))
        names = [item.file.name for item in listed.items]
        if len(set(names)) != len(names):
            raise strange("it lists two files of one name")
        if read(lambda: read_hash(answer.get("evidence_hash"), "evidence_hash")) != listed.hash:
            raise strange("its evidence is not what its evidence hash says")
        return listed

    def download(self, item: EvidenceAnswer, folder: Path) -> Path:
        """Write a file into a folder and compare its content with the manifest.

        Raises:
            OracleStrangeError: the content is another one; nothing is left behind then.
        """
        import requests

        path = folder / item.file.name
        wanted, size = hashlib.sha256(), 0
        url = f"{self._base}/v1/evidence/{item.file.sha256}"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            with (
                self._session.get(
                    url, headers=self._headers(), timeout=TIMEOUT, stream=True,
                    allow_redirects=False,
                ) as answer,
                path.open("wb") as target,
            ):  # fmt: skip
                if answer.status_code != 200:
                    why = _refused(answer.status_code, _read(answer, MAX_ANSWER)).message
                    raise strange(f"'{item.file.name}' is listed, and cannot be had ({why})")
                for piece in answer.iter_content(_PIECE):
                    size += len(piece)
                    if size > min(item.file.size, MAX_FILE):
                        raise strange(f"'{item.file.name}' is longer than it says")
                    wanted.update(piece)
                    target.write(piece)
            if (size, wanted.hexdigest()) != (item.file.size, item.file.sha256):
                raise strange(f"'{item.file.name}' is not the file that its SHA-256 names")
        except requests.RequestException as error:
            path.unlink(missing_ok=True)
            raise self._away(error) from None
        except EscrowError:
            path.unlink(missing_ok=True)
            raise
        return path

    def proposals(self, agreement_id: bytes, milestone: int) -> tuple[Proposed, ...]:
        """What others have signed about a milestone, the newest first."""
        answer = self._ask("GET", f"{_path(agreement_id, milestone)}/attestations")
        found = tuple(read_proposed(entry) for entry in entries(answer, "items"))
        for one in found:
            about = (one.attestation.agreement_id, one.attestation.milestone)
            if about != (agreement_id, milestone):
                raise strange("it answers with attestations of another milestone")
        return found

    def post(self, post: Post) -> Taken:
        """Hand in an attestation with signatures.

        Raises:
            OracleRefusedError: it was not taken; the sentence says why.
        """
        attestation = post.attestation
        path = f"{_path(attestation.agreement_id, attestation.milestone)}/attestations"
        answer = self._ask("POST", path, post_data(post))
        return read_taken(answer)

    def offer(self, signed: SignedAct) -> None:
        """Hand in an offer of a receivable, for whoever may buy it.

        Raises:
            OracleRefusedError: it was not taken; the sentence says why.
        """
        act = signed.act
        path = f"{_path(act.agreement_id, act.milestone)}/offers"
        self._ask("POST", path, json.loads(dumps_acts([signed])))

    def batch(self, digest: bytes) -> ProposedBatch:
        """A batch that somebody has posted."""
        return read_batch(self._ask("GET", _batch_path(digest)))

    def batch_address(self, digest: bytes) -> str:
        """Where others find a batch."""
        return self._base + _batch_path(digest)

    def post_batch(self, post: BatchPost) -> Taken:
        """Hand in a batch with signatures.

        Raises:
            OracleRefusedError: nothing of it was taken; the sentence says why.
        """
        return read_taken(self._ask("POST", "/v1/batches", batch_data(post)))

    def reasons(self, agreement_id: bytes, milestone: int) -> Mapping[bytes, str]:
        """The reasons of a milestone's disputes and rulings by their hashes on chain.

        Raises:
            OracleStrangeError: a text is not what its hash says.
        """
        answer = self._ask("GET", f"{_path(agreement_id, milestone)}/reasons")
        found = (read_reason(entry) for entry in entries(answer, "items"))
        return {reason_hash(text): text for text in found if text}

    def give_reason(self, agreement_id: bytes, milestone: int, reason: str) -> None:
        """Hand in why a milestone was disputed or ruled on, once that is on chain.

        Raises:
            OracleRefusedError: it was not taken; the sentence says why.
        """
        self._ask("POST", f"{_path(agreement_id, milestone)}/reasons", {"reason": reason})

    def wrong(self) -> list[tuple[str, str]]:
        """What is not in order with it, as it says itself: the name of each, and what there is."""
        status, raw = self._answer("GET", "/readyz")
        if status not in (200, 503):
            raise _refused(status, raw)
        checks = [mapping(one) for one in entries(parsed(raw), "checks")]
        return [
            (plain(one.get("name"), 40), plain(one.get("text"), 1_000))
            for one in checks
            if one.get("ok") is not True
        ]

    def _ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> Mapping[str, Any]:
        status, raw = self._answer(method, path, body)
        if not 200 <= status < 300:
            raise _refused(status, raw)
        return parsed(raw)

    def _answer(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> tuple[int, bytes]:
        import requests

        try:
            with self._session.request(
                method,
                self._base + path,
                json=body,
                headers=self._headers(),
                timeout=TIMEOUT,
                allow_redirects=False,
                stream=True,
            ) as answer:
                return answer.status_code, _read(answer, MAX_ANSWER)
        except requests.RequestException as error:
            raise self._away(error) from None

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "application/json, application/problem+json"}
        return headers | ({"Authorization": f"Bearer {self._token}"} if self._token else {})

    def _away(self, error: Exception) -> OracleAwayError:
        # What requests says may hold the whole address; its kind is enough.
        return OracleAwayError(
            f"the oracle at {self.origin} does not answer ({type(error).__name__})",
            hint="check its address, and that it is running",
        )


def _session() -> requests.Session:
    import requests

    session = requests.Session()
    # Neither a proxy's nor a .netrc's say: what is signed in to is what was typed.
    session.trust_env = False
    return session


def _path(agreement_id: bytes, milestone: int) -> str:
    return f"/v1/agreements/0x{agreement_id.hex()}/milestones/{milestone}"


def _batch_path(digest: bytes) -> str:
    return f"/v1/batches/0x{digest.hex()}"


def _read(answer: requests.Response, limit: int) -> bytes:
    raw = b""
    for piece in answer.iter_content(_PIECE):
        raw += piece
        if len(raw) > limit:
            raise strange(f"it answers with more than {limit:,} bytes")
    return raw


def _refused(status: int, raw: bytes) -> EscrowError:
    if status >= 500:
        return OracleAwayError(f"the oracle is in trouble (HTTP {status})", hint="try again later")
    if 300 <= status < 400:
        return strange("it sends elsewhere")
    try:
        problem = parsed(raw)
        detail = plain(problem.get("detail"), 1_000)
    except OracleStrangeError:
        return strange(f"it answers HTTP {status} without saying why")
    kind = str(problem.get("type", "")).rpartition(":")[2][:60]
    hint = plain(problem["hint"], 500) if isinstance(problem.get("hint"), str) else ""
    return OracleRefusedError(f"the oracle: {detail}", status=status, kind=kind, hint=hint)
