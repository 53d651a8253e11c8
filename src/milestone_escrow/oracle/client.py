"""An oracle's API as a verifier or arbiter uses it. Whatever it answers is treated as hostile.

Nothing that counts is believed because an oracle says it: the manifest is put together here and
its hash computed again, files are compared with it, attestations are rebuilt from their fields.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable
from urllib.parse import urlsplit

from milestone_escrow.documents.evidence import EvidenceFile, Manifest
from milestone_escrow.documents.hostile import parse_json
from milestone_escrow.errors import EscrowError, UsageError
from milestone_escrow.oracle.signing.wire import (
    Post,
    post_data,
    read_account,
    read_attestation,
    read_hash,
    read_whole,
)
from milestone_escrow.protocol.acts import Attestation
from milestone_escrow.protocol.eip712 import ZERO_HASH, Address

if TYPE_CHECKING:
    import requests

TIMEOUT = (5, 20)
MAX_ANSWER = 4 * 1024 * 1024
MAX_FILE = 200 * 1024 * 1024
_PIECE = 1 << 16
_SHA256 = re.compile(r"[0-9a-f]{64}")
# A file's own name: no folder, nothing hidden, nothing that a system reads otherwise.
_NAME = re.compile(r"[^\x00-\x1f\x7f/\\:*?\"<>|.][^\x00-\x1f\x7f/\\:*?\"<>|]{0,254}")
_STATEMENT = "Sign in to see your agreements. This sends no transaction and costs nothing."


class OracleAwayError(EscrowError):
    """The oracle does not answer, or is in trouble: one can go on without it."""


class OracleStrangeError(EscrowError):
    """The oracle answers what makes no sense or does not fit together: nobody should go on."""


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


@dataclass(frozen=True, slots=True)
class Item:
    """One piece of evidence; `stored` is false where only its hash is known."""

    file: EvidenceFile
    supplied_by: Address
    role: str
    added_at: int
    stored: bool


@dataclass(frozen=True, slots=True)
class Listed:
    """A milestone's evidence, and the manifest that it makes."""

    items: tuple[Item, ...]

    @property
    def manifest(self) -> Manifest:
        files = sorted((item.file for item in self.items), key=lambda file: file.name)
        return Manifest(tuple(files))

    @property
    def hash(self) -> bytes:
        """What an attestation on all of it commits to; zero where there is none."""
        return self.manifest.hash if self.items else ZERO_HASH


@dataclass(frozen=True, slots=True)
class Found:
    """What a requirement comes to: `state` is "met", "missing" or "failed"."""

    requirement: str
    state: str
    text: str
    items: tuple[Found, ...]

    def lines(self, depth: int = 0) -> Iterator[tuple[int, Found]]:
        """This one and those within it, with how deep they are."""
        yield depth, self
        for item in self.items:
            yield from item.lines(depth + 1)


