"""Plays a story on an embedded chain: every step a verb, every silence a `finalize`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date

from milestone_escrow.chain.contract.client import Escrow
from milestone_escrow.chain.send.transactions import Receipt
from milestone_escrow.documents.agreement import Agreement, BoundAgreement
from milestone_escrow.documents.files.collected import words_hash, words_of
from milestone_escrow.documents.files.signed_act import reason_hash
from milestone_escrow.documents.files.signed_agreement import SignedAgreement
from milestone_escrow.documents.when import DAY
from milestone_escrow.errors import EscrowError, UsageError
from milestone_escrow.protocol.acts import Attestation, Resolution, Verdict
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.lifecycle import Split, State, Status, held
from milestone_escrow.sandbox.cast import Cast
from milestone_escrow.sandbox.evidence import Cabinet, EvidenceDesk
from milestone_escrow.sandbox.moments import TimeUp, moment_after, opening_of
from milestone_escrow.sandbox.shares import part_of, split_of
from milestone_escrow.sandbox.silence import Due, dues
from milestone_escrow.sandbox.story import ANYONE, Step, Story, Verb
from milestone_escrow.sandbox.timeline import Beat
from milestone_escrow.sandbox.world import World
from milestone_escrow.words.listing import counted, listed
from milestone_escrow.words.silence import silent

VALID_FOR = 7 * DAY
PARTIES = ("buyer", "supplier")


@dataclass
class Player:
    """One story on one world. `play` yields what happens; `books.close` adds it up afterwards.

    Attributes:
        decided: by milestone, what has decided it so far, in words.
        opening_balances: token units of everybody who pays or is paid, before anything happens.
    """

    agreement: Agreement
    story: Story
    world: World
    cabinet: Cabinet
    beats: list[Beat] = field(default_factory=list)
    decided: dict[str, list[str]] = field(default_factory=dict)
    opening_balances: dict[Address, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.bound: BoundAgreement = self.agreement.on(self.world.escrow)
        self.tell = Cast(self.bound)
        self.desk = EvidenceDesk(self.agreement, self.cabinet)
        self.states: tuple[State, ...] = tuple(State() for _ in self.bound.milestones)
        self.signatures: dict[Address, bytes] = {}
        self.is_open = False

    def play(self) -> Iterator[Beat]:
        """Everything that happens, in order.

        Raises:
            UsageError: the story asks for something that cannot happen.
        """
        for beat in self._beats():
            self.beats.append(beat)
            yield beat

    def _beats(self) -> Iterator[Beat]:
        yield from self._set_up()
        self.world.travel(opening_of(self.agreement.date, self.agreement.timezone))
        for step in self.story.steps:
            try:
                for key in step.milestones:
                    self.agreement.index(key)
                yield from self._until(self._time_of(step), step)
                yield from _STEPS[step.verb](self, step)
            except EscrowError as error:
                where = f"{self.story.file}:{step.line}: {step.verb.value}"
                raise UsageError(f"{where}: {error.message}", hint=error.hint) from error
        yield from self._until(None)

    # The beginning

    def _set_up(self) -> Iterator[Beat]:
        world, token, people = self.world, self.bound.token, self.agreement.people
        what = f"deploys the escrow contract and test {token.symbol}"
        yield Beat(world.now, "The demo", what, gas=world.deployment_gas)
        receipt = world.mint(people["buyer"], token, self.agreement.price)
        price = self.tell.names.amount(self.agreement.price)
        what = f"gives {self.tell.names.role('buyer')} {price} of test money"
        yield self._beat("The demo", what, receipt)
        fee_account = (self.bound.terms.fee_recipient,) if self.bound.terms.fee_bps else ()
        for account in (people["buyer"], people["supplier"], *fee_account):
            self.opening_balances[account] = world.balance(token, account)

    def _sign(self) -> Iterator[Beat]:
        agreement, tell = self.agreement, self.tell
        signed = SignedAgreement.start(self.bound)
        for role in PARTIES:
            signed = signed.sign(self.world.signer(agreement.people[role]))
        what = f"sign {agreement.reference} (agreement 0x{self.bound.id.hex()[:8]}…)"
        yield Beat(self.world.now, tell.people(PARTIES), what)
        others = [role for role in agreement.people if role not in PARTIES]
        for role in others:
            signed = signed.appoint(role, self.world.signer(agreement.people[role]))
        if others:
            what = f"{tell.does(others, 'confirm')} the role of {listed(others)}"
            yield Beat(self.world.now, tell.people(others), what)
        self.signatures = {agreement.people[role]: signed.signatures[role] for role in PARTIES}
        receipt = self._as("buyer").allow(self.bound.token.symbol, agreement.price)
        verb = tell.does(("buyer",), "let")
        what = f"{verb} the contract take {tell.names.amount(agreement.price)} when told to fund"
        yield self._beat(tell.names.role("buyer"), what, receipt)

    # Time

    def _time_of(self, step: Step) -> int:
        if step.when is None:
            return self.world.now
        own = step.milestones[0] if step.milestones else ""
        if isinstance(step.when, TimeUp):
            due = self._due(step.when.milestone or own)
            return max(due.step.at, self.world.now)
        days: dict[str, date] = {m.key: m.due for m in self.agreement.milestones if m.due}
        if own in days:
            days[""] = days[own]
        return moment_after(step.when, self.world.now, days, self.agreement.timezone)

    def _until(self, moment: int | None, step: Step | None = None) -> Iterator[Beat]:
        """Let time pass to `moment`, or to the end; what falls due on the way is finalized."""
        left = step.milestones[0] if step and step.verb is Verb.FINALIZE else None
        while due := self._next(moment, left):
            self.world.travel(due.step.at)
            yield self._finalize(due, ANYONE)
        if moment is not None:
            self.world.travel(moment)

    def _next(self, moment: int | None, left: str | None) -> Due | None:
        for due in dues(self.bound, self.states):
            key = self.agreement.milestones[due.milestone].key
            if key != left and (moment is None or due.step.at <= moment):
                return due
        return None

    def _due(self, key: str) -> Due:
        index = self.agreement.index(key)
        for due in dues(self.bound, self.states):
            if due.milestone == index:
                return due
        raise UsageError(f"nothing is held for '{key}', so no time runs")

    def _finalize(self, due: Due, who: str, note: str = "") -> Beat:
        key = self.agreement.milestones[due.milestone].key
        terms, milestone = self.bound.terms, self.bound.milestones[due.milestone]
        why = silent(terms, milestone, due.step.status, spoken=self._state(key).spoken)
        receipt = self._as(who).finalize(self.bound, due.milestone)
        self._decide(key, why)
        name = "Anyone" if who == ANYONE else self.tell.names.role(who)
        return self._beat(name, f"finalizes {key}: {why}", receipt, key, note)

    # Verbs

    def _fund(self, step: Step) -> Iterator[Beat]:
        if not self.is_open:
            yield from self._sign()
        milestones = self.agreement.milestones
        unfunded = tuple(m.key for m in milestones if self._state(m.key) == State())
        chosen = step.milestones or unfunded
        escrow, funds = self._as(step.by[0]), self.tell.does(step.by, "fund")
        if self.is_open:
            receipt = escrow.fund(self.bound, chosen)
        else:
            receipt = escrow.open(self.bound, self.signatures, chosen)
            funds = f"{self.tell.does(step.by, 'open')} the agreement and {funds}"
            self.is_open = True
        for key in chosen:
            if self.agreement.milestone(key).is_deposit:
                self._decide(key, "paid when funded")
        every = len(chosen) == len(milestones) > 1
        what = f"{funds} {f'all {len(chosen)} milestones' if every else listed(chosen)}"
        yield self._beat(self.tell.names.role(step.by[0]), what, receipt, note=step.note)

    def _hand_in(self, step: Step) -> Iterator[Beat]:
        key = step.milestones[0]
        files = self.desk.take(key, step.evidence, step.by)
        what = f"{self.tell.does(step.by, 'hand in')} {self.tell.files(files, key)}"
        yield Beat(self.world.now, self.tell.people(step.by), what, key, note=step.note)

    def _attest(self, step: Step) -> Iterator[Beat]:
        key, verdict = step.milestones[0], _VERDICTS[step.verb]
        who, planned = self.tell.people(step.by), self.agreement.milestone(key)
        files, lacks = self.desk.check(key, step.evidence, frozenset(step.by), self._settled())
        if files.files:
            found = "; ".join(lacks) or "nothing is missing"
            count = counted(len(files.files), "file")
            check = f"{self.tell.does(step.by, 'check')} {count} by SHA-256; {found}"
            yield Beat(self.world.now, who, check, key)
        if verdict is Verdict.ACCEPTED and lacks:
            raise UsageError(f"'{key}' is accepted although it is not shown: {'; '.join(lacks)}")
        amount = part_of(step.amount, planned.amount, self.bound.token)
        attestation = Attestation(
            agreement_id=self.bound.id,
            milestone=planned.index,
            verdict=verdict,
            amount=amount if verdict is Verdict.ACCEPTED else 0,
            evidence_hash=words_hash(words_of(files, step.reason)),
            issued_at=self.world.now,
            valid_until=self.world.now + VALID_FOR,
        )
        data = attestation.typed_data(self.bound.domain)
        accounts = [self._account(role) for role in step.by]
        signatures = {a: self.world.signer(a).sign_typed_data(data) for a in accounts}
        part = f" as {amount * 100 / planned.amount:g} % complete" if step.amount else ""
        what = f"{self.tell.does(step.by, _SAYS[verdict])} {key}{part}"
        if verdict is Verdict.RETURNED:
            what = f"{self.tell.does(step.by, 'return')} {key} for rework"
            yield Beat(self.world.now, who, f"{what}: {step.reason}", key, note=step.note)
            return
        receipt = self._as(step.by[0]).attest(self.bound, attestation, signatures)
        self._decide(key, f"certified by {who}" if verdict is Verdict.ACCEPTED else "rejected")
        yield self._beat(who, _because(what, step), receipt, key, step.note)

    def _submit(self, step: Step) -> Iterator[Beat]:
        key = step.milestones[0]
        files = self.desk.take(key, step.evidence, step.by)
        receipt = self._as(step.by[0]).submit(self.bound, key, words_hash(words_of(files)))
        what = f"{self.tell.does(step.by, 'submit')} {key} for review, with"
        what = f"{what} {counted(len(files.files), 'file')} as evidence"
        yield self._beat(self.tell.people(step.by), what, receipt, key, step.note)

    def _dispute(self, step: Step) -> Iterator[Beat]:
        key = step.milestones[0]
        receipt = self._as(step.by[0]).dispute(self.bound, key, reason_hash(step.reason))
        yield self._say(step, "dispute", receipt, "disputed")

    def _rule(self, step: Step) -> Iterator[Beat]:
        key, split = step.milestones[0], self._split(step)
        reason = reason_hash(step.reason)
        receipt = self._as(step.by[0]).rule(self.bound, key, split.to_payee, split.to_buyer, reason)
        yield self._say(step, "rule on", receipt, f"ruled by {self.tell.people(step.by)}")

    def _approve(self, step: Step) -> Iterator[Beat]:
        receipt = self._as(step.by[0]).approve(self.bound, step.milestones[0], self._part(step))
        yield self._say(step, "approve", receipt, "approved by the buyer")

    def _refund(self, step: Step) -> Iterator[Beat]:
        receipt = self._as(step.by[0]).refund(self.bound, step.milestones[0], self._part(step))
        part = "a part of " if step.amount else ""
        decided = "partly given back" if step.amount else "given back"
        yield self._say(step, f"give back {part}".strip(), receipt, decided)

    def _settle(self, step: Step) -> Iterator[Beat]:
        key, split, until = step.milestones[0], self._split(step), self.world.now + VALID_FOR
        index, state = self.agreement.index(key), self._state(key)
        rest = held(self.bound.milestones[index], state)
        resolution = Resolution(
            self.bound.id, index, split.to_payee, split.to_buyer, rest, state.epoch, until
        )
        supplier = self.world.signer(self.bound.terms.supplier)
        signature = supplier.sign_typed_data(resolution.typed_data(self.bound.domain))
        receipt = self._as("buyer").settle(
            self.bound,
            key,
            split.to_payee,
            split.to_buyer,
            signatures={supplier.address: signature},
            valid_until=until,
        )
        yield self._say(step, "settle", receipt, "settled by both sides")

    def _finalize_step(self, step: Step) -> Iterator[Beat]:
        yield self._finalize(self._due(step.milestones[0]), step.by[0], step.note)

    def _wait(self, step: Step) -> Iterator[Beat]:
        if step.note:
            yield Beat(self.world.now, "Time", "passes", note=step.note)

    # What the verbs share

    def _say(self, step: Step, verb: str, receipt: Receipt, decided: str) -> Beat:
        key = step.milestones[0]
        self._decide(key, decided)
        what = _because(f"{self.tell.does(step.by, verb)} {key}", step)
        return self._beat(self.tell.people(step.by), what, receipt, key, step.note)

    def _beat(self, who: str, what: str, receipt: Receipt, key: str = "", note: str = "") -> Beat:
        """A line about what was just sent; whoever sends changes states, so they are read again."""
        if self.is_open:
            self.states = self.world.escrow.states(self.bound)
        movements = tuple(m for event in receipt.events for m in self.tell.movements(event))
        outlook = "" if movements or not key else self.tell.outlook(key, self.states)
        return Beat(
            at=receipt.time,
            who=who,
            what=what,
            milestone=key,
            movements=movements,
            gas=receipt.gas_used,
            transaction=receipt.transaction,
            note="\n".join(line for line in (outlook, note) if line),
        )

    def _as(self, role: str) -> Escrow:
        return self.world.acting_as(self._account(role))

    def _account(self, role: str) -> Address:
        if role == ANYONE:
            return self.world.stranger.address
        if role not in self.agreement.people:
            known = ", ".join(self.agreement.people)
            raise UsageError(f"'{role}' has no role in the agreement", hint=f"known are {known}")
        return self.agreement.people[role]

    def _decide(self, key: str, words: str) -> None:
        found = self.decided.setdefault(key, [])
        if words not in found:
            found.append(words)

    def _settled(self) -> frozenset[str]:
        pairs = zip(self.agreement.milestones, self.states, strict=True)
        return frozenset(m.key for m, state in pairs if state.status is Status.SETTLED)

    def _state(self, key: str) -> State:
        return self.states[self.agreement.index(key)]

    def _held(self, key: str) -> int:
        return held(self.bound.milestones[self.agreement.index(key)], self._state(key))

    def _part(self, step: Step) -> int:
        return part_of(step.amount, self._held(step.milestones[0]), self.bound.token)

    def _split(self, step: Step) -> Split:
        assert step.supplier
        assert step.buyer
        whole = self._held(step.milestones[0])
        return split_of(whole, step.supplier, step.buyer, self.bound.token)


_VERDICTS = {
    Verb.ACCEPT: Verdict.ACCEPTED,
    Verb.REJECT: Verdict.REJECTED,
    Verb.RETURN: Verdict.RETURNED,
}
_SAYS = {Verdict.ACCEPTED: "accept", Verdict.REJECTED: "reject", Verdict.RETURNED: "return"}
_STEPS: dict[Verb, Callable[[Player, Step], Iterator[Beat]]] = {
    Verb.FUND: Player._fund,
    Verb.EVIDENCE: Player._hand_in,
    Verb.ACCEPT: Player._attest,
    Verb.RETURN: Player._attest,
    Verb.REJECT: Player._attest,
    Verb.SUBMIT: Player._submit,
    Verb.DISPUTE: Player._dispute,
    Verb.RULE: Player._rule,
    Verb.APPROVE: Player._approve,
    Verb.REFUND: Player._refund,
    Verb.SETTLE: Player._settle,
    Verb.FINALIZE: Player._finalize_step,
    Verb.WAIT: Player._wait,
}


def _because(what: str, step: Step) -> str:
    return f"{what}: {step.reason}" if step.reason else what
