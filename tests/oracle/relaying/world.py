"""A store, a chain with a mempool, an indexer between them, and relayers to be tried."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import insert, select

from milestone_escrow import Escrow
from milestone_escrow.chain.contract.structs import OpenedAgreement
from milestone_escrow.chain.node.network import Network
from milestone_escrow.chain.node.rpc import Node
from milestone_escrow.keys import DevSigner
from milestone_escrow.oracle.indexer.indexer import Indexer
from milestone_escrow.oracle.relaying.intents import (
    Intent,
    SignedTransaction,
    read_attempt,
    read_intent,
)
from milestone_escrow.oracle.relaying.patience import RelayingSettings
from milestone_escrow.oracle.relaying.relayer import Relayer, RelayReport
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.store import Store
from milestone_escrow.protocol.acts import Attestation, Verdict
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS
from milestone_escrow.protocol.lifecycle import Status
from milestone_escrow.protocol.terms import (
    DAY,
    Milestone,
    Terms,
    agreement_id,
    agreement_typed_data,
)
from tests.oracle.support.mempool import Mempool
from tests.support.nodes import Odd

START = 1_799_884_800
AMOUNT = 1_000_000
RELAYER, OTHER_RELAYER, INSPECTOR = 8, 9, 3
CONFIRMATIONS = 3


def opened(escrow: Escrow, *, count: int = 4, salt: int = 1, quorum: int = 1) -> OpenedAgreement:
    """An agreement between accounts 1 and 2, all funded; its acceptances pay at once."""
    verifiers = tuple(sorted((DevSigner(n).address for n in (3, 4)), key=str.lower))
    terms = Terms(
        buyer=DevSigner(1).address,
        supplier=DevSigner(2).address,
        token=escrow.token("USDC").address,
        arbiter=ZERO_ADDRESS,
        verifiers=verifiers,
        objection_period=0,
        review_period=0,
        arbitration_period=30 * DAY,
        default_payee_bps=0,
        fee_recipient=ZERO_ADDRESS,
        fee_bps=0,
        document_hash=b"\1" * 32,
        salt=salt,
    )
    due = escrow.now() + 90 * DAY
    milestones = tuple(Milestone(AMOUNT, due, False, 3, quorum, b"\2" * 32) for _ in range(count))
    found = OpenedAgreement(agreement_id(escrow.domain, terms, milestones), terms, milestones)
    data = agreement_typed_data(escrow.domain, terms, milestones)
    both = {one.address: one.sign_typed_data(data) for one in (DevSigner(1), DevSigner(2))}
    escrow.acting_as(DevSigner(1)).open(found, both, fund=range(count))
    return found


@dataclass
class World:
    """Time is that of the machine, Unix seconds, and passes only when told to."""

    escrow: Escrow
    pool: Mempool
    store: Store
    network: Network
    node: Node
    now: int
    settings: RelayingSettings = field(default_factory=RelayingSettings)

    def relayer(self, number: int = RELAYER, owner: str = "one", **changes: Any) -> Relayer:
        """A relayer as after a start: it remembers nothing."""
        return Relayer(
            self.store,
            changes.pop("node", self.node),
            self.network,
            self.escrow.contract,
            changes.pop("signer", DevSigner(number)),
            replace(self.settings, **changes),
            lambda: self.now,
            owner=owner,
        )

    def follow(self) -> None:
        """Let the store know what is on chain."""
        Indexer(self.store, self.pool, self.network, self.escrow.contract).catch_up(self.now)

    def turn(self, relayer: Relayer, seconds: int = 0) -> RelayReport:
        """Some time later: the indexer looks, and the relayer acts."""
        self.now += seconds
        self.follow()
        return relayer.step()

    def complete(
        self,
        agreement: OpenedAgreement,
        milestone: int,
        *,
        signers: Sequence[int] = (INSPECTOR,),
        verdict: Verdict = Verdict.ACCEPTED,
        amount: int | None = None,
        issued_at: int | None = None,
        valid_for: int = 30 * DAY,
        signatures: dict[str, bytes] | None = None,
    ) -> bytes:
        """A quorum has signed: what the intake leaves in the store. Returns the digest."""
        issued = self.escrow.now() if issued_at is None else issued_at
        full = AMOUNT if verdict is Verdict.ACCEPTED else 0
        what = Attestation(
            agreement.id,
            milestone,
            verdict,
            full if amount is None else amount,
            bytes(32),
            issued,
            issued + valid_for,
        )
        data = what.typed_data(self.escrow.domain)
        signed = signatures or {
            DevSigner(n).address: DevSigner(n).sign_typed_data(data) for n in signers
        }
        row = {name: getattr(what, name) for name in Attestation.__slots__}
        row |= {"digest": data.digest(), "received_at": self.now, "state": "complete"}
        with self.store.transaction() as connection:
            connection.execute(insert(t.attestations).values(**row, reason=""))
            for account, signature in signed.items():
                connection.execute(
                    insert(t.signatures).values(
                        digest=data.digest(),
                        signer=account,
                        signature=signature,
                        received_at=self.now,
                    )
                )
        return data.digest()

    def status(self, agreement: OpenedAgreement, milestone: int) -> Status:
        """On chain."""
        return self.escrow.states(agreement)[milestone].status

    def intents(self) -> list[Intent]:
        with self.store.reading() as connection:
            rows = connection.execute(select(t.intents).order_by(t.intents.c.id))
            return [read_intent(row) for row in rows]

    def attempts(self) -> list[SignedTransaction]:
        with self.store.reading() as connection:
            rows = connection.execute(select(t.attempts))
            found = [read_attempt(row) for row in rows]
        return sorted(found, key=lambda one: (one.sender, one.nonce, one.max_fee))

    def stages(self) -> list[str]:
        return [intent.stage.value for intent in self.intents()]

    def foreign(self, number: int = RELAYER, nonce: int | None = None, gwei: int = 5) -> str:
        """Somebody uses a relayer's key for something else; returns the hash."""
        key = DevSigner(number)
        fields = {
            "type": 2,
            "chainId": self.network.chain_id,
            "nonce": self.nonce(number) if nonce is None else nonce,
            "to": DevSigner(1).address,
            "value": 1,
            "data": b"",
            "gas": 21_000,
            "maxFeePerGas": gwei * 10**9,
            "maxPriorityFeePerGas": gwei * 10**9 // 2,
        }
        raw = key.sign_transaction(fields)
        return str(self.pool.request("eth_sendRawTransaction", ["0x" + raw.hex()]))

    def attest_by_hand(self, deal: OpenedAgreement, milestone: int) -> None:
        """Somebody else brings an attestation on chain, before anything else that waits; only
        what waits of theirs since blocks were undone comes first, and may be this very one."""
        own = bytes.fromhex(DevSigner(7).address[2:])
        if earlier := [one.hash for one in self.pool.waiting.values() if one.sender == own]:
            self.pool.mine(*earlier)
            if self.status(deal, milestone) is not Status.FUNDED:
                return

        def mined(params: Sequence[Any], truth: Callable[[], Any]) -> Any:
            self.pool.mine(params[0])
            return truth()

        node = Odd(self.pool, eth_getTransactionReceipt=mined)
        escrow = Escrow(node, self.network, self.escrow.contract, DevSigner(7))
        what = escrow.attestation(deal, milestone)
        signed = DevSigner(INSPECTOR).sign_typed_data(what.typed_data(escrow.domain))
        escrow.attest(deal, what, [signed])

    def nonce(self, number: int = RELAYER) -> int:
        """How many transactions of the account are mined."""
        asked = [DevSigner(number).address, "latest"]
        return int(self.pool.request("eth_getTransactionCount", asked), 16)

    def settle(self, relayer: Relayer, rounds: int = 12) -> None:
        """A healthy chain: everything is mined, and time goes on, until nothing is under way."""
        for _ in range(rounds):
            self.turn(relayer, 30)
            self.pool.mine()
