"""What a transaction may cost: the price of gas under a cap, and what a rollup charges for data."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from milestone_escrow.chain.node.network import Network
from milestone_escrow.chain.node.rpc import Node, RpcError
from milestone_escrow.errors import ChainError, UsageError
from milestone_escrow.protocol.hexes import hexed

GWEI = 10**9
USUAL_TIP = GWEI
# Nodes replace a waiting transaction only for 10 % more, the strictest of them for 12.5 %.
BUMP_PERMILLE = 1_125
# A price this many times the network's cap was meant in another unit.
ABSURD = 100

# The OP stack's GasPriceOracle and Arbitrum's NodeInterface, at the same place on every such chain.
OP_ORACLE = "0x420000000000000000000000000000000000000F"
ARBITRUM_NODE = "0x00000000000000000000000000000000000000C8"
_GET_L1_FEE = bytes.fromhex("49948e0e")  # getL1Fee(bytes)
_L1_COMPONENT = bytes.fromhex("77d488a2")  # gasEstimateL1Component(address,bool,bytes)
# The price of data moves while a transaction waits.
DATA_MARGIN_PERCENT = 25


@dataclass(frozen=True, slots=True)
class Bid:
    """What a sender asks for; `max_fee` is wei per unit of gas. None is as usual."""

    max_fee: int | None = None
    nonce: int | None = None


AS_USUAL = Bid()


@dataclass(frozen=True, slots=True)
class Price:
    """Wei per unit of gas: at most `max_fee`, of it `tip` beyond the base fee.

    A `legacy` price has no tip of its own: `max_fee` is paid in full.
    """

    max_fee: int
    tip: int
    base: int
    legacy: bool = False

    @property
    def expected(self) -> int:
        """What would be paid in the next block."""
        return self.max_fee if self.legacy else min(self.base + self.tip, self.max_fee)

    def bumped(self) -> Price:
        """The least price at which every kind of node replaces a transaction of this one."""
        return Price(_bump(self.max_fee), _bump(self.tip), self.base, self.legacy)


@dataclass(frozen=True, slots=True)
class DataFee:
    """What posting a transaction's data costs: `wei` on top of gas, or `gas` within its gas."""

    wei: int = 0
    gas: int = 0


def price_now(node: Node, network: Network, bid: Bid = AS_USUAL) -> Price:
    """What to offer for gas: room for the base fee to double, under the network's cap.

    Raises:
        ChainError: gas costs more than the cap now.
        UsageError: the bid is too low for any block, or absurdly high.
    """
    price = _asked(node, network)
    if bid.max_fee is not None:
        return _as_bid(price, bid.max_fee, network)
    if price.expected > network.max_fee:
        raise ChainError(
            f"gas costs {gwei(price.expected)} on {network.title} now, more than the "
            f"{gwei(network.max_fee)} that are paid there unasked",
            hint=f"wait, or allow it with --max-fee {_whole(price.expected)}",
        )
    return Price(min(price.max_fee, network.max_fee), price.tip, price.base, price.legacy)


def replacing(old: Price, node: Node, network: Network, bid: Bid = AS_USUAL) -> Price:
    """What to offer in place of a transaction that waits at the price `old`.

    Raises:
        ChainError: that would be above the network's cap.
        UsageError: the bid is too low to replace it.
    """
    least = old.bumped()
    now = _asked(node, network)
    usual = Price(
        max(least.max_fee, now.max_fee), max(least.tip, now.tip), now.base, legacy=old.legacy
    )
    if bid.max_fee is not None:
        if bid.max_fee < least.max_fee:
            raise UsageError(
                f"--max-fee {gwei(bid.max_fee)} does not replace a transaction that offers "
                f"{gwei(old.max_fee)}",
                hint=f"give at least {_whole(least.max_fee)}",
            )
        return _as_bid(usual, bid.max_fee, network)
    if max(usual.expected, least.max_fee) > network.max_fee:
        needed = max(usual.expected, least.max_fee)
        raise ChainError(
            f"replacing it takes {gwei(needed)} for gas, more than the "
            f"{gwei(network.max_fee)} that are paid on {network.title} unasked",
            hint=f"allow it with --max-fee {_whole(needed)}",
        )
    return Price(min(usual.max_fee, network.max_fee), usual.tip, usual.base, usual.legacy)


