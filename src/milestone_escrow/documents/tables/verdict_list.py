"""A list of verdicts for one signature: YAML, JSON or CSV, the same fields in each.

```yaml
verdicts:
  - {agreement: PO-48213, milestone: materials, verdict: accepted}
  - {agreement: PO-48377, milestone: packed, verdict: accepted, amount: 60%, evidence: [p.jpeg]}
  - {agreement: PO-48401, milestone: packed, verdict: rejected, reason: Two cartons are wet}
```

In a CSV file the first line names the columns, and several pieces of evidence are set off by
semicolons. Evidence lies beside the list, or where its path says.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from milestone_escrow.documents.source import Source, Tree, Where, read_source, suggest
from milestone_escrow.errors import DocumentError
from milestone_escrow.protocol.acts import Verdict

MAX_ITEMS = 200
FIELDS = ("agreement", "milestone", "verdict", "amount", "reason", "evidence")
VERDICTS: Mapping[str, Verdict] = {"accepted": Verdict.ACCEPTED, "rejected": Verdict.REJECTED}


@dataclass(frozen=True, slots=True)
class VerdictLine:
    """One verdict as written; `amount` is text such as "60%", None for all of the milestone."""

    agreement: str
    milestone: str
    verdict: Verdict
    amount: str | None
    reason: str
    evidence: tuple[Path, ...]
    where: Where


@dataclass(frozen=True, slots=True)
class VerdictList:
    """A whole file; `source` knows the line of every verdict."""

    source: Source
    lines: tuple[VerdictLine, ...]


def load_verdicts(path: Path) -> VerdictList:
    """Read a list of verdicts.

    Raises:
        DocumentError: with file, line, field and fix.
    """
    is_csv = path.suffix.lower() == ".csv"
    source = _read_csv(path) if is_csv else read_source(path)
    entries = source.tree.get("verdicts")
    if not isinstance(entries, list) or not entries:
        raise source.error((), "has no verdicts", "list them under `verdicts:`, one on each line")
    for name in source.tree:
        if name != "verdicts":
            raise source.error((name,), "is not known", "the only field is `verdicts`")
    if len(entries) > MAX_ITEMS:
        raise source.error(
            ("verdicts",), f"are {len(entries)}", f"at most {MAX_ITEMS} fit into one transaction"
        )
    lines = [
        _line(source, ("verdicts", index), entry, path.parent)
        for index, entry in enumerate(entries)
    ]
    return VerdictList(source, tuple(lines))


def _line(source: Source, where: Where, entry: Tree, folder: Path) -> VerdictLine:
    if not isinstance(entry, dict):
        raise source.error(where, "is not a verdict", f"give it {', '.join(FIELDS[:3])}")
    for name in entry:
        if name not in FIELDS:
            raise source.error((*where, name), "is not known", suggest(name, FIELDS))
    written = {name: _text(source, (*where, name), entry) for name in FIELDS[:5]}
    for name in FIELDS[:3]:
        if not written[name]:
            raise source.error(where, f"has no {name}", f"add `{name}: …`")
    verdict = VERDICTS.get(written["verdict"])
    if verdict is None:
        known = "write accepted or rejected"
        if written["verdict"] == "returned":
            known = "a return for rework is not sent; use `escrow attest --return` for it"
        raise source.error((*where, "verdict"), f"is '{written['verdict']}'", known)
    if verdict is Verdict.REJECTED and not written["reason"]:
        raise source.error(where, "rejects without a reason", "add `reason: …`, a sentence")
    if verdict is Verdict.REJECTED and written["amount"]:
        raise source.error((*where, "amount"), "belongs to accepted", "leave it out")
    return VerdictLine(
        agreement=written["agreement"],
        milestone=written["milestone"],
        verdict=verdict,
        amount=written["amount"] or None,
        reason=written["reason"],
        evidence=tuple(folder / name for name in _evidence(source, where, entry)),
        where=where,
    )


def _text(source: Source, where: Where, entry: Mapping[str, Tree]) -> str:
    value = entry.get(str(where[-1]), "")
    if not isinstance(value, str):
        raise source.error(where, "is not plain text", "write one value")
    return value.strip()


def _evidence(source: Source, where: Where, entry: Mapping[str, Tree]) -> list[str]:
    value = entry.get("evidence", [])
    names = value if isinstance(value, list) else [value]
    found = []
    for name in names:
        if not isinstance(name, str):
            raise source.error((*where, "evidence"), "is not a list of files", "name files")
        found += [part.strip() for part in name.split(";") if part.strip()]
    return found


def _read_csv(path: Path) -> Source:
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        reason = error.strerror or "unreadable"
        raise DocumentError(
            f"cannot be read ({reason})", file=str(path), hint="give the path of a list of verdicts"
        ) from error
    except UnicodeDecodeError as error:
        raise DocumentError(
            "is not UTF-8 text", file=str(path), hint="save the file with UTF-8 encoding"
        ) from error
    reader = csv.DictReader(io.StringIO(text, newline=""), restkey="", restval="")
    columns = reader.fieldnames or []
    empty = Source(str(path), {}, {})
    missing = [name for name in FIELDS[:3] if name not in columns]
    if missing:
        raise empty.error(
            (), f"has no column {missing[0]}", f"let the first line be {','.join(FIELDS)}"
        )
    entries: list[Tree] = []
    lines: dict[Where, int] = {}
    for row in reader:
        if "" in row:
            raise DocumentError(
                "has more values than columns",
                file=str(path),
                line=reader.line_num,
                hint='put a value with a comma in quotes: "12,000.00"',
            )
        lines["verdicts", len(entries)] = reader.line_num
        entries.append({name: value for name, value in row.items() if value})
    return Source(str(path), {"verdicts": entries}, lines)
