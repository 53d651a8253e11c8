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
    is_time = _name(c["term"]) == "deadline"
    say_value = c.time if is_time else lambda field: str(c[field])
    # What a change order amends is known here, what it amends it to is not.
    new = c.verb == "amend"
    return (
        say(
            "{milestone}: {term} is {asked}, allowed are {low} to {high}",
            milestone=say("new milestone {index}", index=c["milestone"])
            if new
            else c.milestone("milestone"),
            term=_name(c["term"]),
            asked=say_value("asked"),
            low=say_value("atLeast"),
            high=say_value("atMost"),
        ),
        say("the agreement must be changed and signed again"),
    )


def _role(c: Case) -> Told:
    role, account = _name(c["role"]), c.account("account")
    if role == "assignee":
        return (
            say(
                "{account} cannot own the payout of {milestone}: only who decides nothing about it",
                account=account,
                milestone=c.tried,
            ),
            say("hand it to an account that is no verifier, no arbiter and not the contract"),
        )
    if c.verb == "amend" and role in ("buyer", "supplier", "token"):
        return (
            say("a change order keeps the {role}, but names {account}", role=role, account=account),
            say("for another one, make a new agreement"),
        )
    return (
        say("{account} cannot be the {role}", account=c["account"], role=role),
        say("a role needs an account of its own: not zero, not the contract, no second role"),
    )


def _unknown(c: Case) -> Told:
    if not c["asked"]:
        return say("no milestone was chosen"), say("name at least one that is not funded yet")
    wrong = ", ".join(str(i) for i in indices(c["asked"]) if i >= c["count"])
    return (
        say("there is no milestone {indices}", indices=wrong),
        say("the agreement has {count}, counted from 0", count=c["count"]),
    )


def _status(c: Case) -> Told:
    current, milestone = Status(c["current"]), c.milestone("milestone")
    if current is Status.UNFUNDED:
        return (
            say(
                "{milestone} is not funded, there is nothing to {verb}",
                milestone=milestone,
                verb=c.verb,
            ),
            say("fund it first with `fund`"),
        )
    message = say(
        "{milestone} is {status}, but `{verb}` needs {allowed}",
        milestone=milestone,
        status=status_words(current),
        verb=c.verb,
        allowed=statuses_words(c["allowed"]),
    )
    if current is Status.SETTLED:
        return message, say("it is final: nothing more can happen to it")
    if c.verb == "rule":
        return message, say("the arbiter rules only on what a party has disputed")
    if c.verb == "fund":
        return message, say("choose one that is not funded yet")
    if c.verb in ("assign", "buy"):
        return message, say("wait until it is decided")
    return message, c.clock


def _too_late(c: Case) -> Told:
    message = say(
        "the time to {verb} {milestone} ended on {end}, it is {now}",
        verb=c.verb,
        milestone=c.tried,
        end=c.time("end"),
        now=c.time("nowAt"),
    )
    if c.verb in ("fund", "open", "amend"):
        return message, say("agree on new dates and sign again")
    return message, say("now only the clock decides: anyone can `finalize`")


def _too_early(c: Case) -> Told:
    step = c.silence()
    return (
        say("the window is open until {end}, nothing to finalize before", end=c.time("end")),
        say("then `finalize` pays {split}", split=step[1]) if step else say("wait until then"),
    )


def _not_authorized(c: Case) -> Told:
    owner, milestone = c.account("allowed"), c.tried
    if c["allowed"] == ZERO_ADDRESS:
        return say("nobody may {verb} here: the agreement has no arbiter", verb=c.verb), c.clock
    match c.verb:
        case "submit":
            message = say(
                "only the payee submits {milestone}: {owner}", milestone=milestone, owner=owner
            )
        case "approve":
            message = say(
                "only the buyer approves {milestone}: {owner}", milestone=milestone, owner=owner
            )
        case "refund":
            message = say("only the payee gives money back: {owner}", owner=owner)
        case "rule":
            message = say(
                "only the arbiter rules on {milestone}: {owner}", milestone=milestone, owner=owner
            )
        case "assign":
            message = say(
                "only the payee hands {milestone} on: {owner}", milestone=milestone, owner=owner
            )
        case "buy":
            message = say("this offer is for one buyer only: {owner}", owner=owner)
        case "dispute":
            message = say(
                "only the one it goes against may dispute {milestone} now: {owner}",
                milestone=milestone,
                owner=owner,
            )
        case "amend":
            return (
                say("this change order also needs the consent of {owner}", owner=owner),
                say("add that signature"),
            )
        case "settle":
            return (
                say("this split also needs the consent of {owner}", owner=owner),
                say("add that account's signature"),
            )
        case verb:
            message = say(
                "only {owner} may {verb} {milestone}, not {caller}",
                owner=owner,
                verb=verb,
                milestone=milestone,
                caller=c["caller"],
            )
    return message, c.clock


def _mismatch(c: Case) -> Told:
    if c["agreementId"] != c["expectedId"]:
        return say("the attestation speaks about another agreement"), say("attest this one")
    return (
        say(
            "the attestation speaks about {named}, not {expected}",
            named=c.milestone("milestone"),
            expected=c.milestone("expectedMilestone"),
        ),
        say("attest the right milestone"),
    )


def _issued(c: Case) -> Told:
    issued = c.time("issuedAt")
    if c["issuedAt"] <= c["after_"]:
        return (
            say(
                "this attestation of {issued} is not newer than that of {last}",
                issued=issued,
                last=c.time("after_"),
            ),
            say("sign a new one"),
        )
    return (
        say(
            "the attestation is from the future: {issued}, it is {now}",
            issued=issued,
            now=c.time("atMost"),
        ),
        say("check the signer's clock"),
    )


