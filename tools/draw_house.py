"""Draw the house from its code: `python -m tools.draw_house` writes docs/architecture.md anew.

What people wrote on the page stays; what stands between the marks is made here.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping

from tools import house

PAGE = house.ROOT / "docs" / "architecture.md"
_MARKED = re.compile(r"(<!-- made: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def main() -> None:
    """Write the page."""
    PAGE.write_text(drawn(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def drawn(page: str) -> str:
    """The page with all that is made of code as the code now is."""
    parts = {"picture": picture, "classes": classes, "files": files}
    return _MARKED.sub(lambda found: found[1] + parts[found[2]]() + found[3], page)


def picture() -> str:
    """The rooms as floors, the highest on top; an arrow that follows from others is left out."""
    lines = ["```mermaid", "flowchart TB"]
    counts: dict[str, int] = defaultdict(int)
    for module in house.files():
        counts[house.room_of(module)] += 1
    for number, rooms in reversed(list(enumerate(house.FLOORS))):
        lines.append(f'  subgraph f{number}["floor {number}"]')
        lines += [f'    {room}["{room}<br>{_files(counts[room])}"]' for room in rooms]
        lines.append("  end")
    lines += [f"  {room} --> {other}" for room, other in arrows()]
    return "\n".join([*lines, "```", ""])


def _files(count: int) -> str:
    return f"{count} file" if count == 1 else f"{count} files"


def arrows() -> Iterator[tuple[str, str]]:
    """Which room needs which, as little as says it all."""
    needs: dict[str, set[str]] = {room: set() for room in house.FLOOR_OF}
    for module, others in house.graph().items():
        room = house.room_of(module)
        needs[room] |= {house.room_of(other) for other in others} - {room}
    for room, others in sorted(needs.items(), key=lambda one: -house.FLOOR_OF[one[0]]):
        through = set().union(*(_below(other, needs) for other in others))
        yield from ((room, other) for other in sorted(others - through))


def _below(room: str, needs: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    left = set(needs[room])
    while left:
        other = left.pop()
        if other not in found:
            found.add(other)
            left |= needs[other]
    return found


def classes() -> str:
    """Names of classes that stand in more than one file, and what each of them is."""
    places: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for module, path in house.files().items():
        for node in ast.walk(house.tree(path)):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append((module, _meaning(ast.get_docstring(node))))
    return _table(places)


def files() -> str:
    """Names of files that stand in more than one room, and what each of them is about."""
    places: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for module, path in house.files().items():
        name = module.split(".")[-1]
        if not name.startswith("__"):
            places[name].append((module, _meaning(ast.get_docstring(house.tree(path)))))
    return _table(places)


def _table(places: Mapping[str, list[tuple[str, str]]]) -> str:
    lines = ["| name | in | means |", "|---|---|---|"]
    for name, found in sorted(places.items()):
        if len(found) > 1:
            for number, (module, meaning) in enumerate(found):
                first = f"`{name}`" if number == 0 else ""
                lines.append(f"| {first} | `{module}` | {meaning} |")
    return "\n".join([*lines, ""])


def _meaning(docstring: str | None) -> str:
    """The first sentence."""
    paragraph = " ".join((docstring or "").split("\n\n")[0].split())
    found = re.match(r".*?[.](?= [A-Z]|$)", paragraph)
    return (found[0] if found else paragraph).replace("|", r"\|").rstrip(".")


def twice(table: str) -> list[tuple[str, str]]:
    """The places of a table, and what stands there."""
    return re.findall(r"^\| .*?\| `([\w.]+)` \| (.*) \|$", table, re.MULTILINE)


if __name__ == "__main__":
    main()
