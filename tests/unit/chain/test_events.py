"""Events are read without a general ABI decoder, and mean what such a decoder says they mean."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, get_args

import pytest
from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from milestone_escrow.chain.contract.codec import Entry, _type, interface
from milestone_escrow.chain.contract.events import AgreementOpened, Event, MilestonePaid, read_event
from milestone_escrow.chain.contract.structs import bitmap
from milestone_escrow.errors import ChainError
from milestone_escrow.protocol.hexes import quantity, unhexed

EVENTS = {entry.name: entry for entry in interface("MilestoneEscrow").events.values()}
NAMES = sorted(known.__name__ for known in get_args(Event))
ENUMS = {"verdict": st.integers(1, 3), "status": st.integers(0, 7)}


def values_of(parameter: Mapping[str, Any], kind: str | None = None) -> SearchStrategy[Any]:
    """Whatever the ABI type can hold, as far as the contract can mean it."""
    kind = kind or parameter["type"]
    if kind.endswith("[]"):
        return st.lists(values_of(parameter, kind[:-2]), max_size=5)
    if kind == "tuple":
        return st.tuples(*(values_of(part) for part in parameter["components"]))
    if kind == "address":
        return st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())
    if kind == "bool":
        return st.booleans()
    if kind.startswith("bytes"):
        return st.binary(min_size=int(kind[5:]), max_size=int(kind[5:]))
    return ENUMS.get(parameter["name"], st.integers(0, 2 ** int(kind[4:]) - 1))


def drawn(data: st.DataObject, name: str) -> tuple[dict[str, Any], list[Any]]:
    """A log of the event, as a general encoder writes it, and the values in it."""
    entry = EVENTS[name]
    values = [data.draw(values_of(parameter)) for parameter in entry.inputs]
    return written(entry, values), values


def written(entry: Entry, values: list[Any]) -> dict[str, Any]:
    pairs = list(zip(entry.inputs, values, strict=True))
    topics = [encode([p["type"]], [value]) for p, value in pairs if p["indexed"]]
    plain = [(_type(p), value) for p, value in pairs if not p["indexed"]]
    body = encode([kind for kind, _ in plain], [value for _, value in plain])
    return {
        "topics": ["0x" + entry.key.hex(), *("0x" + topic.hex() for topic in topics)],
        "data": "0x" + body.hex(),
        "blockNumber": "0x10",
        "transactionHash": "0x" + "ab" * 32,
        "logIndex": "0x3",
    }


def flat(value: object) -> list[object]:
    """An event's values in the ABI's order, as an encoder takes them."""
    if dataclasses.is_dataclass(value):
        fields = [field.name for field in dataclasses.fields(value) if field.name != "place"]
        return [part for name in fields for part in [simple(getattr(value, name), name)]]
    raise TypeError(value)


def simple(value: Any, name: str) -> object:
    if dataclasses.is_dataclass(value):
        return tuple(flat(value))
    if isinstance(value, tuple) and name in ("signers", "closes"):
        return bitmap(value)
    if isinstance(value, tuple) and name == "milestones" and not is_records(value):
        return bitmap(value)
    if isinstance(value, tuple):
        parts = [simple(part, "") for part in value]
        return [part.lower() if isinstance(part, str) else part for part in parts]
    return value.lower() if isinstance(value, str) else value


def is_records(value: tuple[Any, ...]) -> bool:
    return bool(value) and dataclasses.is_dataclass(value[0])


def expected(event: AgreementOpened | Any, values: list[Any]) -> bool:
    found = flat(event)
    if isinstance(event, AgreementOpened) and not event.milestones:
        found[-1] = []
    return found == values


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=15)
@given(data=st.data())
def test_an_event_says_what_was_written(name: str, data: st.DataObject) -> None:
    log, values = drawn(data, name)
    event = read_event(log, 77)
    assert event is not None
    assert type(event).__name__ == name
    place = event.place
    assert (place.block, place.time, place.log_index) == (16, 77, 3)
    assert place.transaction == "0x" + "ab" * 32
    assert expected(event, values)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25)
@given(data=st.data())
def test_damage_is_refused_or_means_the_same_to_a_general_decoder(
    name: str, data: st.DataObject
) -> None:
    log, _ = drawn(data, name)
    entry = EVENTS[name]
    parts = [*log["topics"][1:], log["data"]]
    chosen = data.draw(st.integers(0, len(parts) - 1))
    parts[chosen] = data.draw(damage(parts[chosen]))
    log["topics"][1:], log["data"] = parts[:-1], parts[-1]
    try:
        event = read_event(log, 0)
    except ChainError:
        return
    assert event is not None
    topics = [p["type"] for p in entry.inputs if p["indexed"]]
    plain = [_type(p) for p in entry.inputs if not p["indexed"]]
    try:
        body = b"".join(bytes.fromhex(topic[2:]) for topic in log["topics"][1:])
        values = [*decode(topics, body), *decode(plain, bytes.fromhex(log["data"][2:]))]
    except DecodingError as error:
        pytest.fail(f"only the fast path reads it: {error}")
    assert expected(event, [listed(value) for value in values])


def listed(value: Any) -> Any:
    """A general decoder gives lists as tuples, too: those of structs are known by their length."""
    if not isinstance(value, tuple):
        return value
    parts = [listed(part) for part in value]
    return parts if not value or isinstance(value[0], tuple) or is_accounts(value) else tuple(parts)


def is_accounts(value: tuple[Any, ...]) -> bool:
    return all(isinstance(part, str) for part in value)


def damage(text: str) -> SearchStrategy[str]:
    """Another length, another byte, or what only looks like hex."""
    raw = bytes.fromhex(text[2:])
    flips = st.tuples(st.integers(0, max(len(raw) - 1, 0)), st.integers(1, 255)).map(
        lambda at: raw[: at[0]] + bytes([(raw[at[0]] if raw else 0) ^ at[1]]) + raw[at[0] + 1 :]
    )
    cuts = st.integers(0, len(raw)).map(lambda at: raw[:at])
    more = st.binary(min_size=1, max_size=70).map(lambda rest: raw + rest)
    odd = st.sampled_from([text[:-1], text[2:], text[:-2] + "  ", "0x", text[:-1] + "g", "0x_" * 3])
    return st.one_of(st.one_of(flips, cuts, more).map(lambda found: "0x" + found.hex()), odd)


def test_a_log_of_something_else_is_no_event() -> None:
    log = {"topics": ["0x" + "12" * 32], "data": "0x"}
    assert read_event(log, 0) is None
    assert read_event({"topics": [], "data": "0x"}, 0) is None


def test_an_event_with_other_topics_than_ours_is_no_event() -> None:
    entry = EVENTS["PayoutCredited"]
    log = written(entry, ["0x" + "11" * 20, "0x" + "22" * 20, 5])
    log["topics"].append("0x" + "00" * 32)
    assert read_event(log, 0) is None


@pytest.mark.parametrize("missing", ["topics", "data", "blockNumber", "logIndex"])
def test_a_log_without_its_fields_is_refused(missing: str) -> None:
    log = written(EVENTS["PayoutCredited"], ["0x" + "11" * 20, "0x" + "22" * 20, 5])
    del log[missing]
    with pytest.raises(ChainError, match="cannot be read"):
        read_event(log, 0)


def test_accounts_come_with_their_checksum() -> None:
    values = [b"\1" * 32, 0, "0x7e5f4552091a69125d5dfcb7b8c2659029395bdf", 1, 2, 3]
    event = read_event(written(EVENTS["MilestonePaid"], values), 0)
    assert isinstance(event, MilestonePaid)
    assert event.payee == "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"


def test_the_indexed_values_of_every_event_come_first() -> None:
    for name in NAMES:
        indexed = [p["indexed"] for p in EVENTS[name].inputs]
        assert indexed == sorted(indexed, reverse=True), name


@pytest.mark.parametrize(
    "text", ["12", "0x", "0x 1", "0x_1", "0x-1", "1", None, 5, "0x" + "1" * 65]
)
def test_a_number_that_no_node_writes_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="number"):
        quantity(text)


@pytest.mark.parametrize("text", ["ab", "0xa", "0xa b", None, "0xgg"])
def test_hex_that_no_node_writes_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match=r"0x|hex"):
        unhexed(text)
