"""Accounts in which code runs (EIP-7702), on the embedded chain."""

from __future__ import annotations

from collections.abc import Mapping

from eth_abi.abi import encode
from eth_utils.address import to_checksum_address

from milestone_escrow.chain.deploy.compiler import Artifact
from milestone_escrow.chain.embedded.chain import EmbeddedChain
from milestone_escrow.keys import DevSigner
from milestone_escrow.protocol.eip712 import Address

OPERATOR = 20


def let_rehash(chain: EmbeddedChain, artifacts: Mapping[str, Artifact], number: int) -> None:
    """Run the wallet in a sandbox account that takes its key's signature only over the digest
    bound to the account, so that what the key signs elsewhere is none of the account."""
    owner = DevSigner(number).address
    code = bytes.fromhex(artifacts["OwnedWallet"].bytecode.removeprefix("0x"))
    made = chain.send_from(OPERATOR, b"", code + encode(["address", "bool"], [owner, True]))
    assert made.created is not None
    delegate(chain, number, str(to_checksum_address(made.created)))


def delegate(chain: EmbeddedChain, number: int, code: Address) -> None:
    """Let the code at an account run in that of a sandbox key, which agrees to it."""
    from eth_account import Account

    sender = DevSigner(OPERATOR).address

    def nonce(account: Address) -> int:
        return int(chain.handle("eth_getTransactionCount", [account, "latest"]), 16)

    key = number.to_bytes(32, "big")
    agreed = Account.sign_authorization(
        {"chainId": chain.chain_id, "address": code, "nonce": nonce(DevSigner(number).address)}, key
    )
    signed = Account.sign_transaction(
        {
            "chainId": chain.chain_id,
            "nonce": nonce(sender),
            "to": sender,
            "value": 0,
            "gas": 200_000,
            "maxFeePerGas": 10**10,
            "maxPriorityFeePerGas": 1,
            "authorizationList": [agreed],
        },
        OPERATOR.to_bytes(32, "big"),
    )
    chain.send_raw(signed.raw_transaction)
    assert chain.handle("eth_getCode", [DevSigner(number).address, "latest"]).startswith("0xef0100")
