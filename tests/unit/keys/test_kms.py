"""Keys in KMS: what comes back is parsed strictly, made low, and recovers to the key itself."""

from __future__ import annotations

import pytest
from coincurve import PrivateKey
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from milestone_escrow.errors import KeyFileError, UsageError
from milestone_escrow.keys import LocalSigner
from milestone_escrow.keys.kms import (
    ORDER,
    KmsSigner,
    address_of,
    low_s,
    parse_signature,
    public_key_of,
    with_recovery,
)
from milestone_escrow.protocol.acts import Attestation, Verdict
from milestone_escrow.protocol.eip712 import Domain
from milestone_escrow.protocol.signatures import recover

secrets = st.integers(1, ORDER - 1)
digests = st.binary(min_size=32, max_size=32)

DOMAIN = Domain(11155111, "0x" + "11" * 20)
ATTESTATION = Attestation(b"\x01" * 32, 2, Verdict.ACCEPTED, 500, b"\x02" * 32, 1000, 2000)


class FakeKms:
    """KMS as its documentation describes it, with a key in this process."""

    def __init__(self, secret: int, *, high_s: bool = False) -> None:
        self.key = ec.derive_private_key(secret, ec.SECP256K1())
        self.high_s = high_s
        self.asked: list[dict[str, object]] = []
        self.about: dict[str, object] = {"KeySpec": "ECC_SECG_P256K1", "KeyUsage": "SIGN_VERIFY"}

    def get_public_key(self, *, KeyId: str) -> dict[str, object]:  # noqa: N803
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        spki = self.key.public_key().public_bytes(serialization.Encoding.DER, form)
        return {**self.about, "PublicKey": spki}

    def sign(self, **request: object) -> dict[str, object]:
        self.asked.append(request)
        digest = request["Message"]
        assert isinstance(digest, bytes)
        der = self.key.sign(digest, ec.ECDSA(Prehashed(hashes.SHA256())))
        r, s = parse_signature(der)
        s = ORDER - low_s(s) if self.high_s else low_s(s)
        return {"Signature": encode_dss_signature(r, s)}


@pytest.fixture(params=[False, True], ids=["low-s", "high-s"])
def kms(request: pytest.FixtureRequest) -> FakeKms:
    return FakeKms(0xC0FFEE, high_s=request.param)


def test_has_the_address_of_its_key(kms: FakeKms) -> None:
    assert (
        KmsSigner("alias/oracle", kms).address
        == LocalSigner((0xC0FFEE).to_bytes(32, "big")).address
    )


def test_typed_data_recovers_to_the_key(kms: FakeKms) -> None:
    signer, data = KmsSigner("alias/oracle", kms), ATTESTATION.typed_data(DOMAIN)
    assert recover(data.digest(), signer.sign_typed_data(data)) == signer.address


def test_asks_for_the_digest_rebuilt_from_the_fields(kms: FakeKms) -> None:
    data = ATTESTATION.typed_data(DOMAIN)
    KmsSigner("alias/oracle", kms).sign_typed_data(data)
    assert kms.asked == [
        {
            "KeyId": "alias/oracle",
            "Message": data.digest(),
            "MessageType": "DIGEST",
            "SigningAlgorithm": "ECDSA_SHA_256",
        }
    ]


def test_a_transaction_is_sent_by_the_key(kms: FakeKms) -> None:
    signer = KmsSigner("alias/oracle", kms)
    transaction = _transaction() | {"from": signer.address}
    raw = signer.sign_transaction(transaction)
    assert Account.recover_transaction(raw) == signer.address


