"""Sign-in messages: what the grammar of EIP-4361 allows, and nothing else."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milestone_escrow.oracle.api.siwe import (
    Expected,
    SignIn,
    SignInError,
    is_signed,
    parse,
    require_for,
    seconds,
    timestamp,
)
from milestone_escrow.protocol.signatures import text_digest
from tests.oracle.api.world import sign, signer
from tests.oracle.wallets import Accepting

# The example of the EIP itself.
EXAMPLE = """\
service.org wants you to sign in with your Ethereum account:
0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2

I accept the ServiceOrg Terms of Service: https://service.org/tos

URI: https://service.org/login
Version: 1
Chain ID: 1
Nonce: 32891756
Issued At: 2021-09-30T16:25:24Z
Resources:
- ipfs://bafybeiemxf5abjwjbikoz4mc3a3dla6ual3jsgpdr4cjr3oz3evfyavhwq/
- https://example.com/my-web2-claim.json"""

FULL = EXAMPLE.replace(
    "\nResources",
    "\nExpiration Time: 2021-09-30T17:25:24.123+02:00\nNot Before: 2021-09-30T16:00:00Z"
    "\nRequest ID: some-id_1%20@x\nResources",
)


def test_reads_the_example_of_the_standard() -> None:
    found = parse(EXAMPLE)
    assert found.domain == "service.org"
    assert found.account == "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"
    assert found.statement == "I accept the ServiceOrg Terms of Service: https://service.org/tos"
    assert (found.uri, found.chain_id, found.nonce) == ("https://service.org/login", 1, "32891756")
    assert found.resources is not None
    assert found.resources[1] == "https://example.com/my-web2-claim.json"


@pytest.mark.parametrize(
    "text",
    [
        EXAMPLE,
        FULL,
        FULL.replace("I accept the ServiceOrg Terms of Service: https://service.org/tos\n", ""),
        EXAMPLE.split("\nResources")[0],
        EXAMPLE.split("\n- ")[0],
        EXAMPLE.replace("service.org wants", "https://service.org wants"),
        EXAMPLE.replace("service.org wants", "127.0.0.1:8580 wants"),
        EXAMPLE.replace("service.org wants", "[::1]:8580 wants"),
        EXAMPLE.replace("24Z", "24.000Z"),
        EXAMPLE.replace("16:25:24Z", "16:25:24-05:00"),
        FULL.replace("Request ID: some-id_1%20@x", "Request ID: "),
    ],
)
def test_writes_what_it_reads(text: str) -> None:
    assert parse(text).text() == text


BAD = {
    "no domain": EXAMPLE.replace("service.org wants", " wants"),
    "a domain with a space": EXAMPLE.replace("service.org wants", "service org wants"),
    "a user in the domain": EXAMPLE.replace("service.org wants", "me@service.org wants"),
    "a path in the domain": EXAMPLE.replace("service.org wants", "service.org/x wants"),
    "another sentence": EXAMPLE.replace("wants you", "wants You"),
    "no account": EXAMPLE.replace("0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2", ""),
    "a short account": EXAMPLE.replace("6Cc2\n", "6Cc\n"),
    "an account in lower case": EXAMPLE.replace("0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2",
                                                "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"),
    "an account in upper case": EXAMPLE.replace("0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2",
                                                "0xC02AAA39B223FE8D0A0E5C4F27EAD9083C756CC2"),
    "no empty line after the account": EXAMPLE.replace("6Cc2\n\n", "6Cc2\n"),
    "a statement of two lines": EXAMPLE.replace("Service: ", "Service:\n"),
    "a statement that is not ASCII": EXAMPLE.replace("accept", "äccept"),
    "a statement with quotes": EXAMPLE.replace("accept", '"accept"'),
    "too many empty lines": EXAMPLE.replace("\n\nI", "\n\n\nI"),
    "no URI": EXAMPLE.replace("URI: https://service.org/login\n", ""),
    "a URI without scheme": EXAMPLE.replace("https://service.org/login", "service.org/login"),
    "a URI with a space": EXAMPLE.replace("/login", "/log in"),
    "a URI with a broken escape": EXAMPLE.replace("/login", "/%zz"),
    "no version": EXAMPLE.replace("Version: 1\n", ""),
    "version 2": EXAMPLE.replace("Version: 1", "Version: 2"),
    "a chain that is a word": EXAMPLE.replace("Chain ID: 1", "Chain ID: one"),
    "a chain with a leading zero": EXAMPLE.replace("Chain ID: 1", "Chain ID: 01"),
    "no chain": EXAMPLE.replace("Chain ID: 1\n", ""),
    "a nonce of 7 characters": EXAMPLE.replace("32891756", "3289175"),
    "a nonce with a hyphen": EXAMPLE.replace("32891756", "3289-1756"),
    "a nonce in other digits": EXAMPLE.replace("32891756", "٣٢٨٩١٧٥٦"),
    "no time": EXAMPLE.replace("Issued At: 2021-09-30T16:25:24Z\n", ""),
    "a time without zone": EXAMPLE.replace("24Z", "24"),
    "a time in words": EXAMPLE.replace("2021-09-30T16:25:24Z", "Thu Sep 30 2021"),
    "a day that does not exist": EXAMPLE.replace("2021-09-30", "2021-09-31"),
    "an hour that does not exist": EXAMPLE.replace("T16", "T25"),
    "fields in another order": EXAMPLE.replace(
        "Version: 1\nChain ID: 1", "Chain ID: 1\nVersion: 1"
    ),
    "a field twice": EXAMPLE.replace("Version: 1\n", "Version: 1\nVersion: 1\n"),
    "optional fields in another order": FULL.replace(
        "\nNot Before: 2021-09-30T16:00:00Z\nRequest ID: some-id_1%20@x",
        "\nRequest ID: some-id_1%20@x\nNot Before: 2021-09-30T16:00:00Z",
    ),
    "a request id with a slash": FULL.replace("some-id_1", "some/id"),
    "resources in one line": EXAMPLE.replace("\n- https://example", " - https://example"),
    "a resource that is no URI": EXAMPLE.replace("- ipfs://b", "- _b"),
    "a line break at the end": EXAMPLE + "\n",
    "something after the end": EXAMPLE + "\nMore: yes",
    "something before the beginning": "\n" + EXAMPLE,
    "carriage returns": EXAMPLE.replace("\n", "\r\n"),
    "another line separator": EXAMPLE.replace("\n", "\u2028"),
    "no text": "",
    "a very long text": EXAMPLE + "\n- https://example.com/" + "a" * 5_000,
}  # fmt: skip


