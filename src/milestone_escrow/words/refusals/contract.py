"""A sentence and a way out for every custom error of the contract."""

from __future__ import annotations

from collections.abc import Mapping

from milestone_escrow.chain.contract.structs import indices
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS
from milestone_escrow.protocol.lifecycle import Status
from milestone_escrow.words.messages import say
from milestone_escrow.words.refusals.case import Case, Rule, Told
from milestone_escrow.words.refusals.statuses import status_words, statuses_words


def _milestone(c: Case) -> Told:
    # What a change order amends is known here, what it amends it to is not.
    index = c["milestone"]
    new = c.verb == "amend"
    which = say("new milestone {number}", number=index + 1) if new else c.names.milestone(index)
    term = _name(c["term"])
    if term == "deadline":
        return c.say(
            "{which}: deadline is {asked:time}, allowed are {atLeast:time} to {atMost:time}",
            "the agreement must be changed and signed again",
            which=which,
        )
    return c.say(
        "{which}: {name} is {asked}, allowed are {atLeast} to {atMost}",
        "the agreement must be changed and signed again",
        which=which,
        name=term,
    )


def _role(c: Case) -> Told:
    role = _name(c["role"])
    if role == "assignee":
        return c.say(
            "{account:account} cannot own the payout of {tried}: only who decides nothing about it",
            "hand it to an account that is no verifier, no arbiter and not the contract",
        )
    if c.verb == "amend" and role == "token":
        return c.say(
            "a change order keeps the {name}, but names {account:account}",
            "for another one, make a new agreement",
            name=role,
        )
    return c.say(
        "{account} cannot be the {name}",
        "a role needs an account of its own: not zero, not the contract, no second role",
        name=role,
    )


def _changed(c: Case) -> Told:
    if _name(c["what"]) in ("held", "carried"):
        return c.say(
            "{tried} has changed since this was signed: it held {signed:amount}, "
            "now {present:amount}",
            "have it written and signed again",
        )
    return c.say(
        "{tried} has changed since this was signed: somebody has decided about it",
        "have it written and signed again",
    )


def _unknown(c: Case) -> Told:
    if not c["asked"]:
        return c.say("no milestone was chosen", "name at least one that is not funded yet")
    wrong = ", ".join(str(i + 1) for i in indices(c["asked"]) if i >= c["count"])
    return c.say("there is no milestone {wrong}", "the agreement has {count}", wrong=wrong)


def _status(c: Case) -> Told:
    current = Status(c["current"])
    if current is Status.UNFUNDED:
        return c.say(
            "{milestone:milestone} is not funded, there is nothing to {verb}",
            "fund it first with `fund`",
        )
    way_out = c.clock
    if current is Status.SETTLED:
        way_out = say("it is final: nothing more can happen to it")
    elif c.verb == "rule":
        way_out = say("the arbiter rules only on what a party has disputed")
    elif c.verb == "fund":
        way_out = say("choose one that is not funded yet")
    elif c.verb in ("assign", "buy"):
        way_out = say("wait until it is decided")
    said, _ = c.say(
        "{milestone:milestone} is {status}, but `{verb}` needs {needed}",
        status=status_words(current),
        needed=statuses_words(c["allowed"]),
    )
    return said, way_out


def _too_late(c: Case) -> Told:
    late, _ = c.say("the time to {verb} {tried} ended on {end:time}, it is {nowAt:time}")
    if c.verb in ("fund", "open", "amend"):
        return late, say("agree on new dates and sign again")
    return late, say("now only the clock decides: anyone can `finalize`")


def _too_early(c: Case) -> Told:
    early, _ = c.say("the window is open until {end:time}, nothing to finalize before")
    if step := c.silence():
        return early, say("then `finalize` pays {split}", split=step[1])
    return early, say("wait until then")


def _not_authorized(c: Case) -> Told:
    if c["allowed"] == ZERO_ADDRESS:
        return c.say("nobody may {verb} here: the agreement has no arbiter")
    match c.verb:
        case "submit":
            return c.say("only the payee submits {tried}: {allowed:account}")
        case "approve":
            return c.say("only the buyer approves {tried}: {allowed:account}")
        case "refund":
            return c.say("only the payee gives money back: {allowed:account}")
        case "rule":
            return c.say("only the arbiter rules on {tried}: {allowed:account}")
        case "assign":
            return c.say("only the payee hands {tried} on: {allowed:account}")
        case "buy":
            return c.say("this offer is for one buyer only: {allowed:account}")
        case "dispute":
            return c.say("only the one it goes against may dispute {tried} now: {allowed:account}")
        case "amend":
            return c.say(
                "this change order also needs the consent of {allowed:account}",
                "add that signature",
            )
        case "settle":
            return c.say(
                "this split also needs the consent of {allowed:account}",
                "add that account's signature",
            )
    return c.say("only {allowed:account} may {verb} {tried}, not {caller}")


def _mismatch(c: Case) -> Told:
    if c["agreementId"] != c["expectedId"]:
        return c.say("the attestation speaks about another agreement", "attest this one")
    return c.say(
        "the attestation speaks about {milestone:milestone}, not {expectedMilestone:milestone}",
        "attest the right milestone",
    )


