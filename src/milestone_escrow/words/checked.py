"""What `check` finds, in sentences: findings with their fixes, powers, what silence does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime
from fractions import Fraction
from typing import TypeAlias

from milestone_escrow.documents.check import finding_kinds as kinds
from milestone_escrow.documents.check.finding_kinds import FindingKind, Lack
from milestone_escrow.documents.check.report import (
    Actor,
    Caveat,
    Course,
    ExposurePoint,
    Finding,
    Leaving,
    Means,
    Move,
    Outcome,
    Play,
    Plays,
    Report,
    SilenceOf,
    Silent,
    Warned,
)
from milestone_escrow.documents.money import Denomination, format_amount, format_percent
from milestone_escrow.documents.when import format_date, format_duration, format_time, read_zone
from milestone_escrow.errors import assert_never
from milestone_escrow.protocol.terms import BPS
from milestone_escrow.words.listing import ranged
from milestone_escrow.words.messages import read_by, say, sentences

Advice: TypeAlias = tuple[str, str]
"""What is found, and the fix."""


@dataclass(frozen=True, slots=True)
class ReportTeller:
    """Puts a report into words, in its own money and time zone."""

    report: Report

    def amount(self, units: int) -> str:
        return format_amount(units, Denomination(self.report.symbol, self.report.decimals))

    def time(self, moment: int) -> str:
        return format_time(moment, read_zone(self.report.timezone))

    def day(self, moment: int) -> str:
        return format_date(datetime.fromtimestamp(moment, read_zone(self.report.timezone)).date())

    def duration(self, seconds: int) -> str:
        return format_duration(seconds)

    def rule(self, field: str) -> str:
        return field.replace("_", " ")

    def date(self, day: date) -> str:
        return format_date(day)

    def share(self, share: Fraction) -> str:
        return format_percent(share)

    def bps(self, share: int) -> str:
        return format_percent(Fraction(share, BPS))

    def finding(self, finding: Finding) -> Advice:
        text, fix = _advice(_Said(finding.kind, self), finding.kind)
        if finding.others:
            text = say(
                "{text}; the same of {milestones}", text=text, milestones=ranged(finding.others)
            )
        return text, fix

    def means(self, actor: Actor) -> str:
        """By what somebody can cause a payment or a refund."""
        return _means(_Said(actor, self), actor)

    def name(self, silence: SilenceOf) -> str:
        match silence.who:
            case Silent.VERIFIERS:
                return say("all verifiers")
            case Silent.EVERYBODY:
                return say("everybody")
        return silence.name

    def silence(self, silence: SilenceOf) -> str:
        """What somebody's silence leads to."""
        return sentences(*_silence(_Said(silence, self), silence))

    def outcome(self, outcome: Outcome) -> str:
        """What a milestone comes to."""
        payee, buyer = self.report.supplier, self.report.buyer
        return _outcome(_Said(outcome, self, {"payee": payee, "buyer": buyer}), outcome)

    def play(self, play: Play) -> str:
        """What an act leads to if everybody is silent after it."""
        due = (_leaving(_Said(one, self), one) for one in play.due)
        return say(
            "{move}: {payments}", move=_move(_Said(play, self), play), payments="; ".join(due)
        )

    def latest(self, plays: Plays) -> str:
        return _Said(plays, self).one(
            "whatever anybody does without the other's consent: all has left after {latest:day}"
        )

    def caveat(self, caveat: Caveat) -> str:
        return say(
            "{milestones}: {text}",
            milestones=ranged(caveat.milestones),
            text=_caveat(_Said(caveat, self), caveat),
        )

    def event(self, point: ExposurePoint) -> str:
        if point.is_payment:
            return say("{milestone} is paid", milestone=point.milestone)
        return say("{milestone} is due", milestone=point.milestone)


@dataclass(frozen=True, slots=True)
class _Said:
    """Messages about one thing that was found, whose fields are their parts."""

    thing: object
    teller: ReportTeller
    more: Mapping[str, object] = field(default_factory=dict)

    def one(self, message: str, /) -> str:
        names = (one.name for one in fields(self.thing))  # type: ignore[arg-type]
        known = {name: getattr(self.thing, name) for name in names}
        return say(message, **read_by(self.teller, known), **self.more)

    def say(self, what: str, fix: str, /) -> Advice:
        return self.one(what), self.one(fix)


