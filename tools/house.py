"""What the house is made of, read from its files: rooms on floors, and who imports whom."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "milestone_escrow"
SRC = ROOT / "src" / PACKAGE

# From the basement up. A room imports itself and rooms on lower floors, never its neighbours.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("errors",),
    ("protocol",),
    ("documents",),
    ("keys", "chain"),
    ("words",),
    ("deals",),
    ("library",),
    ("sandbox", "oracle", "papers"),
    ("web",),
    ("cli",),
)

# The library is the house's front door: the package itself and the modules at its top.
FLOOR_OF: Mapping[str, int] = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


@dataclass(frozen=True)
class Imported:
    """An absolute name that a file imports; `from a import b` counts as `a.b`."""

    name: str
    line: int
    # Read by type checkers only: nothing is loaded.
    typing: bool


def files() -> dict[str, Path]:
    """Each module below the package, by its dotted name; a folder's own is `room.__init__`."""
    return {
        ".".join(path.relative_to(SRC).with_suffix("").parts): path
        for path in sorted(SRC.rglob("*.py"))
    }


def room_of(module: str) -> str:
    """The room of a module below the package: `chain.rpc` lives in chain, `escrow` in library."""
    first = module.split(".")[0]
    return first if first in FLOOR_OF else "library"


@cache
def tree(path: Path) -> ast.Module:
    """A file as Python reads it."""
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imports(path: Path) -> tuple[Imported, ...]:
    """All that a file imports, inside functions as well."""
    return tuple(_imports(tree(path), path, typing=False))


def _imports(node: ast.AST, path: Path, *, typing: bool) -> Iterator[Imported]:
    if isinstance(node, ast.Import):
        yield from (Imported(alias.name, node.lineno, typing) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, f"{path}:{node.lineno} imports relatively"
        for alias in node.names:
            yield Imported(f"{node.module}.{alias.name}", node.lineno, typing)
    elif isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
        for child in node.body:
            yield from _imports(child, path, typing=True)
        for child in node.orelse:
            yield from _imports(child, path, typing=typing)
    else:
        for child in ast.iter_child_nodes(node):
            yield from _imports(child, path, typing=typing)


def graph() -> dict[str, set[str]]:
    """Which files of the package each one loads, sooner or later."""
    known = files()
    return {
        module: {
            found
            for item in imports(path)
            if not item.typing and (found := _file_of(item.name, known)) not in (None, module)
        }
        for module, path in known.items()
    }


def _file_of(name: str, known: Mapping[str, Path]) -> str | None:
    """The file that an imported name comes from."""
    head, _, rest = name.partition(".")
    if head != PACKAGE or rest == "__version__":  # a number that anyone may know
        return None
    parts = rest.split(".") if rest else []
    for end in range(len(parts), -1, -1):
        dotted = ".".join(parts[:end])
        for candidate in (dotted, f"{dotted}.__init__" if dotted else "__init__"):
            if candidate in known:
                return candidate
    return None


def circles(edges: Mapping[str, set[str]]) -> list[list[str]]:
    """Groups of files that import each other, the largest first (Tarjan's algorithm)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(edges[node]):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            group = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(group) > 1:
                found.append(sorted(group))

    for node in sorted(edges):
        if node not in index:
            visit(node)
    return sorted(found, key=len, reverse=True)