@pytest.mark.parametrize("text", BAD.values(), ids=BAD.keys())
def test_refuses_what_the_grammar_does_not_allow(text: str) -> None:
    with pytest.raises(SignInError):
        parse(text)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(SignInError):
        assert parse(text).text() == text


@given(at=st.integers(0, len(FULL) - 1), char=st.characters(codec="utf-8"))
def test_a_changed_character_is_read_as_it_is_or_refused(at: int, char: str) -> None:
    text = FULL[:at] + char + FULL[at + 1 :]
    with contextlib.suppress(SignInError):
        assert parse(text).text() == text


def test_times_are_those_of_the_standard() -> None:
    assert seconds("1970-01-01T00:00:00Z") == 0
    assert seconds("2021-09-30T16:25:24.999Z") == seconds("2021-09-30T18:25:24+02:00")
    assert timestamp(seconds("2027-03-01T08:00:00Z")) == "2027-03-01T08:00:00Z"


NOW = seconds("2027-03-01T08:00:00Z")
HERE = Expected("https://oracle.example", 11155111)
GOOD = SignIn(
    domain="oracle.example",
    account=signer("buyer").address,
    uri="https://oracle.example/",
    chain_id=11155111,
    nonce="abcdEFGH1234",
    issued_at=timestamp(NOW),
    expiration_time=timestamp(NOW + 600),
)


def test_a_message_for_here_and_now_is_accepted() -> None:
    require_for(GOOD, HERE, NOW)
    require_for(replace(GOOD, scheme="https"), HERE, NOW)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"domain": "evil.example"}, "evil.example"),
        ({"domain": "oracle.example:444"}, "oracle.example:444"),
        ({"scheme": "http"}, "http"),
        ({"uri": "https://evil.example/"}, "evil.example"),
        ({"uri": "https://oracle.example.evil.example/"}, "evil.example"),
        ({"uri": "http://oracle.example/"}, "http://"),
        ({"chain_id": 1}, "chain 1"),
        ({"issued_at": timestamp(NOW + 3_600)}, "to come"),
        ({"expiration_time": timestamp(NOW)}, "expired"),
        ({"not_before": timestamp(NOW + 1)}, "not valid before"),
    ],
)
def test_a_message_for_elsewhere_or_another_time_is_refused(
    changed: dict[str, str], said: str
) -> None:
    with pytest.raises(SignInError, match=said):
        require_for(replace(GOOD, **changed), HERE, NOW)


def test_a_wallets_signature_proves_its_account() -> None:
    signature = bytes.fromhex(sign("buyer", GOOD.text())[2:])
    assert is_signed(GOOD, signature)
    assert is_signed(GOOD, signature[:64] + bytes([signature[64] - 27]))
    assert not is_signed(GOOD, bytes.fromhex(sign("stranger", GOOD.text())[2:]))
    assert not is_signed(replace(GOOD, nonce="otherNonce1"), signature)
    assert not is_signed(GOOD, b"")
    assert not is_signed(GOOD, bytes(65))
    assert not is_signed(GOOD, b"\xff" * 65)


def test_a_contract_is_asked_where_no_key_fits() -> None:
    wallets = Accepting(b"a Safe's answer")
    assert is_signed(GOOD, b"a Safe's answer", wallets)
    assert not is_signed(GOOD, bytes(65), wallets)
    assert [asked[:3] for asked in wallets.asked] == [
        (GOOD.chain_id, GOOD.account, text_digest(GOOD.text()))
    ] * 2
