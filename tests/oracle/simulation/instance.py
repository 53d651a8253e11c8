"""One running oracle of the simulation: assembled anew after every death, from its store alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy.exc import SQLAlchemyError

from milestone_escrow.chain.deploy.deployments import verify_contract
from milestone_escrow.chain.node.network import Network
from milestone_escrow.chain.node.rpc import Node
from milestone_escrow.errors import EscrowError
from milestone_escrow.keys import DevSigner
from milestone_escrow.oracle.evaluating import Deciding
from milestone_escrow.oracle.indexer.indexer import DeepReorgError, Indexer
from milestone_escrow.oracle.policies.limits import Limits
from milestone_escrow.oracle.policies.would_sign import why_not
from milestone_escrow.oracle.relaying.patience import RelayingSettings
from milestone_escrow.oracle.relaying.relayer import Relayer
from milestone_escrow.oracle.reminders.delivery import Channel, Delivery, DeliveryError, Mark
from milestone_escrow.oracle.reminders.notices import DEFAULT_LEADS, Notice
from milestone_escrow.oracle.reminders.situation import Situation
from milestone_escrow.oracle.service import Service
from milestone_escrow.oracle.signing.signer import GuardedSigner
from milestone_escrow.oracle.store import failpoints
from milestone_escrow.oracle.store.store import Store
from milestone_escrow.protocol.eip712 import Domain, TypedData
from tests.oracle.simulation.deal import WATCHER, Ground
from tests.oracle.simulation.proxy import LyingProxy

USUAL = RelayingSettings()


class Killed(BaseException):
    """As `kill -9`: nothing after it runs in this process."""


@dataclass
class Killer:
    """Stops the process at the so-manieth step from now, or `deaths` times at the step `name`."""

    left: int = 0
    name: str = ""
    deaths: int = 0
    killed: list[str] = field(default_factory=list)

    def __call__(self, step: str) -> None:
        if self.name:
            if step == self.name and len(self.killed) < self.deaths:
                self._kill(step)
        elif self.left:
            self.left -= 1
            if not self.left:
                self._kill(step)

    def _kill(self, step: str) -> None:
        self.killed.append(step)
        raise Killed


@dataclass
class Watcher:
    """The oracle's own key as a verifier; remembers all that it ever signed."""

    signed: list[TypedData] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._key = DevSigner(WATCHER)

    @property
    def address(self) -> str:
        return self._key.address

    def sign_typed_data(self, data: TypedData) -> bytes:
        self.signed.append(data)
        return self._key.sign_typed_data(data)

    def sign_transaction(self, transaction: object) -> bytes:
        raise AssertionError("a verifier sends nothing")


@dataclass
class Recipient:
    """Who is reminded; now and then out of reach."""

    name: str = "recipient"
    got: list[Delivery] = field(default_factory=list)
    is_away: Callable[[], bool] = lambda: False

    def recipients(self, notice: Notice, seen: Situation | None) -> tuple[str, ...]:
        return ("",)

    def send(self, delivery: Delivery, mark: Mark) -> None:
        if self.is_away():
            raise DeliveryError("nobody answers")
        mark()
        self.got.append(delivery)


@dataclass
class Instance:
    """A machine with a clock, a node, and an account that pays for gas. `dead` = for good."""

    ground: Ground
    store: Store
    node: LyingProxy
    account: int
    clock: Callable[[], int]
    watcher: Watcher
    recipient: Recipient
    lives: int = 0
    dead: bool = False
    service: Service | None = None

    def run(self, act: str) -> bool:
        """Let the service do one thing; False where it died of it or could not."""
        if self.dead:
            return False
        try:
            service = self.service or self._start()
            getattr(service, act)()
            return True
        except Killed:
            self.service = None
        except DeepReorgError:
            self.service = None  # the service ends itself, and its supervisor starts it again
        except (EscrowError, SQLAlchemyError, OSError):
            pass
        return False

    def _start(self) -> Service:
        self.lives += 1
        self.service = build(
            self.store,
            self.node,
            self.ground.network,
            self.ground.escrow.domain,
            self.account,
            self.clock,
            self.watcher,
            self.recipient,
            f"machine {self.account}, life {self.lives}",
        )
        return self.service


def build(
    store: Store,
    node: Node,
    network: Network,
    domain: Domain,
    account: int,
    clock: Callable[[], int],
    watcher: Watcher,
    channel: Channel,
    owner: str,
    settings: RelayingSettings = USUAL,
) -> Service:
    """A service as after a start: whatever it knows, it has from the store."""
    limits = Limits.parse({}, real_money=False, tokens=network.tokens)
    guarded = GuardedSigner(
        store,
        domain,
        watcher,  # type: ignore[arg-type]
        why_not=lambda connection, view, attestation, now: why_not(
            connection, view, attestation, limits, now
        ),
        verify_contract=lambda: verify_contract(node, domain),
    )
    guarded.start(clock(), declared_new=True)
    contract = domain.verifying_contract
    signer = DevSigner(account)
    return Service(
        store,
        network,
        Indexer(store, node, network, contract),
        clock,
        owner,
        decider=Deciding(store, limits, guarded),
        relayer=Relayer(store, node, network, contract, signer, settings, clock, owner=owner),
        channels=[channel],
        leads=DEFAULT_LEADS,
    )


def arm(killer: Killer | None) -> None:
    failpoints.set_hook(killer)