def data_fee(node: Node, network: Network, to: str | None, data: bytes) -> DataFee:
    """What the network charges for posting a transaction's data; nothing where it does not."""
    if network.data_fee == "op-stack":
        # As it will be signed: some hundred bytes of envelope, which hardly compress.
        envelope = bytes([2]) + bytes(range(1, 111))
        asked = _GET_L1_FEE + _bytes_argument(envelope + data)
        fee = _word(_call(node, network, OP_ORACLE, asked), 0)
        return DataFee(wei=fee + fee * DATA_MARGIN_PERCENT // 100)
    if network.data_fee == "arbitrum":
        place = bytes.fromhex((to or "0x" + "00" * 20)[2:]).rjust(32, b"\0")
        creates = (0 if to else 1).to_bytes(32, "big")
        asked = _L1_COMPONENT + place + creates + _bytes_argument(data, 3)
        # eth_estimateGas on Arbitrum has it within; here it is only told apart.
        return DataFee(gas=_word(_call(node, network, ARBITRUM_NODE, asked), 0))
    return DataFee()


def gwei(wei: int) -> str:
    """A price for people: "12.5 gwei"."""
    amount = Decimal(wei) / GWEI
    digits = 9 if amount < 1 else 2
    text = f"{amount:.{digits}f}"
    return f"{text.rstrip('0').rstrip('.') or '0'} gwei"


def coins(wei: int, coin: str) -> str:
    """An amount of a network's coin for people, to six digits: "0.012345 ETH"."""
    if 0 < wei < 10**12:
        return f"less than 0.000001 {coin}"
    return f"{Decimal(wei) / 10**18:.6f} {coin}"


def _asked(node: Node, network: Network) -> Price:
    """The price that the node names."""
    block = node.request("eth_getBlockByNumber", ["latest", False])
    base = int(block["baseFeePerGas"], 16) if block and block.get("baseFeePerGas") else None
    if base is None or network.fees == "legacy":
        price = int(node.request("eth_gasPrice"), 16)
        return Price(price, price, 0, legacy=True)
    try:
        tip = int(node.request("eth_maxPriorityFeePerGas"), 16)
    except RpcError:
        tip = USUAL_TIP
    tip = max(tip, network.min_tip)
    return Price(2 * base + tip, tip, base)


def _as_bid(price: Price, max_fee: int, network: Network) -> Price:
    if max_fee > ABSURD * max(network.max_fee, price.max_fee):
        raise UsageError(
            f"--max-fee {gwei(max_fee)} is {max_fee // network.max_fee:,} times what "
            f"{network.title} may cost",
            hint="the unit is gwei, not wei",
        )
    if max_fee < price.base + min(price.tip, network.min_tip):
        raise UsageError(
            f"with --max-fee {gwei(max_fee)} no block takes it: {network.title} asks for "
            f"{gwei(price.expected)} now",
            hint="offer more, or leave it out",
        )
    if price.legacy:
        return Price(max_fee, max_fee, price.base, legacy=True)
    return Price(max_fee, min(price.tip, max_fee), price.base)


def _call(node: Node, network: Network, to: str, data: bytes) -> bytes:
    try:
        answer = node.request("eth_call", [{"to": to, "data": hexed(data)}, "latest"])
        output = bytes.fromhex(str(answer)[2:])
    except (RpcError, ValueError):
        output = b""
    if len(output) < 32:
        raise ChainError(
            f"the node does not say what {network.title} charges for data",
            hint="check that it is a node of that network, or name another with --rpc",
        )
    return output


def _word(output: bytes, index: int) -> int:
    return int.from_bytes(output[32 * index : 32 * index + 32], "big")


def _bytes_argument(data: bytes, place: int = 1) -> bytes:
    """`data` as the last of `place` arguments: its offset, its length, itself."""
    padded = data + bytes(-len(data) % 32)
    return (32 * place).to_bytes(32, "big") + len(data).to_bytes(32, "big") + padded


def _bump(price: int) -> int:
    return -(-price * BUMP_PERMILLE // 1_000)


def _whole(wei: int) -> str:
    """A number of gwei to type that is no less than this, with two digits that count."""
    amount = Decimal(wei) / GWEI
    exponent = Decimal(1).scaleb(amount.adjusted() - 1)
    rounded = (amount / exponent).to_integral_value("ROUND_CEILING") * exponent
    return f"{rounded:f}"