@given(digests.map(bytes), secrets)
def test_a_transaction_is_encoded_as_a_local_key_encodes_it(data: bytes, secret: int) -> None:
    """Only r and s differ, because KMS chooses its nonces freely: all other fields are the same."""
    from eth_account.typed_transactions.typed_transaction import TypedTransaction
    from hexbytes import HexBytes

    transaction = _transaction() | {"data": "0x" + data.hex()}
    raws = [
        KmsSigner("key", FakeKms(secret)).sign_transaction(transaction),
        LocalSigner(secret.to_bytes(32, "big")).sign_transaction(transaction),
    ]
    fields = [TypedTransaction.from_bytes(HexBytes(raw)).as_dict() for raw in raws]
    for one in fields:
        for part in "vrs":
            del one[part]
    assert fields[0] == fields[1]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"chainId": None}, "replayed"),
        ({"gasPrice": 5}, "EIP-1559"),
        ({"maxFeePerGas": "lots"}, "EIP-1559"),
        ({"type": 3}, "EIP-1559"),
    ],
)
def test_refuses_other_transactions(change: dict[str, object], error: str, kms: FakeKms) -> None:
    with pytest.raises(UsageError, match=error):
        KmsSigner("key", kms).sign_transaction(_transaction() | change)
    assert kms.asked == []


@given(secrets, digests)
def test_der_of_another_implementation_is_read(secret: int, digest: bytes) -> None:
    key = PrivateKey(secret.to_bytes(32, "big"))
    r, s = parse_signature(key.sign(digest, hasher=None))
    assert (r.to_bytes(32, "big") + s.to_bytes(32, "big")) == key.sign_recoverable(
        digest, hasher=None
    )[:64]


@given(secrets, digests)
def test_recovery_finds_the_v_that_libsecp256k1_gives(secret: int, digest: bytes) -> None:
    key = PrivateKey(secret.to_bytes(32, "big"))
    expected = key.sign_recoverable(digest, hasher=None)
    r, s = int.from_bytes(expected[:32], "big"), int.from_bytes(expected[32:64], "big")
    public = key.public_key.format(compressed=False)[1:]
    for either in (s, ORDER - s):
        signature = with_recovery(digest, r, either, public)
        assert signature == expected[:64] + bytes([expected[64] + 27])


@given(secrets, secrets, digests)
def test_the_signature_of_another_key_is_refused(one: int, other: int, digest: bytes) -> None:
    if one == other:
        other = other % (ORDER - 1) + 1
    signature = PrivateKey(one.to_bytes(32, "big")).sign_recoverable(digest, hasher=None)
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    public = PrivateKey(other.to_bytes(32, "big")).public_key.format(compressed=False)[1:]
    with pytest.raises(KeyFileError, match="not by this key"):
        with_recovery(digest, r, s, public)


@given(st.integers(1, ORDER - 1), st.integers(1, ORDER - 1))
def test_every_pair_of_scalars_makes_the_round_trip(r: int, s: int) -> None:
    assert parse_signature(encode_dss_signature(r, s)) == (r, s)


@given(st.integers(1, ORDER - 1))
def test_low_s_is_low_and_stands_for_the_same(s: int) -> None:
    assert low_s(s) <= ORDER // 2
    assert low_s(s) in (s, ORDER - s)


@given(st.binary(max_size=80))
def test_other_bytes_are_refused_or_are_exactly_der(data: bytes) -> None:
    try:
        r, s = parse_signature(data)
    except KeyFileError:
        return
    assert encode_dss_signature(r, s) == data


@given(st.integers(1, ORDER - 1), st.integers(1, ORDER - 1), st.data())
def test_a_changed_byte_never_reads_as_the_same(r: int, s: int, data: st.DataObject) -> None:
    der = bytearray(encode_dss_signature(r, s))
    at = data.draw(st.integers(0, len(der) - 1))
    der[at] ^= data.draw(st.integers(1, 255))
    try:
        found = parse_signature(bytes(der))
    except KeyFileError:
        return
    assert found != (r, s)
    assert encode_dss_signature(*found) == bytes(der)


ONE = "020101"


