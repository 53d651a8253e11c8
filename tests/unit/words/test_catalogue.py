"""Messages are whole: each stands in the template, and none is glued from pieces."""

from __future__ import annotations

import ast
import io
import re
import struct
from collections.abc import Iterator, Mapping
from gettext import GNUTranslations
from string import Formatter

import pytest
from eth_abi.abi import encode

from milestone_escrow.chain.contract.codec import interface
from milestone_escrow.chain.refusals.attempts import Attempt
from milestone_escrow.chain.refusals.decoding import explain
from milestone_escrow.protocol.token import Token
from milestone_escrow.words.messages import speaking
from tools.catalogue import (
    FUNCTIONS,
    MESSAGES,
    METHODS,
    METHODS_OF,
    SRC,
    TEMPLATE,
    calls,
    functions,
    template,
)
from tools.catalogue import messages as messages_of

SOURCES = {
    path.relative_to(SRC).as_posix(): path
    for path in sorted(SRC.rglob("*.py"))
    if MESSAGES in path.read_text(encoding="utf-8") or METHODS_OF in path.parents
}
USD = Token("USDC", "0x" + "3" * 40, 6)


def complaints(source: str, *, methods: bool = False) -> Iterator[str]:
    """What a translator could not translate in a module."""
    tree = ast.parse(source)
    known = functions(tree)
    found = {id(call): call for call, _ in calls(tree, methods=methods)}
    called = {id(call.func) for call in found.values()}
    # A method that is a message function itself hands its messages on.
    own = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    own = [node for node in own if methods and node.name in METHODS]
    handed = {one.arg for node in own for one in node.args.posonlyargs}
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.alias) and node.name in FUNCTIONS and node.asname:
            yield f"{line}: a message function has another name"
        if isinstance(node, ast.Name) and node.id in known and id(node) not in called:
            yield f"{line}: a message function is handed on, so its messages are not seen"
        glued: tuple[ast.AST, ...] = ()
        match node:
            case ast.JoinedStr() | ast.BinOp(op=ast.Add() | ast.Mod()) | ast.AugAssign():
                glued = tuple(ast.iter_child_nodes(node))
            case ast.Call(func=ast.Attribute(attr="join" | "format" | "replace" as name)):
                of = [node.func.value] if isinstance(node.func, ast.Attribute) else []
                glued = (*of, *node.args) if name != "join" else tuple(node.args)
        for part in glued:
            if any(id(inner) in found for inner in within(part)):
                yield f"{line}: a message is glued to something else"
    for call, count in calls(tree, methods=methods):
        for argument in call.args[:count]:
            if isinstance(argument, ast.Name) and argument.id in handed:
                continue
            if not (isinstance(argument, ast.Constant) and isinstance(argument.value, str)):
                yield f"{call.lineno}: a message is not written in place"
    for call, _ in calls(tree):
        texts = [one.value for one in call.args if isinstance(one, ast.Constant)]
        given = {one.arg for one in call.keywords} | ({"count"} if len(call.args) == 3 else set())
        wanted = {name for text in texts for name in parts(str(text))}
        if None not in given and wanted != given - ({"count"} - wanted):
            yield f"{call.lineno}: parts {wanted} are wanted, {given} are given"
    for one, many in messages_of(tree, methods=methods):
        for text in filter(None, (one, many)):
            if text != text.strip() or text[0] in ",;:." or text[-1] in ",;(":
                yield f"'{text}' is a piece of a sentence"
            if "" in parts(text):
                yield f"'{text}' has a part without a name"


def within(node: ast.AST) -> Iterator[ast.AST]:
    """A node and what its value is made of: not what is handed to a call within."""
    yield node
    if not isinstance(node, ast.Call):
        for child in ast.iter_child_nodes(node):
            yield from within(child)


def parts(text: str) -> set[str]:
    return {
        re.split(r"[.\[]", name)[0] for _, name, _, _ in Formatter().parse(text) if name is not None
    }


