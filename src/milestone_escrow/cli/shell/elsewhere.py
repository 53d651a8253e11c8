"""Accounts whose keys are not here: in a node or wallet, on a device, in a cloud, nowhere near."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from milestone_escrow.errors import EscrowError, UsageError
from milestone_escrow.protocol.eip712 import Address

if TYPE_CHECKING:
    from milestone_escrow.cli.shell.session import Session
    from milestone_escrow.protocol.signatures import Signer

KINDS = "rpc, rpc:URL, ledger, ledger:PATH or kms:KEY"
# Somebody has to look at a screen and press a button meanwhile.
_PATIENCE = 600


def signers_at(session: Session, spec: str, chain_id: int) -> tuple[Signer, ...]:
    """The accounts that a --signer means, the main one first; looked for once in a command.

    Raises:
        UsageError: there is no such kind of signer.
        EscrowError: it cannot be reached, or lets no account be used.
    """
    known = session.elsewhere
    if chain_id not in known:
        known[chain_id] = _signers_at(session, spec, chain_id)
    return known[chain_id]


def _signers_at(session: Session, spec: str, chain_id: int) -> tuple[Signer, ...]:
    kind, _, where = spec.partition(":")
    if kind == "rpc":
        from milestone_escrow.keys.rpc_signer import RpcSigner, rpc_accounts

        wallet = _wallet(session, where, chain_id)
        return tuple(RpcSigner(wallet, account) for account in rpc_accounts(wallet))
    if kind == "ledger":
        from milestone_escrow.keys.ledger_signer import DEFAULT_PATH, LedgerSigner

        return (LedgerSigner.connect(where or DEFAULT_PATH, tell=_tell),)
    if kind == "kms" and where:
        from milestone_escrow.keys.kms import KmsSigner

        return (KmsSigner.connect(where),)
    raise UsageError(f"--signer is '{spec}'", hint=f"it is one of {KINDS}")


def _wallet(session: Session, url: str, chain_id: int) -> Any:
    from milestone_escrow.chain.node.rpc import HttpNode

    found = session.network_of(chain_id)
    where = url or session.endpoint(found) or found.rpc
    return HttpNode(where, timeout=_PATIENCE) if isinstance(where, str) else where


def _tell(line: str) -> None:
    """What somebody must compare on a device's screen, while the command waits for it."""
    import click

    click.echo(line, err=True)


@dataclass(frozen=True, slots=True)
class AskedWallets:
    """Asks the chain that a signature is for, once one turns up that no key explains; the same
    question once in a command."""

    session: Session
    _known: dict[tuple[int, Address, bytes, bytes], bool] = field(default_factory=dict)

    def accepts(self, chain_id: int, account: Address, digest: bytes, signature: bytes) -> bool:
        """As `Wallets` has it.

        Raises:
            EscrowError: the chain cannot be asked.
        """
        from milestone_escrow.chain.contract.wallets import ContractWallets

        question = (chain_id, account, digest, signature)
        if question in self._known:
            return self._known[question]
        try:
            wallets = ContractWallets(self.session.node_of(chain_id), chain_id)
            answer = self._known[question] = wallets.accepts(*question)
        except EscrowError as error:
            raise EscrowError(
                f"a signature is not by the key of {account}, and whether it is a contract "
                f"wallet's only its chain can say: {error.message}",
                hint=error.hint,
            ) from None
        return answer
