"""The embedded chain as a web3 provider, for those who know web3: `Web3(provider(chain))`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from milestone_escrow.chain.node.rpc import Node, RpcError
from milestone_escrow.protocol.hexes import hexed

if TYPE_CHECKING:
    from web3.providers.base import JSONBaseProvider


def provider(node: Node) -> JSONBaseProvider:
    """A provider that hands every request to `node`, an `EmbeddedChain` or any other."""
    from web3.providers.base import JSONBaseProvider

    class NodeProvider(JSONBaseProvider):
        def make_request(self, method: Any, params: Any) -> Any:
            answer: dict[str, object] = {"jsonrpc": "2.0", "id": next(self.request_counter)}
            try:
                return answer | {"result": node.request(method, params or [])}
            except RpcError as error:
                data = hexed(error.data)
                return answer | {
                    "error": {"code": error.code, "message": error.message, "data": data}
                }

    return NodeProvider()