@pytest.mark.parametrize("name", SOURCES)
def test_every_message_is_whole(name: str) -> None:
    path = SOURCES[name]
    source = path.read_text(encoding="utf-8")
    assert list(complaints(source, methods=METHODS_OF in path.parents)) == []


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('say(f"{who} pays")', "not written in place"),
        ('say("pays " + who)', "not written in place"),
        ('say("%s pays" % who)', "not written in place"),
        ('say(" ".join(words))', "not written in place"),
        ("say(text)", "not written in place"),
        ('say_count("one", many, 2)', "not written in place"),
        ('say("it ends") + say("it begins")', "glued"),
        ('f"{say("it ends")}, at last"'.replace('say("it ends")', "say('it ends')"), "glued"),
        ('"%s." % say("it ends")', "glued"),
        ('", ".join([say("it ends"), more])', "glued"),
        ('", ".join(say("{a} ends", a=a) for a in all)', "glued"),
        ('say("X ends").replace("X", who)', "glued"),
        ('text += say("it ends")', "glued"),
        ('f"{say("it ends") if x else y}"'.replace('"it ends"', "'it ends'"), "glued"),
        ('say("and then ")', "a piece of a sentence"),
        ('say(", which pays")', "a piece of a sentence"),
        ('say("{} pays", 1)', "a part without a name"),
        ('say("{who} pays", whom=1)', "are wanted"),
        ('say("it ends", when=1)', "are wanted"),
        ('map(say, ["it ends"])', "handed on"),
    ],
)
def test_what_is_glued_is_found(line: str, says: str) -> None:
    source = f"from milestone_escrow.words.messages import say, say_count\n{line}\n"
    assert any(says in complaint for complaint in complaints(source))


def test_a_message_function_under_another_name_is_found() -> None:
    source = "from milestone_escrow.words.messages import say as _\n"
    assert any("another name" in complaint for complaint in complaints(source))


@pytest.mark.parametrize(
    "line",
    [
        'say("{payer} pays {amount} to {payee}", payer=a, amount=b, payee=f"{c}…")',
        'say_count("{count} error", "{count} errors", 2)',
        'say("{units:,} token units", units=1)',
        'say("{what} or {more}", what=say("paid"), more=", ".join(names))',
        'say("a long message that "\n    "goes on")',
        'say("{who} pays", **parts)',
    ],
)
def test_what_is_whole_is_not_complained_about(line: str) -> None:
    source = f"from milestone_escrow.words.messages import say, say_count\n{line}\n"
    assert list(complaints(source)) == []


def test_the_template_holds_every_message() -> None:
    assert TEMPLATE.read_text(encoding="utf-8") == template(), "run `make messages`"


def compiled(known: Mapping[str, str]) -> GNUTranslations:
    """A catalogue as gettext's own tools compile it."""
    pairs = [
        (key.encode(), text.encode())
        for key, text in sorted({"": "Content-Type: text/plain; charset=UTF-8\n", **known}.items())
    ]
    start = 28 + 16 * len(pairs)
    tables: tuple[list[int], list[int]] = [], []
    body = b""
    for table, texts in zip(tables, zip(*pairs, strict=True), strict=True):
        for text in texts:
            table += (len(text), start + len(body))
            body += text + b"\0"
    numbers = [0x950412DE, 0, len(pairs), 28, 28 + 8 * len(pairs), 0, start, *tables[0], *tables[1]]
    return GNUTranslations(io.BytesIO(struct.pack(f"<{len(numbers)}I", *numbers) + body))


def backwards(message: str) -> str:
    """A toy language: the same parts, last first."""
    found = [f"{{{name}:{spec}}}" for _, name, spec, _ in Formatter().parse(message) if name]
    return f"« {' | '.join(reversed(found)) or message.upper()} »"


def test_a_refusal_is_told_in_a_second_language_with_its_parts_in_another_order() -> None:
    everything = re.findall(r'^msgid "(.+)"$', TEMPLATE.read_text(encoding="utf-8"), re.MULTILINE)
    catalogue = compiled({message: backwards(message) for message in everything})
    key = next(
        e.key for e in interface("MilestoneEscrow").errors.values() if e.name == "InexactTransfer"
    )
    data = key + encode(["uint256", "uint256"], [2_000_000, 1_500_000])
    error = explain(data, Attempt("fund", token=USD))
    assert error.message == "the token delivered 1.50 USDC where 2.00 USDC was paid in"
    with speaking(catalogue):
        assert error.message == "« 2.00 USDC | 1.50 USDC »"
        assert error.hint == "« TOKENS THAT TAX TRANSFERS CANNOT BE USED »"
    assert error.hint == "tokens that tax transfers cannot be used"