def _issued(c: Case) -> Told:
    if c["issuedAt"] <= c["after_"]:
        return c.say(
            "this attestation of {issuedAt:time} is not newer than that of {after_:time}",
            "sign a new one",
        )
    return c.say(
        "the attestation is from the future: {issuedAt:time}, it is {atMost:time}",
        "check the signer's clock",
    )


def _amount(c: Case) -> Told:
    if c.verb == "buy":
        return c.say(
            "the price is {asked:amount}, allowed are {atLeast:amount} to {atMost:amount}",
            "ask for another offer",
        )
    if not c["atMost"]:
        return c.say("a rejection certifies nothing, not {asked:amount}", "sign it with amount 0")
    return c.say(
        "{asked:amount} is certified, allowed are {atLeast:amount} to {atMost:amount}",
        "the certified amount counts from the start and must exceed what was paid",
    )


def _quorum(c: Case) -> Told:
    if not c["quorum"]:
        return c.say("{tried} has no verifiers, so nobody can attest it")
    return c.say(
        "{signers} of {quorum} needed verifiers have signed",
        "collect the other signatures of the same attestation",
    )


def _split(c: Case) -> Told:
    if c["atLeast"] == c["atMost"]:
        return c.say(
            "{asked:amount} is split, but it must be all that is held: {atMost:amount}",
            "split all of it",
        )
    return c.say(
        "{asked:amount} is split, allowed are {atLeast:amount} to {atMost:amount}",
        "{atMost:amount} is held",
    )


def _panic(c: Case) -> Told:
    match c["code"]:
        case 0x01:
            reason = say("an assertion failed")
        case 0x11:
            reason = say("a sum overflowed")
        case 0x32:
            reason = say("an index is out of range")
        case code:
            reason = say("panic code {code:#x}", code=code)
    return c.say("the contract or the token failed to {verb}: {reason}", "", reason=reason)


def _name(word: bytes) -> str:
    """A field's name, out of 32 bytes."""
    return word.rstrip(b"\0").decode("ascii", "replace")


CONTRACT: Mapping[str, Rule] = {
    "AgreementNotOpen": lambda c: c.say(
        "this agreement is not open on this contract",
        "open it first, or check that the file is the one that both parties signed",
    ),
    "TermOutOfBounds": lambda c: c.say(
        "{name} is {asked}, allowed are {atLeast} to {atMost}",
        "the agreement must be changed and signed again",
        name=_name(c["term"]),
    ),
    "MilestoneOutOfBounds": _milestone,
    "RoleNotAllowed": _role,
    "UnknownMilestones": _unknown,
    "WrongStatus": _status,
    "TooLate": _too_late,
    "TooEarly": _too_early,
    "NotAuthorized": _not_authorized,
    "InvalidSignature": lambda c: c.say(
        "this is not a signature of {signer:account}",
        "sign again with that account's key, for this network and this contract",
    ),
    "SignatureExpired": lambda c: c.say(
        "what was signed was valid until {validUntil:time}, it is {nowAt:time}", "sign again"
    ),
    "AttestationMismatch": _mismatch,
    "VerdictNotAllowed": lambda c: c.say(
        "only accepting and rejecting verdicts change anything on chain",
        "a return for rework is shown to people and not sent",
    ),
    "IssuedAtOutOfBounds": _issued,
    "AmountOutOfBounds": _amount,
    "SignersNotAllowed": lambda c: c.say(
        "one of the signers does not verify {tried}",
        "use signatures of this milestone's verifiers only",
    ),
    "QuorumNotReached": _quorum,
    "SignatureCountMismatch": lambda c: c.say(
        "{signatures} signatures for {signers} signers", "give one for each"
    ),
    "SubmissionsOff": lambda c: c.say(
        "submissions are off in this agreement (its review period is off)"
    ),
    "NoArbiter": lambda c: c.say("this dispute would need an arbiter, and the agreement has none"),
    "SplitOutOfBounds": _split,
    "TokenWithoutCode": lambda c: c.say(
        "there is no token at {token} on this network", "check the agreement's network"
    ),
    "InexactTransfer": lambda c: c.say(
        "the token delivered {received:amount} where {asked:amount} was paid in",
        "tokens that tax transfers cannot be used",
    ),
    "GasTooLow": lambda c: c.say(
        "{available} gas was left for a payout, {needed} is needed", "send more gas"
    ),
    "VerifiersDiffer": lambda c: c.say(
        "item {item} of the batch has other verifiers than the first",
        "put agreements with the same verifiers into one batch",
    ),
    "ChangedSince": _changed,
    "NothingCredited": lambda c: c.say(
        "nothing waits for {account:account}",
        "payouts arrive by themselves; only one that failed waits here",
    ),
    "WithdrawalFailed": lambda c: c.say(
        "{account:account} still cannot receive {amount:amount}",
        "it stays credited; try again later",
    ),
    "Panic": _panic,
}
