"""Batch files for Safe's Transaction Builder; the checksums were computed by it."""

from __future__ import annotations

import json

import pytest

from milestone_escrow.documents.files.safe_batch import SafeCall, checksum, safe_batch

SAFE = "0xc38c5f97B34E175FFd35407fc91a937300E33860"
TOKEN = "0x8353157092ED8Be69a9DF8F95af097bbF33Cb2aF"

# Exported by the Transaction Builder, and published by who uses them.
EXPORTED = [
    """{"version":"1.0","chainId":"1","createdAt":1715607004148,"meta":{"name":"Transactions Batch",
    "description":"","txBuilderVersion":"1.16.5","createdFromSafeAddress":
    "0xc38c5f97B34E175FFd35407fc91a937300E33860","createdFromOwnerAddress":"","checksum":
    "0xd725fe177a15615c3096942041e4c52ab063888be23dc4c64edf92add0675d5f"},"transactions":[{"to":
    "0x8353157092ED8Be69a9DF8F95af097bbF33Cb2aF","value":"0","data":null,"contractMethod":{
    "inputs":[{"internalType":"uint256","name":"rawEndValue","type":"uint256"},{"internalType":
    "uint256","name":"endTime","type":"uint256"}],"name":"startAmplificationParameterUpdate",
    "payable":false},"contractInputsValues":{"rawEndValue":"750","endTime":"1716830958"}}]}""",
    """{"version":"1.0","chainId":"59144","createdAt":1715167035913,"meta":{"name":
    "Transactions Batch","description":"","txBuilderVersion":"1.16.5","createdFromSafeAddress":
    "0x9ff471F9f98F42E5151C7855fD1b5aa906b1AF7e","createdFromOwnerAddress":"","checksum":
    "0x1d59424549659c351dae53383c573bca3b67bd575e18dfc50ab81f21953cb302"},"transactions":[{"to":
    "0x9ff471F9f98F42E5151C7855fD1b5aa906b1AF7e","value":"0","data":null,"contractMethod":{
    "inputs":[{"name":"prevOwner","type":"address","internalType":"address"},{"name":"owner","type":
    "address","internalType":"address"},{"name":"_threshold","type":"uint256","internalType":
    "uint256"}],"name":"removeOwner","payable":false},"contractInputsValues":{"prevOwner":
    "0x7c2eA10D3e5922ba3bBBafa39Dc0677353D2AF17","owner":
    "0x8053484489b110181a6DBA0b59Dda887e433F470","_threshold":"3"}},{"to":
    "0x2F1901f2A82fcC3Ee9010b809938816B3b06FA6A","value":"0","data":null,"contractMethod":{
    "inputs":[],"name":"acceptOwnership","payable":false},"contractInputsValues":null}]}""",
]


@pytest.mark.parametrize("text", EXPORTED)
def test_computes_the_transaction_builders_checksum(text: str):
    batch = json.loads(text)
    assert checksum(batch) == batch["meta"]["checksum"]


def made(**changes: object) -> dict[str, object]:
    calls = [SafeCall(TOKEN, b"\x01"), SafeCall(SAFE, b"\x02", 5)]
    fields = {"name": "fund SHED-7", "description": "", "created_at": 1_800_000_000, **changes}
    return safe_batch(11155111, SAFE, calls, **fields)  # type: ignore[arg-type]


def test_holds_what_the_transaction_builder_reads():
    batch = made()
    assert batch["chainId"] == "11155111"
    assert batch["createdAt"] == 1_800_000_000_000
    assert batch["transactions"] == [
        {"to": TOKEN, "value": "0", "data": "0x01", "contractMethod": None,
         "contractInputsValues": None},
        {"to": SAFE, "value": "5", "data": "0x02", "contractMethod": None,
         "contractInputsValues": None},
    ]  # fmt: skip
    assert json.loads(json.dumps(batch)) == batch


def test_the_checksum_covers_everything_but_the_name():
    first = made()["meta"]
    assert made(name="other")["meta"]["checksum"] == first["checksum"]  # type: ignore[index]
    for change in ({"description": "x"}, {"created_at": 1}):
        assert made(**change)["meta"]["checksum"] != first["checksum"]  # type: ignore[index]


def test_the_checksum_takes_letters_of_all_scripts_as_they_are():
    assert made(description="für Söhne")["meta"] != made(description="fur Sohne")["meta"]
