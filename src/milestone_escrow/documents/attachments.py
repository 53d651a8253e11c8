"""Files beside the agreement: named in it, hashed into it, never published."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from milestone_escrow.documents.model import AgreementFile, Attachment
from milestone_escrow.documents.source import Source, Where

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class AttachedFile:
    """An attachment and the SHA-256 of its content, in hex."""

    name: str
    sha256: str


def attach(source: Source, model: AgreementFile, folder: Path | None) -> tuple[AttachedFile, ...]:
    """Hash every attachment; without a folder, take the hashes that the document already has.

    Raises:
        DocumentError: an attachment is missing, or lies outside the folder.
    """
    files: list[AttachedFile] = []
    for index, attachment in enumerate(model.attachments):
        where: Where = ("attachments", index)
        if any(file.name == attachment.name for file in files):
            raise source.error(where, f"'{attachment.name}' is attached twice", "name it once")
        files.append(AttachedFile(attachment.name, _hash(source, where, attachment, folder)))
    return tuple(files)


def _hash(source: Source, where: Where, attachment: Attachment, folder: Path | None) -> str:
    name = PurePosixPath(attachment.name)
    if name.is_absolute() or ".." in name.parts or "\\" in attachment.name:
        raise source.error(
            where, f"'{attachment.name}' is not beside the agreement", "put the file next to it"
        )
    if folder is None:
        if not _SHA256.fullmatch(attachment.sha256):
            raise source.error(where, f"'{attachment.name}' has no SHA-256")
        return attachment.sha256
    if attachment.sha256:
        raise source.error(where, "gives a hash by hand", "write only the file's name")
    try:
        return file_sha256(folder / name)
    except OSError as error:
        reason = "is a folder" if isinstance(error, IsADirectoryError) else "cannot be read"
        if isinstance(error, FileNotFoundError):
            reason = "does not exist"
        raise source.error(
            where,
            f"the attachment '{attachment.name}' {reason}",
            f"put it into {folder.resolve()}, or remove it from the list",
        ) from error


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's content, in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
