"""Whatever happens in whatever order, one key never signs two verdicts that could be played off.

Two services share a key and a store; the key may move to a second store and back by its file. They
are asked for any verdict at any time, killed at any step, and the chain moves on and reorganizes.
What was ever signed is collected outside of all that, and judged by a definition of its own.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import select

from milestone_escrow.errors import EscrowError
from milestone_escrow.oracle.signing import interchange
from milestone_escrow.oracle.signing.signer import GuardedSigner
from milestone_escrow.oracle.store import failpoints
from milestone_escrow.oracle.store import tables as t
from milestone_escrow.oracle.store.row_shapes import read_attestation
from milestone_escrow.oracle.store.store import Store
from milestone_escrow.protocol.acts import Attestation, Verdict
from milestone_escrow.protocol.eip712 import TypedData
from milestone_escrow.protocol.lifecycle import Status
from milestone_escrow.protocol.terms import DAY
from tests.oracle.conftest import DOMAIN
from tests.oracle.signing.people import AMOUNT, INSPECTOR, NOW, make_deal, put, set_head
from tests.oracle.signing.test_signer import STEPS, Killed, nothing_against_it

DEAL = make_deal(milestones=1)


class Witness:
    """The key, and a record of everything that it ever signed, which no crash can undo."""

    def __init__(self) -> None:
        self.address = INSPECTOR.address
        self.signed: list[dict[str, Any]] = []

    def sign_typed_data(self, data: TypedData) -> bytes:
        message = dict(data.message)
        if message not in self.signed:
            self.signed.append(message)
        return INSPECTOR.sign_typed_data(data)

    def sign_transaction(self, _: object) -> bytes:
        return b""


class OneKey(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.now = NOW
        self.witness = Witness()
        self.spent_since: dict[int, int] = {}
        template = self.folder / "0.db"
        first = Store.open(template, DOMAIN)
        put(first, DEAL)
        set_head(first)
        first.close()
        shutil.copy(template, self.folder / "1.db")
        self.stores = [Store.open(self.folder / f"{n}.db", DOMAIN) for n in range(2)]
        # The machine that the key is on now, and two services there.
        self.home = 0
        self.services = [self._service(), self._service()]
        self.services[0].start(NOW - DAY, declared_new=True)
        # Times of signing, and the time of the last verdict that was final on chain then.
        self.moments: list[tuple[int, int]] = []
        self.final = 0

    def teardown(self) -> None:
        failpoints.set_hook(None)
        for store in getattr(self, "stores", []):
            store.close()
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder)

    def _service(self) -> GuardedSigner:
        return GuardedSigner(
            self.stores[self.home],
            DOMAIN,
            self.witness,  # type: ignore[arg-type]
            why_not=nothing_against_it,
            verify_contract=lambda: None,
        )

    def _try(self, act: Callable[[], object], moment: str | None) -> None:
        def hook(name: str) -> None:
            if name == moment:
                raise Killed

        failpoints.set_hook(hook)
        try:
            act()
        except (EscrowError, Killed):
            pass
        finally:
            failpoints.set_hook(None)
        while len(self.moments) < len(self.witness.signed):
            self.moments.append((self.now, self.final))

    @rule(
        which=st.integers(0, 1),
        verdict=st.sampled_from(Verdict),
        part=st.sampled_from([1, 2, 3]),
        ago=st.sampled_from([0, 1, 60, 3600]),
        valid=st.sampled_from([60, DAY, 30 * DAY]),
        evidence=st.sampled_from([b"\x00" * 32, b"\x01" * 32]),
        moment=st.sampled_from([None, None, *STEPS]),
    )
    def ask(
        self,
        which: int,
        verdict: Verdict,
        part: int,
        ago: int,
        valid: int,
        evidence: bytes,
        moment: str | None,
    ) -> None:
        amount = AMOUNT * part // 3 if verdict is Verdict.ACCEPTED else 0
        issued = self.now - ago
        what = Attestation(DEAL.id, 0, verdict, amount, evidence, issued, issued + valid)
        self._try(lambda: self.services[which].sign(what, self.now), moment)

    @rule(
        which=st.integers(0, 1),
        evidence=st.sampled_from([b"\x00" * 32, b"\x01" * 32]),
        moment=st.sampled_from([None, *STEPS]),
    )
    def look(self, which: int, evidence: bytes, moment: str | None) -> None:
        service = self.services[which]
        self._try(lambda: service.attest(DEAL.id, 0, AMOUNT, evidence, self.now), moment)

    @rule(which=st.integers(0, 1), moment=st.sampled_from([None, *STEPS]))
    def restart(self, which: int, moment: str | None) -> None:
        self.services[which] = self._service()
        self._try(lambda: self.services[which].start(self.now), None)
        self._try(lambda: self.services[which].resume(self.now), moment)

    @rule(seconds=st.sampled_from([1, 59, 3600, DAY, 31 * DAY]))
    def wait(self, seconds: int) -> None:
        self.now += seconds
        self._tell_chain()

    @rule()
    def move_away(self) -> None:
        """Stop both, take the history along, go on with the other store."""
        with self.stores[self.home].reading() as connection:
            file = json.loads(json.dumps(interchange.export(connection, DOMAIN)))
        self.home = 1 - self.home
        with self.stores[self.home].transaction() as connection:
            interchange.import_(connection, interchange.read(file, DOMAIN), self.now)
        self.services = [self._service(), self._service()]

    @precondition(lambda self: self.witness.signed)
    @rule(data=st.data(), is_final=st.booleans())
    def chain_decides(self, data: st.DataObject, is_final: bool) -> None:
        """Somebody brings one of the signed verdicts on chain, later than what is there."""
        usable = [
            m for m in self.witness.signed if m["verdict"] != 3 and m["issuedAt"] > self.final
        ]  # type: ignore[operator]
        if not usable:
            return
        issued = int(data.draw(st.sampled_from(usable))["issuedAt"])  # type: ignore[call-overload]
        if is_final:
            self.final = issued
        self._tell_chain(issued, is_final)

    @rule()
    def chain_reorganizes(self) -> None:
        self._tell_chain()

    def _tell_chain(self, issued: int | None = None, is_final: bool = True) -> None:
        state = {"status": int(Status.REFUND_PENDING), "clock": 2**40}
        seen = self.final if issued is None else max(issued, self.final)
        for store in self.stores:
            DEAL.set_state(store, block=10 if is_final else 30, issued_at=seen, **state)
            set_head(store, time=self.now, final=20)

    @invariant()
    def never_two_that_could_be_played_off(self) -> None:
        signed = getattr(self, "witness", None)
        if signed is None:
            return
        for later, what in enumerate(signed.signed):
            at, final = self.moments[later]
            for before in signed.signed[:later]:
                assert before["issuedAt"] != what["issuedAt"], (before, what)
                assert before["issuedAt"] < what["issuedAt"], (before, what)
                usable = before["verdict"] != 3 and before["validUntil"] >= at
                if usable and before["issuedAt"] > final:
                    same = before["verdict"] == what["verdict"]
                    assert same, (before, what)
                    assert what["amount"] >= before["amount"], (before, what)

    @invariant()
    def everything_signed_is_written_down(self) -> None:
        if not hasattr(self, "stores"):
            return
        with self.stores[self.home].reading() as connection:
            rows = connection.execute(select(t.decisions)).mappings()
            known = [dict(read_attestation(row).message()) for row in rows]
        assert all(message in known for message in self.witness.signed)


TestOneKey = OneKey.TestCase
TestOneKey.settings = settings(max_examples=25, stateful_step_count=25)
