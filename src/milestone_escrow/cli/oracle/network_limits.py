"""The limits of oracle.toml on the network that a store belongs to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from milestone_escrow.cli.oracle.store_home import load_settings
from milestone_escrow.cli.shell.session import Session

if TYPE_CHECKING:
    from milestone_escrow.oracle.policies.limits import Limits
    from milestone_escrow.protocol.eip712 import Domain


def limits_here(session: Session, domain: Domain, config: Path | None) -> Limits:
    """What the oracle of this machine may sign. On a chain that is not known here, money is taken
    to be real, and no token to be known.

    Raises:
        UsageError: a limit makes no sense.
    """
    from milestone_escrow.chain.node.networks import networks
    from milestone_escrow.oracle.policies.limits import Limits

    known = [n for n in networks(session.home.root).values() if n.chain_id == domain.chain_id]
    return Limits.parse(
        load_settings(session, config).limits.model_dump(exclude_none=True),
        real_money=any(network.main for network in known) or not known,
        tokens=[token for network in known for token in network.tokens],
    )
