"""All messages of the package, as the template that a translator's catalogue starts from.

    python tools/catalogue.py

writes `words/locale/milestone_escrow.pot`. Places are files without lines, so that the template
changes only where a message does.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

SRC = Path(__file__).resolve().parents[1] / "src" / "milestone_escrow"
TEMPLATE = SRC / "words" / "locale" / "milestone_escrow.pot"
MESSAGES = "milestone_escrow.words.messages"

# How many of their arguments are messages: a singular with its plural, a refusal with its way out.
FUNCTIONS = {"say": 1, "say_count": 2}
METHODS = {"say": 2, "one": 1}
METHODS_OF = SRC / "words"

HEADER = """# Messages of milestone-escrow, written by tools/catalogue.py.
msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\\n"
"""


def functions(tree: ast.AST) -> set[str]:
    """The message functions that a module imports; under other names they would not be found."""
    return {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == MESSAGES
        for alias in node.names
        if alias.name in FUNCTIONS
    }


def calls(tree: ast.AST, *, methods: bool = False) -> Iterator[tuple[ast.Call, int]]:
    """Every call that makes a message, with how many of its arguments may be messages."""
    known = functions(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            match node.func:
                case ast.Name(id=name) if name in known:
                    yield node, FUNCTIONS[name]
                case ast.Attribute(attr=name) if methods and name in METHODS:
                    yield node, METHODS[name]


def messages(tree: ast.AST, *, methods: bool = False) -> Iterator[tuple[str, str]]:
    """Each message with its plural, "" where it has none."""
    for call, count in calls(tree, methods=methods):
        texts = [
            one.value
            for one in call.args[:count]
            if isinstance(one, ast.Constant) and isinstance(one.value, str) and one.value
        ]
        if isinstance(call.func, ast.Name) and count == 2:
            yield texts[0], texts[1]
        else:
            yield from ((text, "") for text in texts)


def template() -> str:
    """The whole catalogue, in the order of files and of their lines."""
    places: dict[tuple[str, str], list[str]] = {}
    for path in sorted(SRC.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        where = path.relative_to(SRC).as_posix()
        for message in messages(tree, methods=METHODS_OF in path.parents):
            seen = places.setdefault(message, [])
            if where not in seen:
                seen.append(where)
    entries = []
    for (one, many), where in places.items():
        lines = [*(f"#: {place}" for place in where), f"msgid {_quoted(one)}"]
        if many:
            lines += [f"msgid_plural {_quoted(many)}", 'msgstr[0] ""', 'msgstr[1] ""']
        else:
            lines.append('msgstr ""')
        entries.append("\n".join(lines))
    return "\n".join((HEADER, "\n\n".join(entries), ""))


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


if __name__ == "__main__":
    TEMPLATE.write_text(template(), encoding="utf-8")
