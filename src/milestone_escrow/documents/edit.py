"""Changing single fields of an agreement file's text; everything else stays, comments included.

Not by ruamel.yaml: its round trip writes accounts in capitals, which breaks their checksums, and
takes out the spaces that align a list of parties.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import yaml

from milestone_escrow.documents.source import Tree, Where, field_name, parse_source
from milestone_escrow.errors import UsageError


def replace_value(text: str, where: Where, value: str) -> str:
    """The text with one plain value replaced; lists and groups cannot be.

    Raises:
        UsageError: there is no such value.
    """
    node = _compose(text)
    for step in where:
        node = next((value for name, value in _children(node) if name == step), None)
    if not isinstance(node, yaml.ScalarNode):
        raise UsageError(f"the file does not say {field_name(where)}", hint="add it by hand")
    return text[: node.start_mark.index] + value + text[node.end_mark.index :]


def set_fields(text: str, fields: Mapping[str, str], *, after: str) -> str:
    """The text with fields of its top level set, on a line each below the line of `after`.

    Fields that are there already are taken out first, with what stands on their lines.

    Raises:
        UsageError: the file is not written line by line.
    """
    for name in fields:
        text = unset_field(text, name)
    places = _places(text)
    if after not in places:
        raise UsageError(f"the file has no line `{after}: …`", hint="write one field on a line")
    at, lines = places[after][1], text.splitlines(keepends=True)
    if not lines[at - 1].endswith("\n"):
        lines[at - 1] += "\n"
    return "".join([*lines[:at], *(f"{name}: {v}\n" for name, v in fields.items()), *lines[at:]])


def unset_field(text: str, name: str) -> str:
    """The text without a field of its top level and what stands on its lines."""
    if name not in (places := _places(text)):
        return text
    (first, end), lines = places[name], text.splitlines(keepends=True)
    return "".join([*lines[:first], *lines[end:]])


def dump(document: dict[str, Tree], width: int = 10_000) -> str:
    """A document as text that reads as the same document."""
    return str(yaml.dump(document, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=width))


class _Plain(yaml.SafeDumper):
    """Everything is text, so nothing needs quotes to stay what it is."""


_Plain.yaml_implicit_resolvers = {}
_Plain.ignore_aliases = lambda self, data: True  # type: ignore[method-assign]


def _compose(text: str) -> yaml.Node | None:
    # Depth, anchors and tags are refused before anything goes down into them.
    parse_source(text)
    node: yaml.Node | None = yaml.compose(text, Loader=yaml.BaseLoader)
    return node


def _children(node: yaml.Node | None) -> Iterator[tuple[str | int, yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        yield from ((key.value, value) for key, value in node.value)
    elif isinstance(node, yaml.SequenceNode):
        yield from enumerate(node.value)


def _places(text: str) -> dict[str, tuple[int, int]]:
    """For each field of the top level the lines that it stands on: first, and after the last."""
    root = _compose(text)
    if not isinstance(root, yaml.MappingNode) or root.flow_style:
        raise UsageError("the file is written on one line", hint="write one field on a line")
    return {key.value: (key.start_mark.line, _last(value) + 1) for key, value in root.value}


def _last(node: yaml.Node) -> int:
    """The last line of a value, comments behind it left out."""
    if not isinstance(node, yaml.CollectionNode) or node.flow_style or not node.value:
        end = node.end_mark
        # A block of text ends where the next line begins.
        return end.line - 1 if end.column == 0 and end.line > node.start_mark.line else end.line
    return max(_last(child) for _, child in _children(node))