def _means(s: _Said, actor: Actor) -> str:
    match actor.means:
        case Means.FUNDING:
            return say("by funding it: a deposit is paid at once")
        case Means.APPROVING:
            return say("by approving, in full or in part")
        case Means.ACCEPTING:
            return say("by accepting")
        case Means.OWN_VERIFIER:
            return say("by a verifier's account of its own")
        case Means.SUBMITTING:
            return s.one("by submitting, unless the buyer objects within {period:duration}")
        case Means.PAID_IN_TIME:
            return s.one("after {at:time}, unless the buyer objects before")
        case Means.PAID_UNLESS_SPOKEN:
            return s.one(
                "after {at:time}, unless the buyer objects or the verifiers decide before: then "
                "only what they certify"
            )
        case Means.DISPUTING:
            return s.one(
                "by disputing before the deadline: {share:bps} if the arbiter stays silent"
            )
        case Means.GIVING_BACK:
            return say("by giving back, in full or in part")
        case Means.REJECTING:
            return s.one("by rejecting, after {period:duration}, unless the supplier disputes it")
        case Means.REJECTING_FOR_GOOD:
            return s.one("by rejecting, after {period:duration}")
        case Means.REFUNDED_IN_TIME:
            return s.one("after {at:time}, if nothing is proven before")
        case Means.OBJECTING if actor.alone:
            return s.one("by objecting in time: {share:bps} goes back because nobody can rule")
        case Means.OBJECTING:
            return s.one("by objecting in time: {share:bps} goes back if the arbiter stays silent")
    assert_never(actor.means)


def _silence(s: _Said, silence: SilenceOf) -> Iterator[str]:
    match silence.who:
        case Silent.BUYER:
            yield say(
                "What is funded goes on without the buyer; what is not funded need not be "
                "worked on."
            )
        case Silent.SUPPLIER:
            yield say("Work that is not done is not proven, and the clock decides.")
            if silence.silence_pays:
                yield say("Where silence pays, the buyer must object before the date.")
            if silence.deposits:
                yield s.one("A deposit of {deposits:amount} is with the supplier already.")
        case Silent.VERIFIER:
            if silence.others:
                others = ", ".join(silence.others)
                yield say("The other verifiers suffice for {milestones}.", milestones=others)
            if silence.outcomes:
                yield say(
                    "The buyer can still approve, and the clock decides where nobody else can "
                    "certify."
                )
            elif not silence.others:
                yield say("Nothing changes: no milestone names this verifier.")
        case Silent.VERIFIERS:
            yield say("The buyer can still approve; otherwise the clock decides.")
        case Silent.ARBITER:
            yield say("A verdict of the verifiers stands.")
            yield say("A dispute without a verdict is shared as agreed.")
        case Silent.EVERYBODY:
            yield say("Time alone settles every funded milestone; what is not funded never moves.")
        case who:
            assert_never(who)


def _outcome(s: _Said, outcome: Outcome) -> str:
    match outcome.course:
        case Course.UNFUNDED:
            return say("is not paid, because nobody funds it")
        case Course.FUNDED:
            return s.one("pays {to_payee:amount} as soon as it is funded")
        case Course.ACCEPTED if not outcome.wait:
            return s.one("pays {to_payee:amount} at once after {verified_by} accepted")
        case Course.ACCEPTED:
            return s.one("pays {to_payee:amount} {wait:duration} after {verified_by} accepted")
        case Course.SUBMITTED:
            return s.one("pays {to_payee:amount} {wait:duration} after it is submitted")
        case Course.CLOCK:
            return _split(s, outcome)
        case Course.DISPUTE:
            return say("disputed before a verdict, {split}", split=_split(s, outcome))
    assert_never(outcome.course)


def _split(s: _Said, outcome: Outcome) -> str:
    if outcome.to_payee and outcome.to_buyer:
        return s.one("pays {to_payee:amount} to {payee}, {to_buyer:amount} back after {at:time}")
    if outcome.to_payee:
        return s.one("pays {to_payee:amount} to {payee} after {at:time}")
    return s.one("returns {to_buyer:amount} to {buyer} after {at:time}")


