"""What somebody sends as evidence: a file as multipart, or only its hash as JSON."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import IO, Annotated

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import ValidationError

from milestone_escrow.oracle.api.bodies.evidence import HashOnly
from milestone_escrow.oracle.api.problems import Complaint, Problem
from milestone_escrow.oracle.api.routes.common import AgreementId, Index, SignedIn
from milestone_escrow.oracle.api.viewers import deps_of, find, require_person, stage
from milestone_escrow.oracle.viewing import AgreementView
from milestone_escrow.protocol.eip712 import Address

MULTIPART, JSON = "multipart/form-data", "application/json"
PIECE = 1 << 16


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file that was sent; `declared` is the media type that its sender claims."""

    name: str
    kind: str
    declared: str
    stream: IO[bytes]

    def pieces(self) -> Iterator[bytes]:
        while piece := self.stream.read(PIECE):
            yield piece


@dataclass(frozen=True, slots=True)
class Upload:
    """Who sends what for which agreement, once it is clear that they may."""

    view: AgreementView
    account: Address
    sent: SentFile | HashOnly


async def upload(
    request: Request, viewer: SignedIn, agreement_id: AgreementId, index: Index
) -> AsyncIterator[Upload]:
    """The upload; its body is only read for somebody with a role in the agreement.

    Raises:
        Problem: a stranger, an agreement that is not open, or not one of the two forms.
    """
    view = await run_in_threadpool(find, deps_of(request), agreement_id, viewer)
    account = require_person(viewer, view)
    stage(view, index)
    if not view.opened_block:
        raise Problem(409, "the agreement is not open yet", hint="hand evidence in once it is")
    given = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if given == JSON:
        yield Upload(view, account, await _hash_only(request))
    elif given == MULTIPART:
        async with request.form(max_files=1, max_fields=4, max_part_size=1_000) as form:
            file, kind = form.get("file"), form.get("kind", "")
            # The framework's own file class is the base of the one that it exports.
            if isinstance(file, str) or file is None or not isinstance(kind, str):
                raise _missing("body.file", "a file is needed")
            if set(form) - {"file", "kind"}:
                raise _missing("body", "there are fields other than file and kind")
            sent = SentFile(file.filename or "", kind, file.content_type or "", file.file)
            yield Upload(view, account, sent)
    else:
        raise Problem(
            415,
            f"the body is {given or 'of no stated type'}, allowed is {MULTIPART} or {JSON}",
            hint="send the file as multipart, or its name, size and SHA-256 as JSON",
            headers={"Accept-Post": f"{MULTIPART}, {JSON}"},
        )


Uploaded = Annotated[Upload, Depends(upload)]


async def _hash_only(request: Request) -> HashOnly:
    try:
        return HashOnly.model_validate_json(await request.body())
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        if any(item["type"] == "json_invalid" for item in found):
            raise Problem(400, "the body is not JSON") from None
        complaints = tuple(
            Complaint(where=".".join(("body", *map(str, item["loc"]))), message=item["msg"])
            for item in found[:20]
        )
        raise Problem(422, "the request is not as it must be", errors=complaints) from None


def _missing(where: str, message: str) -> Problem:
    complaint = Complaint(where=where, message=message)
    return Problem(422, "the request is not as it must be", errors=(complaint,))


# For `openapi_extra`: the two forms of the body.
REQUEST_BODY = {
    "required": True,
    "content": {
        MULTIPART: {
            "schema": {
                "type": "object",
                "required": ["file"],
                "additionalProperties": False,
                "properties": {
                    "file": {"type": "string", "format": "binary"},
                    "kind": {
                        "type": "string",
                        "description": "What it is, as bill_of_lading; else its name says",
                    },
                },
            }
        },
        JSON: {"schema": {"$ref": "#/components/schemas/HashOnly"}},
    },
}
