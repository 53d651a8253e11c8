"""One network: where it is, which tokens it has, whether its money is real."""

from __future__ import annotations

from dataclasses import dataclass, replace

from milestone_escrow.errors import UsageError
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.token import Token

USER_FILE = "networks.toml"

# Wei for a unit of gas, where nothing is known about a network.
USUAL_CAP = 500 * 10**9

# Nick Johnson's deterministic deployment proxy, at this address on nearly every network: what it
# creates lies where salt and code say, whoever asked.
DEPLOYER = "0x4e59b44847b379578588920cA78FbF26c0B4956C"
DEPLOYER_CODE = bytes.fromhex(
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe03601600081602082378035828234"
    "f58015156039578182fd5b8082525050506014600cf3"
)


@dataclass(frozen=True, slots=True)
class ExplorerApi:
    """Where an explorer takes sources; `kind` is "etherscan", "blockscout" or "sourcify"."""

    kind: str
    url: str


@dataclass(frozen=True, slots=True)
class Network:
    """One network. `main` means real money; `coin` pays for gas; "" where there is no such.

    `local` chains have a time of their own. `max_fee` and `min_tip` are wei per unit of gas;
    `fees` is "eip1559" or "legacy". `data_fee` says who charges for data on a rollup, "op-stack" or
    "arbitrum". `confirmations` counts the block of the transaction; 0 waits for finality instead.
    """

    name: str
    title: str
    chain_id: int
    rpc: str = ""
    explorer: str = ""
    coin: str = "ETH"
    main: bool = False
    contract: Address = ""
    tokens: tuple[Token, ...] = ()
    local: bool = False
    faucet: str = ""
    fees: str = "eip1559"
    max_fee: int = USUAL_CAP
    min_tip: int = 0
    data_fee: str = ""
    confirmations: int = 1
    deployer: Address = DEPLOYER
    verify: tuple[ExplorerApi, ...] = ()

    def token(self, symbol: str) -> Token:
        """The token of that symbol.

        Raises:
            UsageError: the network's record has none.
        """
        for token in self.tokens:
            if token.symbol.upper() == symbol.upper():
                return token
        known = ", ".join(token.symbol for token in self.tokens) or "no token"
        raise UsageError(
            f"{self.title} has no {symbol}, as far as is known here: it has {known}",
            hint=f"add it to your {USER_FILE} under [{self.name}.tokens]",
        )

    def with_token(self, token: Token) -> Network:
        """The same network knowing one token more."""
        others = tuple(known for known in self.tokens if known.symbol != token.symbol)
        return replace(self, tokens=(*others, token))

    def link(self, kind: str, value: str) -> str:
        """An address ("address") or a transaction ("tx") in the explorer; "" without one."""
        return f"{self.explorer}/{kind}/{value}" if self.explorer else ""
