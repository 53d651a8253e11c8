"""A sentence and a way out for every custom error of the contract."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from milestone_escrow.chain.contract.codec import Values
from milestone_escrow.chain.contract.structs import indices
from milestone_escrow.chain.refusals.attempts import Attempt
from milestone_escrow.chain.refusals.wording import STATUS_WORDS, status_words
from milestone_escrow.protocol.lifecycle import Status

Sentence: TypeAlias = tuple[str, str]
Rule: TypeAlias = Callable[[Any, Attempt], Sentence]
RULES: dict[str, Rule] = {}

# Who a verb belongs to, for people who tried another's.
_OWNERS = {
    "submit": "only the payee submits {milestone}",
    "approve": "only the buyer approves {milestone}",
    "refund": "only the payee gives money back",
    "rule": "only the arbiter rules on {milestone}",
    "assign": "only the payee hands {milestone} on",
    "buy": "this offer is for one buyer only",
}
_PANICS = {0x01: "an assertion failed", 0x11: "a sum overflowed", 0x32: "an index is out of range"}


def _rule(name: str) -> Callable[[Rule], Rule]:
    def register(rule: Rule) -> Rule:
        RULES[name] = rule
        return rule

    return register


@_rule("AgreementNotOpen")
def _not_open(v: Values, a: Attempt) -> Sentence:
    return (
        "this agreement is not open on this contract",
        "open it first, or check that the file is the one that both parties signed",
    )


@_rule("TermOutOfBounds")
def _term(v: Values, a: Attempt) -> Sentence:
    asked, low, high = v["asked"], v["atLeast"], v["atMost"]
    return (
        f"{_name(v['term'])} is {asked}, allowed are {low} to {high}",
        "the agreement must be changed and signed again",
    )


@_rule("MilestoneOutOfBounds")
def _milestone(v: Values, a: Attempt) -> Sentence:
    name = _name(v["term"])
    say = a.wording.time if name == "deadline" else str
    asked, low, high = (say(v[key]) for key in ("asked", "atLeast", "atMost"))
    # What a change order amends is known here, what it amends it to is not.
    new = a.verb == "amend"
    which = f"new milestone {v['milestone']}" if new else a.wording.milestone(v["milestone"])
    return (
        f"{which}: {name} is {asked}, allowed are {low} to {high}",
        "the agreement must be changed and signed again",
    )


@_rule("RoleNotAllowed")
def _role(v: Values, a: Attempt) -> Sentence:
    role, account = _name(v["role"]), a.wording.account(v["account"])
    if role == "assignee":
        return (
            f"{account} cannot own the payout of {a.milestone}: only who decides nothing about it",
            "hand it to an account that is no verifier, no arbiter and not the contract",
        )
    if a.verb == "amend" and role in ("buyer", "supplier", "token"):
        return (
            f"a change order keeps the {role}, but names {account}",
            "for another one, make a new agreement",
        )
    return (
        f"{v['account']} cannot be the {role}",
        "a role needs an account of its own: not zero, not the contract, no second role",
    )


@_rule("UnknownMilestones")
def _unknown(v: Values, a: Attempt) -> Sentence:
    if not v["asked"]:
        return "no milestone was chosen", "name at least one that is not funded yet"
    wrong = ", ".join(str(i) for i in indices(v["asked"]) if i >= v["count"])
    return f"there is no milestone {wrong}", f"the agreement has {v['count']}, counted from 0"


@_rule("WrongStatus")
def _status(v: Values, a: Attempt) -> Sentence:
    current, allowed = Status(v["current"]), v["allowed"]
    name = a.wording.milestone(v["milestone"])
    if current is Status.UNFUNDED:
        return f"{name} is not funded, there is nothing to {a.verb}", "fund it first with `fund`"
    message = f"{name} is {STATUS_WORDS[current]}, but `{a.verb}` needs {status_words(allowed)}"
    if current is Status.SETTLED:
        return message, "it is final: nothing more can happen to it"
    if a.verb == "rule":
        return message, "the arbiter rules only on what a party has disputed"
    if a.verb == "fund":
        return message, "choose one that is not funded yet"
    if a.verb in ("assign", "buy"):
        return message, "wait until it is decided"
    return message, a.clock_hint()


@_rule("TooLate")
def _too_late(v: Values, a: Attempt) -> Sentence:
    until, now = a.wording.time(v["end"]), a.wording.time(v["nowAt"])
    message = f"the time to {a.verb} {a.milestone} ended on {until}, it is {now}"
    if a.verb in ("fund", "open", "amend"):
        return message, "agree on new dates and sign again"
    return message, "now only the clock decides: anyone can `finalize`"


@_rule("TooEarly")
def _too_early(v: Values, a: Attempt) -> Sentence:
    message = f"the window is open until {a.wording.time(v['end'])}, nothing to finalize before"
    step = a.silence()
    return message, f"then `finalize` pays {step[1]}" if step else "wait until then"


@_rule("NotAuthorized")
def _not_authorized(v: Values, a: Attempt) -> Sentence:
    owner = a.wording.account(v["allowed"])
    if int(v["allowed"], 16) == 0:
        return f"nobody may {a.verb} here: the agreement has no arbiter", a.clock_hint()
    if a.verb in _OWNERS:
        sentence = _OWNERS[a.verb].format(milestone=a.milestone)
        return f"{sentence}: {owner}", a.clock_hint()
    if a.verb == "amend":
        return f"this change order also needs the consent of {owner}", "add that signature"
    if a.verb == "settle":
        return f"this split also needs the consent of {owner}", "add that account's signature"
    if a.verb == "dispute":
        sentence = f"only the one it goes against may dispute {a.milestone} now: {owner}"
        return sentence, a.clock_hint()
    return f"only {owner} may {a.verb} {a.milestone}, not {v['caller']}", a.clock_hint()


@_rule("InvalidSignature")
def _signature(v: Values, a: Attempt) -> Sentence:
    return (
        f"this is not a signature of {a.wording.account(v['signer'])}",
        "sign again with that account's key, for this network and this contract",
    )


@_rule("SignatureExpired")
def _expired(v: Values, a: Attempt) -> Sentence:
    until, now = a.wording.time(v["validUntil"]), a.wording.time(v["nowAt"])
    return f"what was signed was valid until {until}, it is {now}", "sign again"


@_rule("AttestationMismatch")
def _mismatch(v: Values, a: Attempt) -> Sentence:
    if v["agreementId"] != v["expectedId"]:
        return "the attestation speaks about another agreement", "attest this one"
    named = a.wording.milestone(v["milestone"])
    expected = a.wording.milestone(v["expectedMilestone"])
    return f"the attestation speaks about {named}, not {expected}", "attest the right milestone"


@_rule("VerdictNotAllowed")
def _verdict(v: Values, a: Attempt) -> Sentence:
    return (
        "only accepting and rejecting verdicts change anything on chain",
        "a return for rework is shown to people and not sent",
    )


@_rule("IssuedAtOutOfBounds")
def _issued(v: Values, a: Attempt) -> Sentence:
    issued = a.wording.time(v["issuedAt"])
    if v["issuedAt"] <= v["after_"]:
        last = a.wording.time(v["after_"])
        return f"this attestation of {issued} is not newer than that of {last}", "sign a new one"
    now = a.wording.time(v["atMost"])
    return f"the attestation is from the future: {issued}, it is {now}", "check the signer's clock"


@_rule("AmountOutOfBounds")
def _amount(v: Values, a: Attempt) -> Sentence:
    asked, low, high = (a.wording.amount(v[key]) for key in ("asked", "atLeast", "atMost"))
    if a.verb == "buy":
        return f"the price is {asked}, allowed are {low} to {high}", "ask for another offer"
    if not v["atMost"]:
        return f"a rejection certifies nothing, not {asked}", "sign it with amount 0"
    return (
        f"{asked} is certified, allowed are {low} to {high}",
        "the certified amount counts from the start and must exceed what was paid",
    )


@_rule("SignersNotAllowed")
def _signers(v: Values, a: Attempt) -> Sentence:
    return (
        f"one of the signers does not verify {a.milestone}",
        "use signatures of this milestone's verifiers only",
    )


@_rule("QuorumNotReached")
def _quorum(v: Values, a: Attempt) -> Sentence:
    if not v["quorum"]:
        return f"{a.milestone} has no verifiers, so nobody can attest it", a.clock_hint()
    return (
        f"{v['signers']} of {v['quorum']} needed verifiers have signed",
        "collect the other signatures of the same attestation",
    )


@_rule("SignatureCountMismatch")
def _count(v: Values, a: Attempt) -> Sentence:
    return f"{v['signatures']} signatures for {v['signers']} signers", "give one for each"


@_rule("SubmissionsOff")
def _submissions(v: Values, a: Attempt) -> Sentence:
    return "submissions are off in this agreement (its review period is off)", a.clock_hint()


@_rule("NoArbiter")
def _no_arbiter(v: Values, a: Attempt) -> Sentence:
    return "this dispute would need an arbiter, and the agreement has none", a.clock_hint()


@_rule("SplitOutOfBounds")
def _split(v: Values, a: Attempt) -> Sentence:
    asked, low, high = (a.wording.amount(v[key]) for key in ("asked", "atLeast", "atMost"))
    if v["atLeast"] == v["atMost"]:
        return f"{asked} is split, but it must be all that is held: {high}", "split all of it"
    return f"{asked} is split, allowed are {low} to {high}", f"{high} is held"


@_rule("TokenWithoutCode")
def _token(v: Values, a: Attempt) -> Sentence:
    return f"there is no token at {v['token']} on this network", "check the agreement's network"


@_rule("InexactTransfer")
def _inexact(v: Values, a: Attempt) -> Sentence:
    asked, received = a.wording.amount(v["asked"]), a.wording.amount(v["received"])
    return (
        f"the token delivered {received} where {asked} was paid in",
        "tokens that tax transfers cannot be used",
    )


@_rule("GasTooLow")
def _gas(v: Values, a: Attempt) -> Sentence:
    return f"{v['available']} gas was left for a payout, {v['needed']} is needed", "send more gas"


@_rule("VerifiersDiffer")
def _differ(v: Values, a: Attempt) -> Sentence:
    return (
        f"item {v['item']} of the batch has other verifiers than the first",
        "put agreements with the same verifiers into one batch",
    )


@_rule("OfferOutdated")
def _outdated(v: Values, a: Attempt) -> Sentence:
    then, now = a.wording.amount(v["held"]), a.wording.amount(v["heldNow"])
    return (
        f"{a.milestone} has changed since the offer was signed: it held {then}, now {now}",
        "ask the payee for a new offer",
    )


@_rule("NothingCredited")
def _nothing(v: Values, a: Attempt) -> Sentence:
    return (
        f"nothing waits for {a.wording.account(v['account'])}",
        "payouts arrive by themselves; only one that failed waits here",
    )


@_rule("WithdrawalFailed")
def _withdrawal(v: Values, a: Attempt) -> Sentence:
    amount, account = a.wording.amount(v["amount"]), a.wording.account(v["account"])
    return f"{account} still cannot receive {amount}", "it stays credited; try again later"


@_rule("Panic")
def _panic(v: Values, a: Attempt) -> Sentence:
    reason = _PANICS.get(v["code"], f"panic code {v['code']:#x}")
    return f"the contract or the token failed to {a.verb}: {reason}", ""


def _name(word: bytes) -> str:
    """A field's name, out of 32 bytes."""
    return word.rstrip(b"\0").decode("ascii", "replace")