def _move(s: _Said, play: Play) -> str:
    match play.move:
        case Move.CERTIFIED:
            return s.one("{part} % certified by {verified_by}, nobody objects")
        case Move.REJECTED:
            return s.one("rejected by {verified_by}, nobody objects")
        case Move.SUBMITTED:
            return say("submitted, nobody objects")
        case Move.NOTHING:
            return say("nobody does anything")
        case Move.CERTIFIED_DISPUTED:
            return s.one("{part} % certified, the {objector} disputes it, the arbiter is silent")
        case Move.REJECTED_DISPUTED:
            return s.one("rejected, the {objector} disputes it, the arbiter is silent")
        case Move.SUBMITTED_DISPUTED:
            return s.one("submitted, the {objector} disputes it, nobody decides")
        case Move.DISPUTED:
            return s.one("the {objector} disputes before any decision, nobody decides")
    assert_never(play.move)


def _leaving(s: _Said, due: Leaving) -> str:
    if due.at:
        when = s.one("after {at:day}")
    elif due.wait:
        when = s.one("{wait:duration} later")
    else:
        when = say("at once")
    s = replace(s, more={"when": when})
    if due.to_payee and due.to_buyer:
        return s.one("{to_payee:amount} paid and {to_buyer:amount} back {when}")
    if due.to_payee:
        return s.one("{to_payee:amount} paid {when}")
    return s.one("{to_buyer:amount} back {when}")


def _caveat(s: _Said, caveat: Caveat) -> str:
    match caveat.what:
        case Warned.REST_WAITS:
            return s.one(
                "what a certificate leaves open waits {period:duration} at least, even where "
                "nobody can object to it"
            )
        case Warned.NO_CORRECTION:
            return say(
                "after the deadline verifiers cannot correct what they decided; only a first "
                "decision on a submission or in a dispute still counts"
            )
        case Warned.REFUNDS_COUNT:
            return say(
                "a certificate states the sum so far, and what was given back to the buyer counts "
                "in it"
            )
        case Warned.ONLY_UNSPOKEN:
            return say(
                "silence pays only if verifiers never decided; after that only what they certify, "
                "so they should sign for days, not for years"
            )
        case Warned.HELD_UP:
            return say(
                "by disputing a submission the buyer can hold up its money until the deadline and "
                "the time for a ruling have passed"
            )
        case Warned.REST_TO_BUYER:
            return say(
                "without an arbiter, a submission that the buyer disputes after a part was "
                "certified sends the rest to the buyer"
            )
        case Warned.LATE_FUNDING:
            return say(
                "whoever can object to its date has only the time between its funding and that date"
            )
    assert_never(caveat.what)


