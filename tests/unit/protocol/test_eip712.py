"""The codec takes exactly the right types, and then hashes as eth-account does."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import FrozenInstanceError
from decimal import Decimal
from typing import Any

import pytest
from eth_account.messages import encode_typed_data
from eth_utils import keccak, to_checksum_address
from hypothesis import given
from hypothesis import strategies as st

from milestone_escrow.errors import TypedDataError
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS, Domain, Field, Struct, TypedData
from milestone_escrow.protocol.terms import AGREEMENT, MILESTONE
from tests.vectors.load import STRUCTS

DOMAIN = Domain(1, "0x" + "11" * 20)
ACCOUNT = "0x" + "aB" * 20

GOOD: dict[str, list[Any]] = {
    "address": [ZERO_ADDRESS, ACCOUNT, ACCOUNT.lower()],
    "bool": [True, False],
    "uint8": [0, 255],
    "uint256": [0, 2**256 - 1],
    "int16": [-(2**15), -1, 0, 2**15 - 1],
    "int256": [-(2**255), 2**255 - 1],
    "bytes32": [bytes(32), b"\xff" * 32],
    "bytes4": [b"\x01\x02\x03\x04"],
    "bytes": [b"", b"\0", b"x" * 100],
    "string": ["", "a", "ä€😀"],
    "uint8[]": [[], [1, 2, 3], (4, 5)],
    "address[]": [[], [ACCOUNT]],
    "bytes32[]": [[bytes(32)]],
}
BAD: dict[str, list[Any]] = {
    "address": [
        None,
        0,
        "",
        "0x",
        ACCOUNT[:-1],
        ACCOUNT + "0",
        ACCOUNT[2:],
        "0X" + ACCOUNT[2:],
        "0x" + "g" * 40,
        ACCOUNT + "\n",
        bytes(20),
        "buyer.eth",
        [ACCOUNT],
    ],
    "bool": [None, "no", "yes", "true", "", 0, 1, 2, b"\x01", 1.0, []],
    "uint8": [None, -1, 256, True, False, "1", "0x1", 1.0, 0.5, Decimal(1), b"\x01", [1]],
    "uint256": [-1, 2**256, True, float("nan"), 1e18],
    "int16": [-(2**15) - 1, 2**15, True, "0"],
    "bytes32": [
        None,
        b"",
        bytes(31),
        bytes(33),
        "0x" + "00" * 32,
        "a" * 32,
        0,
        bytearray(32),
        [0] * 32,
    ],
    "bytes4": [b"\x01", bytes(5), "abcd"],
    "bytes": [None, "", "0x00", 0, bytearray(1), [0]],
    "string": [None, b"text", 0, ["a"]],
    "uint8[]": [None, 1, "123", b"\x01\x02", {1: 2}, [1, "2"], [True], [256], [None]],
    "address[]": [ACCOUNT, [1]],
    "bytes32[]": [[bytes(31)], bytes(32)],
}


def _struct(kind: str) -> Struct:
    return Struct("Thing", (Field(kind, "value"),))


@pytest.mark.parametrize(
    ("kind", "value"), [(kind, value) for kind, values in GOOD.items() for value in values]
)
def test_takes_a_value_of_the_type(kind: str, value: Any) -> None:
    data = TypedData(DOMAIN, _struct(kind), {"value": value})
    assert data.digest() == _peer(data)


@pytest.mark.parametrize(
    ("kind", "value"), [(kind, value) for kind, values in BAD.items() for value in values]
)
def test_refuses_a_value_of_another_type(kind: str, value: Any) -> None:
    with pytest.raises(TypedDataError, match=r"Thing\.value"):
        _struct(kind).hash({"value": value})


@pytest.mark.parametrize(
    "kind", ["uint", "byte", "tuple", "Thing2", "fixed", "uint8[2]", "mapping", ""]
)
def test_refuses_an_unknown_type(kind: str) -> None:
    with pytest.raises(TypedDataError, match="unknown type"):
        _struct(kind).hash({"value": 0})


@pytest.mark.parametrize(
    ("message", "says"),
    [
        ({}, r"missing fields \['value'\], unknown fields \[\]"),
        ({"value": 1, "other": 2}, r"missing fields \[\], unknown fields \['other'\]"),
        ({"Value": 1}, r"missing fields \['value'\], unknown fields \['Value'\]"),
    ],
)
def test_refuses_missing_and_unknown_fields(message: Mapping[str, Any], says: str) -> None:
    with pytest.raises(TypedDataError, match=says):
        _struct("uint8").hash(message)


@pytest.mark.parametrize("message", [None, [], "value", 1, [("value", 1)]])
def test_refuses_a_message_that_is_no_mapping(message: Any) -> None:
    with pytest.raises(TypedDataError, match="Thing must be a mapping"):
        _struct("uint8").hash(message)


@pytest.mark.parametrize("item", [None, {}, {"amount": 1}, "milestone", [1]])
def test_refuses_a_malformed_struct_within_a_struct(item: Any) -> None:
    outer = Struct("Outer", (Field("Milestone[]", "items"),), members=(MILESTONE,))
    with pytest.raises(TypedDataError, match="Milestone"):
        outer.hash({"items": [item]})


@pytest.mark.parametrize("name", STRUCTS)
def test_no_field_of_a_protocol_struct_may_be_missing_or_empty(name: str) -> None:
    struct = STRUCTS[name]
    message = _zero(struct)
    struct.hash(message)
    for field in struct.fields:
        without = {key: value for key, value in message.items() if key != field.name}
        with pytest.raises(TypedDataError, match=field.name):
            struct.hash(without)
        # A nested struct is named by its type, everything else by its field.
        named = field.type if field.type in STRUCTS else f"{struct.name}.{field.name}"
        with pytest.raises(TypedDataError, match=f"^{re.escape(named)} must be"):
            struct.hash({**message, field.name: None})


def test_encodes_the_type_with_its_members_after_it() -> None:
    assert AGREEMENT.encoded_type == (
        "Agreement(address buyer,address supplier,address token,address arbiter,"
        "address[] verifiers,uint32 objectionPeriod,uint32 reviewPeriod,"
        "uint32 arbitrationPeriod,uint16 defaultPayeeBps,address feeRecipient,uint16 feeBps,"
        "bytes32 documentHash,uint256 salt,Milestone[] milestones)"
        "Milestone(uint128 amount,uint64 deadline,bool paysOnSilence,uint32 verifierSet,"
        "uint8 quorum,bytes32 requirementsHash)"
    )


def test_members_of_members_are_encoded_once_and_by_name() -> None:
    inner = Struct("B", (Field("uint8", "x"),))
    middle = Struct("C", (Field("B", "b"),), members=(inner,))
    outer = Struct("D", (Field("C", "c"), Field("B", "b")), members=(middle, inner))
    assert outer.encoded_type == "D(C c,B b)B(uint8 x)C(B b)"


def test_the_agreement_keeps_clear_of_what_hardware_wallets_hash_wrongly() -> None:
    names = [field.name for field in AGREEMENT.fields]
    assert len(names) != 16
    assert names.index("milestones") != names.index("verifiers") + 1


def test_the_order_of_a_messages_keys_does_not_matter() -> None:
    message = {field.name: i for i, field in enumerate(STRUCTS["Resolution"].fields)}
    message = {**message, "agreementId": bytes(32)}  # type: ignore[dict-item]
    turned = dict(reversed(message.items()))
    assert STRUCTS["Resolution"].hash(message) == STRUCTS["Resolution"].hash(turned)


def test_the_case_of_an_account_does_not_matter() -> None:
    struct = _struct("address")
    assert struct.hash({"value": ACCOUNT}) == struct.hash({"value": ACCOUNT.lower()})


def test_every_part_of_the_domain_changes_the_separator() -> None:
    domains = [
        DOMAIN,
        Domain(2, DOMAIN.verifying_contract),
        Domain(1, ACCOUNT),
        Domain(1, DOMAIN.verifying_contract, name="Other"),
        Domain(1, DOMAIN.verifying_contract, version="2"),
    ]
    assert len({domain.separator() for domain in domains}) == len(domains)


@pytest.mark.parametrize("chain", [-1, 2**256, "1", None, 1.5])
def test_a_domain_on_no_chain_is_refused(chain: Any) -> None:
    with pytest.raises(TypedDataError, match="chainId"):
        Domain(chain, ACCOUNT).separator()


@pytest.mark.parametrize("contract", ["", "0x", ACCOUNT[2:], None])
def test_a_domain_without_a_contract_is_refused(contract: Any) -> None:
    with pytest.raises(TypedDataError, match="verifyingContract"):
        Domain(1, contract).separator()


def test_typed_data_cannot_be_changed_after_it_was_checked() -> None:
    data = TypedData(DOMAIN, _struct("uint8"), {"value": 1})
    with pytest.raises(FrozenInstanceError):
        data.message = {"value": 2}  # type: ignore[misc]


def test_the_json_for_wallets_has_numbers_as_text_and_bytes_as_hex() -> None:
    struct = Struct("Thing", (Field("uint256", "n"), Field("bytes32", "h"), Field("bool", "b")))
    data = TypedData(DOMAIN, struct, {"n": 2**255, "h": b"\xab" * 32, "b": True})
    found = data.to_json()
    assert found["message"] == {"n": str(2**255), "h": "0x" + "ab" * 32, "b": True}
    assert found["primaryType"] == "Thing"
    assert found["domain"] == DOMAIN.message()
    types = found["types"]
    assert isinstance(types, dict)
    assert list(types) == ["EIP712Domain", "Thing"]


_NUMBERS = {f"uint{bits}": st.integers(0, 2**bits - 1) for bits in (8, 16, 32, 64, 128, 256)}
_VALUES: dict[str, st.SearchStrategy[Any]] = {
    **_NUMBERS,
    "bool": st.booleans(),
    "bytes32": st.binary(min_size=32, max_size=32),
    "address": st.binary(min_size=20, max_size=20).map(to_checksum_address),
}


def _messages(struct: Struct) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({field.name: _values(field.type) for field in struct.fields})


def _values(kind: str) -> st.SearchStrategy[Any]:
    if kind.endswith("[]"):
        return st.lists(_values(kind[:-2]), max_size=4)
    return _messages(STRUCTS[kind]) if kind in STRUCTS else _VALUES[kind]


@given(data=st.data(), name=st.sampled_from(sorted(STRUCTS)), chain=_NUMBERS["uint64"])
def test_hashes_whatever_it_takes_as_eth_account_does(
    data: st.DataObject, name: str, chain: int
) -> None:
    struct = STRUCTS[name]
    contract = data.draw(_VALUES["address"])
    typed = TypedData(Domain(chain, contract), struct, data.draw(_messages(struct)))
    assert typed.digest() == _peer(typed)


def _peer(data: TypedData) -> bytes:
    """eth-account's digest of the same, from its own reading of the JSON for wallets."""
    signable = encode_typed_data(full_message=_native(data))
    return bytes(keccak(b"\x19" + signable.version + signable.header + signable.body))


def _native(data: TypedData) -> dict[str, Any]:
    """The JSON with the message's own values; eth-account knows lists, but no tuples."""
    values = {k: list(v) if isinstance(v, tuple) else v for k, v in data.message.items()}
    return {**data.to_json(), "message": values}


def _zero(struct: Struct) -> dict[str, Any]:
    return {field.name: _zero_of(field.type) for field in struct.fields}


def _zero_of(kind: str) -> Any:
    if kind in STRUCTS:
        return _zero(STRUCTS[kind])
    empty = {"address": ZERO_ADDRESS, "bool": False, "bytes32": bytes(32)}
    return [] if kind.endswith("[]") else empty.get(kind, 0)
