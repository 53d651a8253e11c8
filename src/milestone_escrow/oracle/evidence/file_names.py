"""Names of files from strangers: no paths, nothing invisible, nothing that a system reserves.

A name ends up on other people's screens and disks, and in what verifiers sign.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath

from milestone_escrow.documents.manifest import kind_of
from milestone_escrow.documents.values import read_key
from milestone_escrow.errors import UsageError

MAX_CHARACTERS = 120
MAX_BYTES = 200

# Controls, invisible formatting (which turns text around, too), surrogates, private and unassigned
# characters, and separators of lines.
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_SEPARATORS = frozenset('/\\:*?"<>|')
_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])", re.IGNORECASE)


def read_name(name: str) -> str:
    """A file's name, composed as Unicode wants it (NFC).

    Raises:
        UsageError: it is a path, or not a name that every system shows and stores alike.
    """
    composed = unicodedata.normalize("NFC", name)
    hint = "rename the file: letters, digits, spaces, dots and dashes"
    if not composed or composed in (".", ".."):
        raise UsageError("the file has no name", hint=hint)
    if len(composed) > MAX_CHARACTERS or len(composed.encode("utf-8", "replace")) > MAX_BYTES:
        raise UsageError(
            f"the file's name has {len(composed)} characters, at most {MAX_CHARACTERS} are allowed",
            hint="give it a shorter one",
        )
    if any(unicodedata.category(c) in _INVISIBLE for c in composed):
        raise UsageError("the file's name holds characters that nobody can see", hint=hint)
    if bad := sorted(_SEPARATORS & set(composed)):
        raise UsageError(f"the file's name '{composed}' holds {' '.join(bad)}", hint=hint)
    if composed[0] in ".-~ " or composed[-1] in ". " or composed != composed.strip():
        raise UsageError(
            f"the file's name '{composed}' starts or ends with a sign that systems treat "
            "differently",
            hint=hint,
        )
    if _RESERVED.fullmatch(composed.split(".")[0].strip()):
        raise UsageError(f"'{composed}' is a device's name on some systems", hint=hint)
    return composed


def read_kind(kind: str) -> str:
    """A kind as requirements name it: "bill of lading" is `bill_of_lading`.

    Raises:
        UsageError: it is not one.
    """
    try:
        return read_key("_".join(kind.lower().replace("-", " ").split()))
    except UsageError as error:
        raise UsageError(
            f"'{kind}' is not a kind of document", hint="write it as bill_of_lading"
        ) from error


def listed_name(name: str, kind: str, taken: frozenset[str]) -> str:
    """The name under which a file is listed: its own, where that says its kind; else one that does.

    `bill_of_lading.pdf`, then `bill_of_lading-2.pdf`: whoever downloads the files and makes a
    manifest of them gets the same one.
    """
    if kind_of(name) == kind:
        return name
    suffix = PurePosixPath(name).suffix
    candidate, number = f"{kind}{suffix}", 1
    while candidate in taken:
        number += 1
        candidate = f"{kind}-{number}{suffix}"
    # A kind that ends in a digit cannot be said by a name; the list says it alone then.
    return candidate if kind_of(candidate) == kind else name
