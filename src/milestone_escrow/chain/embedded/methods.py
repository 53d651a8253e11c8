"""The embedded chain's JSON-RPC: what web3, cast and browser wallets ask a node."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from milestone_escrow import __version__
from milestone_escrow.chain.embedded.blocks import (
    block_view,
    log_views,
    receipt_view,
    transaction_view,
)
from milestone_escrow.chain.embedded.params import (
    alternatives,
    block_by_hash,
    existing_block,
    read_block,
    read_call,
    read_integer,
    read_number,
    read_state,
)
from milestone_escrow.chain.node.rpc import METHOD_NOT_FOUND, RpcError
from milestone_escrow.errors import ChainError
from milestone_escrow.protocol.hexes import hexed, unhexed

if TYPE_CHECKING:
    from milestone_escrow.chain.embedded.chain import EmbeddedChain


INVALID_PARAMS = -32602
PRIORITY_FEE = 10**9
MAX_FEE_HISTORY = 1024

Method = Callable[..., Any]
_METHODS: dict[str, Method] = {}


def answer(chain: EmbeddedChain, method: str, params: Sequence[object] = ()) -> Any:
    """Answer one method; raises RpcError with the code that a node would give."""
    known = _METHODS.get(method)
    if known is None:
        raise RpcError(f"the method {method} does not exist here", code=METHOD_NOT_FOUND)
    chain.sync()
    try:
        return known(chain, *params)
    except RpcError:
        raise
    except ChainError as error:
        raise RpcError(str(error), code=INVALID_PARAMS) from None
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise RpcError(f"invalid parameters for {method}: {error}", code=INVALID_PARAMS) from None


def _method(*names: str) -> Callable[[Method], Method]:
    def register(function: Method) -> Method:
        _METHODS.update(dict.fromkeys(names, function))
        return function

    return register


# The node


@_method("web3_clientVersion")
def _client_version(_: EmbeddedChain) -> str:
    return f"milestone-escrow/{__version__}"


@_method("eth_chainId")
def _chain_id(chain: EmbeddedChain) -> str:
    return hex(chain.chain_id)


@_method("net_version")
def _network(chain: EmbeddedChain) -> str:
    return str(chain.chain_id)


@_method("net_listening")
def _listening(_: EmbeddedChain) -> bool:
    return True


@_method("eth_syncing")
def _syncing(_: EmbeddedChain) -> bool:
    return False


@_method("eth_accounts", "eth_requestAccounts")
def _accounts(chain: EmbeddedChain) -> list[str]:
    return [hexed(account) for account in chain.accounts]


@_method("eth_blockNumber")
def _block_number(chain: EmbeddedChain) -> str:
    return hex(chain.head.number)


# Fees


@_method("eth_gasPrice")
def _gas_price(chain: EmbeddedChain) -> str:
    return hex(chain.head.header.base_fee_per_gas + PRIORITY_FEE)


@_method("eth_maxPriorityFeePerGas")
def _priority_fee(_: EmbeddedChain) -> str:
    return hex(PRIORITY_FEE)


@_method("eth_feeHistory")
def _fee_history(
    chain: EmbeddedChain, count: object, newest: object, percentiles: object = ()
) -> dict[str, object]:
    last = read_block(chain, newest).number
    first = max(0, last + 1 - min(read_integer(count), MAX_FEE_HISTORY))
    headers = [existing_block(chain, n).header for n in range(first, last + 1)]
    fees = [header.base_fee_per_gas for header in headers]
    history: dict[str, object] = {
        "oldestBlock": hex(first),
        # One more than asked for: the next block's, which differs little on an idle chain.
        "baseFeePerGas": [hex(fee) for fee in (*fees, fees[-1])],
        "gasUsedRatio": [header.gas_used / header.gas_limit for header in headers],
    }
    if isinstance(percentiles, list):
        history["reward"] = [[hex(PRIORITY_FEE)] * len(percentiles) for _ in headers]
    return history


# Accounts


@_method("eth_getBalance")
def _balance(chain: EmbeddedChain, account: str, block: object = "latest") -> str:
    return hex(read_state(chain, block).get_balance(unhexed(account, 20)))


@_method("eth_getTransactionCount")
def _nonce(chain: EmbeddedChain, account: str, block: object = "latest") -> str:
    return hex(read_state(chain, block).get_nonce(unhexed(account, 20)))


@_method("eth_getCode")
def _code(chain: EmbeddedChain, account: str, block: object = "latest") -> str:
    return hexed(read_state(chain, block).get_code(unhexed(account, 20)))


@_method("eth_getStorageAt")
def _storage(chain: EmbeddedChain, account: str, slot: object, block: object = "latest") -> str:
    value = read_state(chain, block).get_storage(unhexed(account, 20), read_integer(slot))
    return hexed(value.to_bytes(32, "big"))


# Calls and transactions


@_method("eth_call")
def _call(chain: EmbeddedChain, call: Mapping[str, object], block: object = "latest") -> str:
    result = chain.call(read_call(call), read_block(chain, block).number)
    if result.error:
        # Code 3 says that `data` holds what the contract reverted with.
        code = 3 if result.error == "execution reverted" else -32000
        raise RpcError(result.error, code=code, data=result.output)
    return hexed(result.output)


@_method("eth_estimateGas")
def _estimate(chain: EmbeddedChain, call: Mapping[str, object], block: object = "latest") -> str:
    return hex(chain.estimate(read_call(call), read_block(chain, block).number))


@_method("eth_sendRawTransaction")
def _send_raw(chain: EmbeddedChain, raw: str) -> str:
    return hexed(chain.send_raw(unhexed(raw)))


@_method("eth_sendTransaction")
def _send(chain: EmbeddedChain, transaction: Mapping[str, object]) -> str:
    call = read_call(transaction)
    if call.sender not in chain.accounts:
        raise RpcError(f"{hexed(call.sender)} is not an account of this node: sign it yourself")
    account = chain.accounts.index(call.sender) + 1
    return hexed(chain.send_from(account, call.to, call.data, value=call.value, gas=call.gas).hash)


@_method("eth_signTypedData_v4")
def _sign_typed_data(chain: EmbeddedChain, account: str, data: object) -> str:
    import json

    from eth_account import Account
    from eth_account.messages import encode_typed_data

    body: Any = json.loads(data) if isinstance(data, str) else data
    signer = unhexed(account, 20)
    if signer not in chain.accounts:
        raise RpcError(f"{account} is not an account of this node: sign it yourself")
    domain = body.get("domain") if isinstance(body, dict) else None
    if not isinstance(domain, dict) or int(domain.get("chainId", 0)) != chain.chain_id:
        raise RpcError(f"everybody knows these keys, so they sign for chain {chain.chain_id} only")
    # The private keys are 1 to 20, as those that send.
    secret = (chain.accounts.index(signer) + 1).to_bytes(32, "big")
    try:
        signed = Account.sign_message(encode_typed_data(full_message=body), secret)
    except Exception as error:  # that library has many for what is no typed data
        raise RpcError(f"this is no typed data: {error}", code=INVALID_PARAMS) from None
    return hexed(bytes(signed.signature))


@_method("eth_getTransactionByHash")
def _transaction(chain: EmbeddedChain, transaction: str) -> dict[str, object] | None:
    found = chain.find(unhexed(transaction, 32))
    return transaction_view(*found) if found else None


@_method("eth_getTransactionReceipt")
def _receipt(chain: EmbeddedChain, transaction: str) -> dict[str, object] | None:
    found = chain.find(unhexed(transaction, 32))
    return receipt_view(*found) if found else None


# Blocks and logs


@_method("eth_getBlockByNumber")
def _block_by_number(
    chain: EmbeddedChain, block: object, full: bool = False
) -> dict[str, object] | None:
    number = read_number(chain, block)
    found = chain.block(number)
    return block_view(found, full) if found else None


@_method("eth_getBlockByHash")
def _block_by_hash(
    chain: EmbeddedChain, block: str, full: bool = False
) -> dict[str, object] | None:
    found = block_by_hash(chain, block)
    return block_view(found, full) if found else None


@_method("eth_getBlockReceipts")
def _block_receipts(chain: EmbeddedChain, block: object) -> list[dict[str, object]]:
    found = read_block(chain, block)
    return [receipt_view(found, transaction) for transaction in found.transactions]


@_method("eth_getLogs")
def _logs(chain: EmbeddedChain, query: Mapping[str, object]) -> list[dict[str, object]]:
    if "blockHash" in query:
        only = block_by_hash(chain, str(query["blockHash"]))
        blocks = [only] if only else []
    else:
        first = read_number(chain, query.get("fromBlock", "latest"))
        last = min(read_number(chain, query.get("toBlock", "latest")), chain.head.number)
        blocks = [existing_block(chain, number) for number in range(first, last + 1)]
    addresses = [unhexed(text, 20) for text in alternatives(query.get("address"))]
    wanted = query.get("topics") or []
    if not isinstance(wanted, list):
        raise ValueError("topics must be a list")
    topics = [[unhexed(text, 32) for text in alternatives(choice)] for choice in wanted]
    return [
        view
        for block in blocks
        for transaction in block.transactions
        for log, view in log_views(block, transaction)
        if (not addresses or log.address in addresses)
        and len(log.topics) >= len(topics)
        and all(
            not choice or topic in choice for choice, topic in zip(topics, log.topics, strict=False)
        )
    ]


# Time travel, under the names that other development nodes gave it


@_method("evm_increaseTime")
def _increase_time(chain: EmbeddedChain, seconds: object) -> int:
    chain.skip(read_integer(seconds))
    return read_integer(seconds)


@_method("evm_setNextBlockTimestamp")
def _set_next_time(chain: EmbeddedChain, timestamp: object) -> None:
    chain.set_next_time(read_integer(timestamp))


@_method("evm_mine")
def _mine(chain: EmbeddedChain, timestamp: object = None) -> str:
    if timestamp is not None:
        chain.set_next_time(read_integer(timestamp))
    chain.mine()
    return "0x0"


@_method("evm_snapshot")
def _snapshot(chain: EmbeddedChain) -> str:
    return hex(chain.snapshot())


@_method("evm_revert")
def _revert(chain: EmbeddedChain, snapshot: object) -> bool:
    return chain.revert(read_integer(snapshot))
