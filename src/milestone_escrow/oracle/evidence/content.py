"""Whether a file is what its name says: by the bytes that such files start with."""

from __future__ import annotations

from collections.abc import Callable

from milestone_escrow.errors import UsageError

HEAD = 512

_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_OFFICE = "application/vnd.openxmlformats-officedocument."
_OPEN = "application/vnd.oasis.opendocument."


def _starts(*signs: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(signs)


def _boxed(*brands: bytes) -> Callable[[bytes], bool]:
    """ISO media files start with a box that names their brand."""
    return lambda head: head[4:8] == b"ftyp" and (not brands or head[8:12] in brands)


_SIGNS: dict[str, Callable[[bytes], bool]] = {
    "application/pdf": _starts(b"%PDF-"),
    "image/png": _starts(b"\x89PNG\r\n\x1a\n"),
    "image/jpeg": _starts(b"\xff\xd8\xff"),
    "image/gif": _starts(b"GIF87a", b"GIF89a"),
    "image/webp": lambda head: head[:4] == b"RIFF" and head[8:12] == b"WEBP",
    "image/tiff": _starts(b"II*\0", b"MM\0*"),
    "image/heic": _boxed(b"heic", b"heix", b"mif1", b"msf1"),
    "video/mp4": _boxed(),
    "application/zip": _starts(*_ZIP),
    f"{_OFFICE}wordprocessingml.document": _starts(*_ZIP),
    f"{_OFFICE}spreadsheetml.sheet": _starts(*_ZIP),
    f"{_OFFICE}presentationml.presentation": _starts(*_ZIP),
    f"{_OPEN}text": _starts(*_ZIP),
    f"{_OPEN}spreadsheet": _starts(*_ZIP),
}
_TEXTS = frozenset(
    {
        "application/json", "application/xml", "text/xml", "text/csv", "text/plain",
        "text/markdown", "image/svg+xml", "message/rfc822",
    }
)  # fmt: skip
_PROGRAMS = _starts(
    b"MZ", b"\x7fELF", b"#!", b"\xfe\xed\xfa\xce", b"\xfe\xed\xfa\xcf",
    b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"\0asm",
)  # fmt: skip

KNOWN_TYPES = frozenset(_SIGNS) | _TEXTS


class Inspection:
    """Looks at a file as it passes by, piece by piece."""

    def __init__(self, name: str, media_type: str) -> None:
        self.name = name
        self.media_type = media_type
        self._head = b""

    def see(self, chunk: bytes) -> None:
        """The next piece.

        Raises:
            UsageError: the content is not what the name says.
        """
        if self.media_type in _TEXTS and b"\0" in chunk:
            raise self._wrong("it is not text")
        if len(self._head) < HEAD:
            self._head += chunk[: HEAD - len(self._head)]

    def close(self) -> None:
        """The end; see `see`."""
        if not self._head:
            raise UsageError(f"'{self.name}' is empty", hint="give the file itself")
        if _PROGRAMS(self._head):
            raise self._wrong("it is a program")
        found = [kind for kind, matches in _SIGNS.items() if matches(self._head)]
        expected = _SIGNS.get(self.media_type)
        if expected is not None and not expected(self._head):
            raise self._wrong(f"it is {found[0]}" if found else "its content is something else")
        if self.media_type in _TEXTS and found:
            raise self._wrong(f"it is {found[0]}")

    def _wrong(self, what: str) -> UsageError:
        return UsageError(
            f"'{self.name}' should be {self.media_type}, as its name says, but {what}",
            hint="give the file its right ending, or the right file",
        )