def _advice(s: _Said, kind: FindingKind) -> Advice:
    match kind:
        case kinds.DatePast(due=None):
            return s.say("the deadline of '{milestone}' is past", "give it a date in the future")
        case kinds.DatePast():
            return s.say(
                "'{milestone}' is due on {due:date}, which is past", "give it a date in the future"
            )
        case kinds.DueBeforeDate():
            return s.say(
                "'{milestone}' is due on {due:date}, before the agreement's own date",
                "correct one of the two dates",
            )
        case kinds.TwoRoles():
            return s.say(
                "{role} has the same account as {other}", "give each role an account of its own"
            )
        case kinds.PayeeAlone():
            return s.say(
                "the supplier alone can certify '{milestone}' and be paid for it",
                "let somebody else verify it",
            )
        case kinds.KnownKey():
            return s.say(
                "the private key of {role}'s account is publicly known: anybody can sign as {name}",
                "replace it by an account whose key only they have",
            )
        case kinds.NoChecksum():
            return s.say(
                "the account of {role} is written without its checksum, so a mistyped character "
                "goes unnoticed",
                "write {account} after comparing it",
            )
        case kinds.ShortPeriod():
            return s.say(
                "the {field:rule} of {period:duration} fits into a weekend", "write 2 days or more"
            )
        case kinds.NoObjection():
            return s.say(
                "a certificate pays at once: the buyer cannot object",
                "write objection_period: 2 days if that is not meant",
            )
        case kinds.ObjectsBeforeDue(room=0):
            return s.say(
                "'{milestone}' is paid on its due date: the buyer must object before",
                "write pays_after: 5 days past due to leave time after it",
            )
        case kinds.ObjectsBeforeDue():
            return s.say(
                "'{milestone}' is paid right after it is due: the buyer must object before",
                "write pays_after: 5 days past due to leave time after it",
            )
        case kinds.ShortRefund(room=0):
            return s.say(
                "'{milestone}' goes back to the buyer at once after it is due, so work that is a "
                "little late is lost",
                "write refund_after: 30 days past due",
            )
        case kinds.ShortRefund():
            return s.say(
                "'{milestone}' goes back to the buyer {room:duration} after it is due, so work "
                "that is a little late is lost",
                "write refund_after: 30 days past due",
            )
        case kinds.ShortProof():
            return s.say(
                "'{milestone}' leaves {room:duration} after the due date to certify it, less "
                "than the objection period",
                "write refund_after: 30 days past due",
            )
        case kinds.WeakQuorum():
            return s.say(
                "{quorum} of {verifiers} is half or less: two groups of verifiers can certify "
                "the opposite of '{milestone}'",
                "write {majority} of {verifiers}",
            )
        case kinds.OnlyBuyer():
            return s.say(
                "only the buyer can let '{milestone}' be paid, and the buyer's silence refunds it",
                "name a verifier, or allow submissions with a review_period",
            )
        case kinds.UnusedVerifier():
            return s.say("{role} verifies no milestone", "name it in a verified_by, or remove it")
        case kinds.NoArbiter(back=0):
            return s.say(
                "there is no arbiter: a certificate cannot be disputed",
                "name an arbiter whom both sides trust",
            )
        case kinds.NoArbiter():
            return s.say(
                "there is no arbiter: by objecting, the buyer alone can take back {back:bps}",
                "name an arbiter whom both sides trust",
            )
        case kinds.ManyMilestones():
            return s.say(
                "{count} milestones are more than a wallet shows well when a party signs",
                "keep to {at_most}, or sign with a wallet that shows them all",
            )
        case kinds.LargeDeposit():
            return s.say("{share:share} of the price is paid before any work", "lower the deposit")
        case kinds.NoClauses():
            return s.say(
                "there are no clauses: delivery, termination, disputes and law are left open",
                "add clauses, or attach the contract",
            )
        case kinds.Vague():
            return _vague(s, kind.lack)
        case kinds.SupplierEvidence():
            return s.say(
                "'{milestone}' may be signed on nothing but what the supplier shows",
                "remove it, unless the buyer means that",
            )
        case kinds.OwnEvidence():
            return s.say(
                "all that must be shown for '{milestone}' comes from the supplier",
                "ask for a document or a statement of a verifier as well",
            )
        case kinds.WrongOrder():
            return s.say(
                "'{milestone}' comes after '{first}', but is due before it",
                "make it due on {due:date} or later",
            )
        case kinds.TermsRefused():
            return s.say("the contract would refuse it: {reason}", "correct it in the file")
        case kinds.UnknownToken():
            return s.say(
                "{symbol} is not one of the tokens that are known here, and nothing checks that it "
                "has {decimals} decimals",
                "see the token's page in the network's explorer before anybody signs",
            )
        case kinds.NoTaxId():
            return s.say(
                "VAT is stated, but not the tax number of the supplier who charges it",
                "add `tax_id: DE811234567`",
            )
        case kinds.NoAddress():
            return s.say(
                "VAT is stated, but {role} has no address for the invoice",
                "add `address: Street 1, 12345 Town, Country`, in quotes inside {{ }}",
            )
        case kinds.VatOnTop():
            return s.say(
                "VAT of {tax:amount} comes on top of the price: the contract neither holds nor "
                "pays it",
                "agree on how it is paid, or raise the price and write `19 %`",
            )
    assert_never(kind)


def _vague(s: _Said, lack: Lack) -> Advice:
    match lack:
        case Lack.REQUIREMENTS:
            return s.say("'{milestone}' says nothing about what must be shown", "add requires")
        case Lack.RESPONSIBLE:
            return s.say("'{milestone}' names nobody as responsible", "add responsible: supplier")
        case Lack.DUE:
            return s.say("'{milestone}' has no due date to work to", "add due: 2027-03-15")
        case Lack.TITLE:
            return s.say("'{milestone}' is only called '{title}'", "say what is finished")
    assert_never(lack)