@pytest.mark.parametrize(
    "der",
    [
        "",
        "30",
        "3006" + ONE,
        "3006" + ONE + ONE + "00",
        "3007" + ONE + ONE,
        "308106" + ONE + ONE,
        "3006" + "020100" + ONE,
        "3007" + "02020001" + ONE,
        "3006" + "020181" + ONE,
        "3006" + ONE + "030101",
        "3005" + ONE + "0200",
        "3026" + "0221" + "00" + f"{ORDER:064x}" + ONE,
        "3009" + ONE + ONE + ONE,
    ],
)
def test_der_is_read_strictly(der: str) -> None:
    with pytest.raises(KeyFileError, match="not a DER signature"):
        parse_signature(bytes.fromhex(der))


@given(secrets)
def test_a_public_key_is_read_from_its_der(secret: int) -> None:
    spki = bytes(FakeKms(secret).get_public_key(KeyId="key")["PublicKey"])  # type: ignore[arg-type]
    assert address_of(public_key_of(spki)) == LocalSigner(secret.to_bytes(32, "big")).address


@pytest.mark.parametrize(
    "key", [ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP384R1())]
)
def test_a_key_of_another_curve_is_refused(key: ec.EllipticCurvePrivateKey) -> None:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    with pytest.raises(KeyFileError, match="secp256k1"):
        public_key_of(key.public_key().public_bytes(serialization.Encoding.DER, form))


def test_a_point_that_is_not_on_the_curve_is_refused(kms: FakeKms) -> None:
    spki = bytearray(kms.get_public_key(KeyId="key")["PublicKey"])  # type: ignore[call-overload]
    spki[-1] ^= 1
    with pytest.raises(KeyFileError, match="not on the curve"):
        public_key_of(bytes(spki))


@pytest.mark.parametrize("about", [{"KeySpec": "ECC_NIST_P256"}, {"KeyUsage": "KEY_AGREEMENT"}])
def test_a_key_for_something_else_is_refused(about: dict[str, object], kms: FakeKms) -> None:
    kms.about |= about
    with pytest.raises(KeyFileError, match="not ECC_SECG_P256K1 for SIGN_VERIFY"):
        KmsSigner("key", kms)


def test_what_kms_refuses_becomes_a_sentence(kms: FakeKms) -> None:
    from botocore.exceptions import ClientError

    def refuse(**_: object) -> dict[str, object]:
        body = {"Error": {"Code": "AccessDeniedException", "Message": "arn:aws:iam::1:user/x"}}
        raise ClientError(body, "Sign")  # type: ignore[arg-type]

    signer = KmsSigner("alias/oracle", kms)
    kms.sign = refuse  # type: ignore[method-assign]
    with pytest.raises(KeyFileError, match=r"did not sign .* \(AccessDeniedException\)") as caught:
        signer.sign_typed_data(ATTESTATION.typed_data(DOMAIN))
    assert "arn" not in str(caught.value)


def test_boto3_takes_exactly_what_is_asked(kms: FakeKms) -> None:
    """The real client checks every parameter against the service's own description."""
    import boto3
    from botocore.stub import ANY, Stubber

    client = boto3.client(
        "kms", region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    data = ATTESTATION.typed_data(DOMAIN)
    request = {"Message": data.digest(), "MessageType": "DIGEST"}
    answer = kms.sign(**request)
    with Stubber(client) as stub:
        stub.add_response("get_public_key", kms.get_public_key(KeyId="key"), {"KeyId": "key"})
        stub.add_response("sign", answer, {"KeyId": "key", "SigningAlgorithm": ANY, **request})
        signer = KmsSigner("key", client)
        assert recover(data.digest(), signer.sign_typed_data(data)) == signer.address


def test_shows_its_address_only(kms: FakeKms) -> None:
    signer = KmsSigner("arn:aws:kms:eu-central-1:1:key/2", kms)
    assert repr(signer) == f"KmsSigner({signer.address})"


def _transaction() -> dict[str, object]:
    return {
        "chainId": 11155111,
        "nonce": 7,
        "to": "0x" + "22" * 20,
        "value": 0,
        "gas": 90_000,
        "maxFeePerGas": 2_000_000_000,
        "maxPriorityFeePerGas": 1_000_000_000,
        "data": "0x1234",
    }
