"""Other tokens than the sandbox's, on its chain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from eth_abi.abi import encode
from eth_hash.auto import keccak

from milestone_escrow import Escrow
from milestone_escrow.chain.contract.structs import OpenedAgreement
from milestone_escrow.chain.deploy.compiler import Artifact
from milestone_escrow.keys import DevSigner
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.terms import agreement_id, agreement_typed_data

OPERATOR = 20
RICH = 10**15


def deploy(
    escrow: Escrow, artifacts: Mapping[str, Artifact], name: str, holder: Address
) -> Address:
    """A token of which `holder` has plenty; those like the issuer's are initialized first."""
    code = bytes.fromhex(artifacts[name].bytecode.removeprefix("0x"))
    made = escrow.chain.send_from(OPERATOR, b"", code).created
    assert made is not None
    token = "0x" + made.hex()
    if name == "FiatToken":
        issuer = DevSigner(OPERATOR).address
        call(escrow, token, "initialize(address,address,address)", issuer, issuer, issuer)
        call(escrow, token, "configureMinter(address,uint256)", issuer, RICH)
    call(escrow, token, "mint(address,uint256)", holder, RICH)
    from eth_utils.address import to_checksum_address

    return str(to_checksum_address(token))


def call(escrow: Escrow, to: Address, signature: str, *values: object) -> None:
    """Sent by the operator."""
    kinds = signature[signature.index("(") + 1 : -1].split(",")
    data = keccak(signature.encode())[:4] + encode(kinds, values)
    escrow.chain.send_from(OPERATOR, bytes.fromhex(to[2:]), data)


def in_token(escrow: Escrow, deal: OpenedAgreement, token: Address) -> OpenedAgreement:
    """The same deal in another token."""
    terms = replace(deal.terms, token=token)
    return OpenedAgreement(
        agreement_id(escrow.domain, terms, deal.milestones), terms, deal.milestones
    )


def consents(escrow: Escrow, deal: OpenedAgreement) -> dict[Address, bytes]:
    data = agreement_typed_data(escrow.domain, deal.terms, deal.milestones)
    return {signer.address: signer.sign_typed_data(data) for signer in map(DevSigner, (1, 2))}
