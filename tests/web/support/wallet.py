"""A browser wallet of test keys: announced as EIP-6963 says, asked as EIP-1193 says."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from eth_account import Account
from eth_account.messages import SignableMessage, encode_defunct, encode_typed_data
from eth_hash.auto import keccak
from playwright.sync_api import Page

from milestone_escrow.chain.node.rpc import Node, RpcError
from tests.support.safe import TestSafe

_PROVIDER = """
(() => {
  const listeners = {};
  const provider = {
    async request({ method, params }) {
      const answer = await window.__wallet(JSON.stringify({ method, params: params ?? [] }));
      const found = JSON.parse(answer);
      if (found.error) throw Object.assign(new Error(found.error.message), found.error);
      return found.result;
    },
    on(name, act) { (listeners[name] ??= []).push(act); },
    removeListener() {},
  };
  const info = { uuid: "%(uuid)s", name: "%(name)s", icon: "data:,", rdns: "%(rdns)s" };
  const announce = () => window.dispatchEvent(new CustomEvent("eip6963:announceProvider",
    { detail: Object.freeze({ info, provider }) }));
  window.addEventListener("eip6963:requestProvider", announce);
  announce();
})();
"""


class WalletError(Exception):
    """What a wallet answers instead: an EIP-1193 error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class Wallet:
    """Holds keys, knows networks, and does what it is told to for the next requests.

    `asked` is everything that the page wanted; `refuse` names methods that the person declines.
    """

    node: Node
    keys: list[int]
    chain_id: int
    known: set[int] = field(default_factory=set)
    refuse: set[str] = field(default_factory=set)
    asked: list[tuple[str, Any]] = field(default_factory=list)
    sends: Callable[[dict[str, Any]], str] | None = None
    name: str = "Test Wallet"

    @property
    def accounts(self) -> list[str]:
        return [str(Account.from_key(key.to_bytes(32, "big")).address).lower() for key in self.keys]

    @property
    def signed(self) -> list[dict[str, Any]]:
        """The typed data that was signed, as the page gave it."""
        return [
            json.loads(params[1])
            for method, params in self.asked
            if method == "eth_signTypedData_v4"
        ]

    def into(self, page: Page) -> None:
        """Put the wallet into a page, before it loads."""
        page.expose_function("__wallet", self._answer)
        values = {"uuid": "8f6e", "name": self.name, "rdns": "example.test.wallet"}
        page.add_init_script(_PROVIDER % values)

    def _answer(self, text: str) -> str:
        asked = json.loads(text)
        method, params = asked["method"], asked["params"]
        self.asked.append((method, params))
        try:
            if method in self.refuse:
                raise WalletError(4001, "User rejected the request.")
            return json.dumps({"result": self._do(method, params)})
        except WalletError as error:
            return json.dumps({"error": {"code": error.code, "message": str(error)}})
        except RpcError as error:
            return json.dumps({"error": {"code": error.code, "message": error.message}})

    def _do(self, method: str, params: list[Any]) -> Any:
        if method in ("eth_requestAccounts", "eth_accounts"):
            return self.accounts
        if method == "eth_chainId":
            return hex(self.chain_id)
        if method == "wallet_switchEthereumChain":
            wanted = int(params[0]["chainId"], 16)
            if wanted not in self.known | {self.chain_id}:
                raise WalletError(4902, "Unrecognized chain ID.")
            self.chain_id = wanted
            return None
        if method == "wallet_addEthereumChain":
            self.chain_id = int(params[0]["chainId"], 16)
            self.known.add(self.chain_id)
            return None
        if method == "personal_sign":
            message = encode_defunct(hexstr=params[0])
            return self._key(params[1]).sign_message(message).signature.to_0x_hex()
        if method == "eth_signTypedData_v4":
            # Another implementation than ours hashes it, as another wallet's would.
            message = encode_typed_data(full_message=json.loads(params[1]))
            return self._key(params[0]).sign_message(message).signature.to_0x_hex()
        if method == "eth_sendTransaction":
            if self.sends is not None:
                return self.sends(params[0])
            return self.node.request("eth_sendTransaction", params)
        raise WalletError(-32601, f"The wallet knows no {method}.")

    def _key(self, account: str) -> Any:
        for key in self.keys:
            found = Account.from_key(key.to_bytes(32, "big"))
            if found.address.lower() == account.lower():
                return found
        raise WalletError(4100, "The account is not connected.")


@dataclass
class SafeWallet(Wallet):
    """Safe's own app: one account, which is a contract, whose owners sign for it."""

    safe: TestSafe = field(kw_only=True)

    @property
    def account(self) -> str:
        return self.safe.address

    @property
    def accounts(self) -> list[str]:
        return [self.account.lower()]

    def _do(self, method: str, params: list[Any]) -> Any:
        if method == "personal_sign":
            return self._signed(encode_defunct(hexstr=params[0]))
        if method == "eth_signTypedData_v4":
            return self._signed(encode_typed_data(full_message=json.loads(params[1])))
        if method == "eth_sendTransaction":
            call = params[0]
            return "0x" + self.safe.execute(call["to"], bytes.fromhex(call["data"][2:])).hex()
        return super()._do(method, params)

    def _signed(self, message: SignableMessage) -> str:
        digest = keccak(b"\x19" + message.version + message.header + message.body)
        return "0x" + self.safe.sign_digest(self.chain_id, digest).hex()