@dataclass(frozen=True, slots=True)
class Proposed:
    """An attestation that others have signed; `words` are what its evidence hash means, as they
    say: compare the hash."""

    attestation: Attestation
    stage: str
    signers: tuple[Address, ...]
    words: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of an attestation that was posted."""

    digest: bytes
    stage: str
    signers: tuple[Address, ...]
    quorum: int
    is_complete: bool
    refused: tuple[str, ...]


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
                f"the oracle at {self.origin} calls itself {_text(answer.get('uri'), 80)} on chain "
                f"{_text(str(answer.get('chain_id')), 20)}",
                hint="use the address that it calls itself, if you trust it",
            )
        message = SignIn(
            domain=urlsplit(self.origin).netloc,
            account=signer.address,
            uri=self.origin,
            chain_id=chain_id,
            nonce=_text(answer.get("nonce"), 64),
            issued_at=_text(_object(answer, "issued_at").get("iso"), 40),
            statement=_STATEMENT,
            expiration_time=_text(_object(answer, "expires_at").get("iso"), 40),
        ).text()
        parse(message)
        signature = signer.sign_text(message, chain_id)
        body = {"message": message, "signature": "0x" + signature.hex()}
        self._token = _text(self._ask("POST", "/v1/login", body).get("token"), 200)

    def requirements(self, agreement_id: bytes, milestone: int) -> Found:
        """What must be shown, and what it comes to now."""
        path = f"{_path(agreement_id, milestone)}/requirements"
        return _found(_object(self._ask("GET", path), "finding"))

    def evidence(self, agreement_id: bytes, milestone: int) -> Listed:
        """The evidence listed for a milestone.

        Raises:
            OracleStrangeError: its hash is not that of its own list, or it is malformed.
        """
        answer = self._ask("GET", f"{_path(agreement_id, milestone)}/evidence")
        listed = Listed(tuple(_item(entry) for entry in _list(answer, "items")))
        names = [item.file.name for item in listed.items]
        if len(set(names)) != len(names):
            raise _strange("it lists two files of one name")
        if read(lambda: read_hash(answer.get("evidence_hash"), "evidence_hash")) != listed.hash:
            raise _strange("its evidence is not what its evidence hash says")
        return listed

    def download(self, item: Item, folder: Path) -> Path:
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
                    raise _strange(f"'{item.file.name}' is listed, and cannot be had ({why})")
                for piece in answer.iter_content(_PIECE):
                    size += len(piece)
                    if size > min(item.file.size, MAX_FILE):
                        raise _strange(f"'{item.file.name}' is longer than it says")
                    wanted.update(piece)
                    target.write(piece)
            if (size, wanted.hexdigest()) != (item.file.size, item.file.sha256):
                raise _strange(f"'{item.file.name}' is not the file that its SHA-256 names")
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
        found = tuple(_proposed(entry) for entry in _list(answer, "items"))
        for one in found:
            about = (one.attestation.agreement_id, one.attestation.milestone)
            if about != (agreement_id, milestone):
                raise _strange("it answers with attestations of another milestone")
        return found

    def post(self, post: Post) -> Taken:
        """Hand in an attestation with signatures.

        Raises:
            OracleRefusedError: it was not taken; the sentence says why.
        """
        attestation = post.attestation
        path = f"{_path(attestation.agreement_id, attestation.milestone)}/attestations"
        answer = self._ask("POST", path, post_data(post))
        return Taken(
            read(lambda: read_hash(answer.get("digest"), "digest")),
            _text(answer.get("state"), 20),
            _accounts(answer.get("signers")),
            read(lambda: read_whole(answer.get("quorum"), "quorum", 32)),
            answer.get("is_complete") is True,
            tuple(_text(_mapping(one).get("reason"), 500) for one in _list(answer, "refused")),
        )

    def _ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> Mapping[str, Any]:
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
                raw, status = _read(answer, MAX_ANSWER), answer.status_code
        except requests.RequestException as error:
            raise self._away(error) from None
        if not 200 <= status < 300:
            raise _refused(status, raw)
        return _parsed(raw)

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "application/json, application/problem+json"}
        return headers | ({"Authorization": f"Bearer {self._token}"} if self._token else {})

    def _away(self, error: Exception) -> OracleAwayError:
        # What requests says may hold the whole address; its kind is enough.
        return OracleAwayError(
            f"the oracle at {self.origin} does not answer ({type(error).__name__})",
            hint="check its address, and that it is running",
        )


def read(reading: Any) -> Any:
    """A value of an answer; what makes no sense is the oracle's fault, not the user's.

    Raises:
        OracleStrangeError: it does not fit.
    """
    try:
        return reading()
    except UsageError as error:
        raise _strange(error.message) from None


def _session() -> requests.Session:
    import requests

    session = requests.Session()
    # Neither a proxy's nor a .netrc's say: what is signed in to is what was typed.
    session.trust_env = False
    return session


def _path(agreement_id: bytes, milestone: int) -> str:
    return f"/v1/agreements/0x{agreement_id.hex()}/milestones/{milestone}"


def _read(answer: requests.Response, limit: int) -> bytes:
    raw = b""
    for piece in answer.iter_content(_PIECE):
        raw += piece
        if len(raw) > limit:
            raise _strange(f"it answers with more than {limit:,} bytes")
    return raw


def _parsed(raw: bytes) -> Mapping[str, Any]:
    try:
        return _mapping(parse_json(raw, limit=MAX_ANSWER))
    except (ValueError, RecursionError):
        raise _strange("it does not answer in JSON") from None


def _refused(status: int, raw: bytes) -> EscrowError:
    if status >= 500:
        return OracleAwayError(f"the oracle is in trouble (HTTP {status})", hint="try again later")
    if 300 <= status < 400:
        return _strange("it sends elsewhere")
    try:
        problem = _parsed(raw)
        detail = _text(problem.get("detail"), 1_000)
    except OracleStrangeError:
        return _strange(f"it answers HTTP {status} without saying why")
    kind = str(problem.get("type", "")).rpartition(":")[2][:60]
    hint = _text(problem["hint"], 500) if isinstance(problem.get("hint"), str) else ""
    return OracleRefusedError(f"the oracle: {detail}", status=status, kind=kind, hint=hint)


def _found(entry: Mapping[str, Any]) -> Found:
    state = _text(entry.get("state"), 20)
    if state not in ("met", "missing", "failed"):
        raise _strange("a requirement is neither met, missing nor failed")
    return Found(
        _text(entry.get("requirement"), 1_000),
        state,
        _text(entry.get("text"), 2_000),
        tuple(_found(_mapping(item)) for item in _list(entry, "items")),
    )


def _item(value: object) -> Item:
    entry = _mapping(value)
    name, digest = entry.get("name"), entry.get("sha256")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise _strange("it lists a file whose name is none")
    if not isinstance(digest, str) or not _SHA256.fullmatch(digest):
        raise _strange(f"it lists '{name}' without its SHA-256")
    kind, media_type = _text(entry.get("kind"), 80), _text(entry.get("media_type"), 120)
    size = read(lambda: read_whole(entry.get("size"), "size", 2**53))
    added = _object(entry, "added_at").get("unix")
    return Item(
        EvidenceFile(name, kind, media_type, size, digest),
        read(lambda: read_account(entry.get("supplied_by"))),
        _text(entry.get("role"), 80),
        read(lambda: read_whole(added, "added_at", 2**53)),
        isinstance(entry.get("download"), str),
    )


def _proposed(value: object) -> Proposed:
    entry = _mapping(value)
    words = entry.get("words") or {}
    return Proposed(
        read(lambda: read_attestation(entry.get("attestation"))),
        _text(entry.get("state"), 20),
        _accounts([_mapping(one).get("account") for one in _list(entry, "signers")]),
        _mapping(words),
    )


def _accounts(value: object) -> tuple[Address, ...]:
    if not isinstance(value, list):
        raise _strange("it lists no accounts where they belong")
    return tuple(read(lambda one=one: read_account(one)) for one in value)


def _object(entry: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return _mapping(entry.get(name))


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _strange("something is missing in its answer")
    return value


def _list(entry: Mapping[str, Any], name: str) -> Sequence[object]:
    value = entry.get(name)
    if not isinstance(value, list) or len(value) > 10_000:
        raise _strange(f"its answer has no list of {name}")
    return value


def _text(value: object, limit: int) -> str:
    """Text that is shown: bounded, and without what would steer a terminal."""
    if not isinstance(value, str):
        raise _strange("something is missing in its answer")
    return "".join(c if c.isprintable() else " " for c in value[:limit])


def _strange(why: str) -> OracleStrangeError:
    return OracleStrangeError(
        f"the oracle's answer cannot be used: {why}",
        hint="do not rely on it; `--oracle none` goes on without it",
    )
