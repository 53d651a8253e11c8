"""A sentence and a way out for what tokens refuse with: errors and, for older ones, texts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from milestone_escrow.chain.contract.codec import Values
from milestone_escrow.chain.refusals.attempts import Attempt
from milestone_escrow.chain.refusals.sentences import Rule, Sentence

TOKEN_RULES: dict[str, Rule] = {}

# Error texts of older tokens, Circle's among them.
_TEXTS = (
    ("exceeds balance", "the payer has too few tokens", "top up the account"),
    ("exceeds allowance", "the contract may not take that many tokens", "allow the amount first"),
    ("blacklisted", "the token's issuer has denylisted one of the accounts", "use another account"),
    ("used or canceled", "the authorization was used or withdrawn", "ask the payer for a new one"),
    ("authorization is expired", "the authorization has expired", "ask the payer for a new one"),
    ("permit is expired", "the permit has expired", "sign a new one"),
    ("not yet valid", "the authorization does not count yet", "wait, or ask for another one"),
    ("invalid signature", "this is not the payer's signature", "ask the payer to sign again"),
    ("paused", "the token's issuer has paused all transfers", "try again once they are resumed"),
)


def _rule(name: str) -> Callable[[Rule], Rule]:
    def register(rule: Rule) -> Rule:
        TOKEN_RULES[name] = rule
        return rule

    return register


@_rule("ERC20InsufficientBalance")
def _balance(v: Values, a: Attempt) -> Sentence:
    has, needs = a.wording.amount(v["balance"]), a.wording.amount(v["needed"])
    return f"{a.wording.account(v['sender'])} has {has}, needed are {needs}", "top up the account"


@_rule("ERC20InsufficientAllowance")
def _allowance(v: Values, a: Attempt) -> Sentence:
    may, needs = a.wording.amount(v["allowance"]), a.wording.amount(v["needed"])
    return (
        f"{v['spender']} may take {may} from the payer, needed are {needs}",
        "the payer must allow the amount first",
    )


@_rule("Denylisted")
def _denylisted(v: Values, a: Attempt) -> Sentence:
    return (
        f"the token's issuer has denylisted {a.wording.account(v['account'])}",
        "pay from another account",
    )


@_rule("SafeERC20FailedOperation")
def _refused(v: Values, a: Attempt) -> Sentence:
    return f"the token at {v['token']} refused the payment", "check balance and allowance"


@_rule("Error")
def _text(v: Any, a: Attempt) -> Sentence:
    for part, sentence, way_out in _TEXTS:
        if part in v["text"].lower():
            return sentence, way_out
    return f"the contract or the token refused to {a.verb}: {v['text']}", ""


@_rule("ERC3009UsedAuthorization")
def _used(v: Values, a: Attempt) -> Sentence:
    payer = a.wording.account(v["authorizer"])
    return f"the authorization of {payer} was used or withdrawn", "ask for a new one"


@_rule("ERC3009InvalidAuthorizationTime")
def _not_now(v: Values, a: Attempt) -> Sentence:
    since, until = a.wording.time(v["validAfter"]), a.wording.time(v["validBefore"])
    return f"the authorization counts only between {since} and {until}", "ask for a new one"


@_rule("ERC3009InvalidSignature")
def _unsigned(v: Values, a: Attempt) -> Sentence:
    return "the payer did not sign this authorization", "ask the payer to sign it again"


@_rule("ERC2612ExpiredSignature")
def _permit_expired(v: Values, a: Attempt) -> Sentence:
    return f"the permit was valid until {a.wording.time(v['deadline'])}", "sign a new one"


@_rule("ERC2612InvalidSigner")
def _permit_unsigned(v: Values, a: Attempt) -> Sentence:
    owner = a.wording.account(v["owner"])
    return (
        f"the permit is not signed by {owner}, or was signed before the last one was used",
        "sign a new one",
    )
