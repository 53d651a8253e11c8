"""Pay for work in stages: stablecoins wait in a contract, verifiers sign, the contract pays.

`Agreement` is the file that people write, `Escrow` the contract on a chain. Both are loaded when
they are first used, so that importing this package costs nothing; so are the words in which a
refusal of the contract is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from milestone_escrow.errors import ContractError, EscrowError

if TYPE_CHECKING:
    from milestone_escrow.chain.contract.client import Escrow
    from milestone_escrow.documents.agreement import Agreement

    __version__: str

__all__ = ["Agreement", "Escrow", "EscrowError", "__version__"]

_HOMES = {
    "Agreement": "milestone_escrow.documents.agreement",
    "Escrow": "milestone_escrow.chain.contract.client",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("milestone-escrow")
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _told(error: ContractError) -> tuple[str, str] | None:
    from milestone_escrow.words.refusals.telling import told

    return told(error)


ContractError.teller = _told
