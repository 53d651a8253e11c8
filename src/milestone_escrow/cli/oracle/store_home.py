"""What the commands of the oracle agree on: which store, which settings, which contract."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from milestone_escrow.cli.shell.home import environment, write
from milestone_escrow.cli.shell.session import SANDBOX, Session
from milestone_escrow.errors import EscrowError

if TYPE_CHECKING:
    from milestone_escrow.chain.contract.client import Escrow
    from milestone_escrow.oracle.settings import Settings
    from milestone_escrow.oracle.store.store import Store


@dataclass(frozen=True, slots=True)
class Running:
    """What a running oracle tells other terminals of its machine."""

    url: str
    pid: int
    chain_id: int
    contract: str

    def write(self, session: Session) -> None:
        write(_record(session), json.dumps(asdict(self), indent=2) + "\n")

    def remove(self, session: Session) -> None:
        """Take it away, unless another instance has written its own meanwhile."""
        if running(session) == self:
            _record(session).unlink(missing_ok=True)


def running(session: Session) -> Running | None:
    """The oracle that runs on this machine, or None."""
    from milestone_escrow.sandbox.record import is_alive

    try:
        found = json.loads(_record(session).read_bytes())
        record = Running(**{field.name: found[field.name] for field in fields(Running)})
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return record if isinstance(record.pid, int) and is_alive(record.pid) else None


def load_settings(session: Session, config: Path | None) -> Settings:
    """oracle.toml: the named one, or that of the state folder where there is one."""
    from milestone_escrow.oracle.settings import Settings

    usual = session.home.root / "oracle.toml"
    return Settings.load(config or (usual if usual.is_file() else None), environment())


def connect(session: Session, rpcs: Sequence[str] = (), contract: str | None = None) -> Escrow:
    """The contract to watch, through one node or several.

    Raises:
        UsageError, ChainError: see `Escrow.connect`.
    """
    from milestone_escrow.chain.contract.client import Escrow
    from milestone_escrow.chain.node.endpoints import Endpoints
    from milestone_escrow.chain.node.networks import network, require_allowed

    chosen = network(session.network or SANDBOX, session.home.root)
    require_allowed(chosen, session.mainnet)
    many = Endpoints.reach(chosen, rpcs, mainnet=session.mainnet) if rpcs else None
    return Escrow.connect(
        chosen,
        rpc=many or session.endpoint(chosen),
        contract=contract,
        mainnet=session.mainnet,
        state=session.home.root,
    )


def usual_store(session: Session, escrow: Escrow) -> Path:
    """Where the store is unless --store says otherwise. A local chain that starts anew is another
    chain, whatever its number, and so has another store."""
    name = escrow.network.name
    if escrow.network.local:
        first = escrow.node.request("eth_getBlockByNumber", ["0x0", False])
        name += f"-{first['hash'][2:10]}"
    return session.home.root / "oracle" / f"{name}.db"


def evidence_folder(session: Session) -> Path:
    """Where files of evidence are kept unless --evidence or oracle.toml say otherwise."""
    return session.home.root / "oracle" / "evidence"


def open_store(session: Session, escrow: Escrow, where: str | None) -> Store:
    from milestone_escrow.oracle.store.store import Store
    from milestone_escrow.protocol.eip712 import Domain

    domain = Domain(escrow.network.chain_id, escrow.contract)
    return Store.open(where or usual_store(session, escrow), domain)


def existing_store(session: Session, where: str | None) -> Store:
    """A store that is there already, for commands that only look.

    Raises:
        EscrowError: there is none.
    """
    from milestone_escrow.oracle.store.store import Store, describe

    path: str | Path = where or usual_store(session, connect(session))
    is_file = isinstance(path, Path) or "://" not in path
    if is_file and not Path(path).is_file():
        raise EscrowError(
            f"there is no store at {describe(path)}",
            hint="start the oracle with `escrow oracle run`, or name its store with --store",
        )
    return Store.open(path)


def _record(session: Session) -> Path:
    return session.home.root / "oracle.json"
