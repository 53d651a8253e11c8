"""On a real node, with blocks that hold other people's transactions, too."""

from __future__ import annotations

from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.documents.files.signed_agreement import SignedAgreement
from milestone_escrow.keys import DevSigner
from milestone_escrow.papers.audit.claims import verify
from milestone_escrow.papers.audit.fetching import export
from milestone_escrow.papers.audit.online import verify_on_chain
from tests.oracle.relaying.anvil import on_anvil

DEAL = """\
format: 1
title: One thing, paid when it is there
reference: ONE-1
date: 2027-01-14
timezone: Europe/Berlin
parties:
  buyer: {name: Anna Bauer, account: 0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf}
  supplier: {name: Holz & Söhne, account: 0x2B5AD5c4795c026514f8317c7a215E218DcCD6cF}
payment: {network: sandbox, price: "100.00 USDC", fee: none}
rules: {if_nothing_proven: refund buyer}
milestones:
  - {key: thing, title: The thing is there, pays: 100 %, due: 2030-04-01}
"""


def test_proves_transactions_among_those_of_others() -> None:
    buyer, supplier = DevSigner(1), DevSigner(2)
    with on_anvil() as escrow:
        agreement = Agreement.loads(DEAL)
        signed = SignedAgreement.start(agreement.on(escrow)).sign(buyer).sign(supplier)
        signatures = {supplier.address: signed.signatures["supplier"]}
        escrow.open(signed.bound, signatures, ["thing"])
        node = escrow.node
        node.request("evm_setAutomine", [False])
        crowd = [_transfer(supplier, nonce, node) for nonce in range(20)]
        for raw in crowd[:10]:
            node.request("eth_sendRawTransaction", ["0x" + raw.hex()])
        prepared = escrow.prepare.approve(signed.bound, "thing")
        nonce = int(node.request("eth_getTransactionCount", [buyer.address, "latest"]), 16)
        approval = buyer.sign_transaction(prepared.fields(nonce))
        node.request("eth_sendRawTransaction", ["0x" + approval.hex()])
        for raw in crowd[10:]:
            node.request("eth_sendRawTransaction", ["0x" + raw.hex()])
        node.request("evm_mine", [])
        data = export(escrow, [signed], lambda digest: {})
        contents, claims = verify(data)
        assert [claim.holds for claim in claims] == [True] * 13, claims
        assert contents is not None
        assert max(len(sent.receipt_proof) for sent in contents.transactions) > 1
        assert all(claim.holds for claim in verify_on_chain(contents, escrow))
        assert contents.agreement.signatures.keys() == {"buyer", "supplier"}


def _transfer(signer: DevSigner, nonce: int, node: object) -> bytes:
    return signer.sign_transaction(
        {
            "type": 2, "chainId": int(node.request("eth_chainId"), 16), "nonce": nonce,  # type: ignore[attr-defined]
            "to": signer.address, "value": 1, "data": b"", "gas": 21_000,
            "maxFeePerGas": 10 * 10**9, "maxPriorityFeePerGas": 10**9,
        }
    )  # fmt: skip