def _amount(c: Case) -> Told:
    asked, low, high = c.amount("asked"), c.amount("atLeast"), c.amount("atMost")
    if c.verb == "buy":
        return (
            say(
                "the price is {asked}, allowed are {low} to {high}", asked=asked, low=low, high=high
            ),
            say("ask for another offer"),
        )
    if not c["atMost"]:
        return (
            say("a rejection certifies nothing, not {asked}", asked=asked),
            say("sign it with amount 0"),
        )
    return (
        say("{asked} is certified, allowed are {low} to {high}", asked=asked, low=low, high=high),
        say("the certified amount counts from the start and must exceed what was paid"),
    )


def _quorum(c: Case) -> Told:
    if not c["quorum"]:
        return (
            say("{milestone} has no verifiers, so nobody can attest it", milestone=c.tried),
            c.clock,
        )
    return (
        say(
            "{signers} of {quorum} needed verifiers have signed",
            signers=c["signers"],
            quorum=c["quorum"],
        ),
        say("collect the other signatures of the same attestation"),
    )


def _split(c: Case) -> Told:
    asked, low, high = c.amount("asked"), c.amount("atLeast"), c.amount("atMost")
    if c["atLeast"] == c["atMost"]:
        return (
            say(
                "{asked} is split, but it must be all that is held: {held}", asked=asked, held=high
            ),
            say("split all of it"),
        )
    return (
        say("{asked} is split, allowed are {low} to {high}", asked=asked, low=low, high=high),
        say("{held} is held", held=high),
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
            reason = say("panic code {code}", code=f"{code:#x}")
    return (
        say("the contract or the token failed to {verb}: {reason}", verb=c.verb, reason=reason),
        "",
    )


def _name(word: bytes) -> str:
    """A field's name, out of 32 bytes."""
    return word.rstrip(b"\0").decode("ascii", "replace")


CONTRACT: Mapping[str, Rule] = {
    "AgreementNotOpen": lambda c: (
        say("this agreement is not open on this contract"),
        say("open it first, or check that the file is the one that both parties signed"),
    ),
    "TermOutOfBounds": lambda c: (
        say(
            "{term} is {asked}, allowed are {low} to {high}",
            term=_name(c["term"]),
            asked=c["asked"],
            low=c["atLeast"],
            high=c["atMost"],
        ),
        say("the agreement must be changed and signed again"),
    ),
    "MilestoneOutOfBounds": _milestone,
    "RoleNotAllowed": _role,
    "UnknownMilestones": _unknown,
    "WrongStatus": _status,
    "TooLate": _too_late,
    "TooEarly": _too_early,
    "NotAuthorized": _not_authorized,
    "InvalidSignature": lambda c: (
        say("this is not a signature of {signer}", signer=c.account("signer")),
        say("sign again with that account's key, for this network and this contract"),
    ),
    "SignatureExpired": lambda c: (
        say(
            "what was signed was valid until {until}, it is {now}",
            until=c.time("validUntil"),
            now=c.time("nowAt"),
        ),
        say("sign again"),
    ),
    "AttestationMismatch": _mismatch,
    "VerdictNotAllowed": lambda c: (
        say("only accepting and rejecting verdicts change anything on chain"),
        say("a return for rework is shown to people and not sent"),
    ),
    "IssuedAtOutOfBounds": _issued,
    "AmountOutOfBounds": _amount,
    "SignersNotAllowed": lambda c: (
        say("one of the signers does not verify {milestone}", milestone=c.tried),
        say("use signatures of this milestone's verifiers only"),
    ),
    "QuorumNotReached": _quorum,
    "SignatureCountMismatch": lambda c: (
        say(
            "{signatures} signatures for {signers} signers",
            signatures=c["signatures"],
            signers=c["signers"],
        ),
        say("give one for each"),
    ),
    "SubmissionsOff": lambda c: (
        say("submissions are off in this agreement (its review period is off)"),
        c.clock,
    ),
    "NoArbiter": lambda c: (
        say("this dispute would need an arbiter, and the agreement has none"),
        c.clock,
    ),
    "SplitOutOfBounds": _split,
    "TokenWithoutCode": lambda c: (
        say("there is no token at {token} on this network", token=c["token"]),
        say("check the agreement's network"),
    ),
    "InexactTransfer": lambda c: (
        say(
            "the token delivered {received} where {asked} was paid in",
            received=c.amount("received"),
            asked=c.amount("asked"),
        ),
        say("tokens that tax transfers cannot be used"),
    ),
    "GasTooLow": lambda c: (
        say(
            "{available} gas was left for a payout, {needed} is needed",
            available=c["available"],
            needed=c["needed"],
        ),
        say("send more gas"),
    ),
    "VerifiersDiffer": lambda c: (
        say("item {item} of the batch has other verifiers than the first", item=c["item"]),
        say("put agreements with the same verifiers into one batch"),
    ),
    "OfferOutdated": lambda c: (
        say(
            "{milestone} has changed since the offer was signed: it held {then}, now {now}",
            milestone=c.tried,
            then=c.amount("held"),
            now=c.amount("heldNow"),
        ),
        say("ask the payee for a new offer"),
    ),
    "NothingCredited": lambda c: (
        say("nothing waits for {account}", account=c.account("account")),
        say("payouts arrive by themselves; only one that failed waits here"),
    ),
    "WithdrawalFailed": lambda c: (
        say(
            "{account} still cannot receive {amount}",
            account=c.account("account"),
            amount=c.amount("amount"),
        ),
        say("it stays credited; try again later"),
    ),
    "Panic": _panic,
}
