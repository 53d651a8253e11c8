"""A sentence and a way out for what tokens refuse with: errors and, for older ones, texts."""

from __future__ import annotations

from collections.abc import Mapping

from milestone_escrow.words.refusals.case import Case, Rule, Told

# Error texts of older tokens, Circle's among them.
_TEXTS: Mapping[str, Rule] = {
    "exceeds balance": lambda c: c.say("the payer has too few tokens", "top up the account"),
    "exceeds allowance": lambda c: c.say(
        "the contract may not take that many tokens", "allow the amount first"
    ),
    "blacklisted": lambda c: c.say(
        "the token's issuer has denylisted one of the accounts", "`escrow doctor` says which"
    ),
    "used or canceled": lambda c: c.say(
        "the authorization was used or withdrawn", "ask the payer for a new one"
    ),
    "authorization is expired": lambda c: c.say(
        "the authorization has expired", "ask the payer for a new one"
    ),
    "permit is expired": lambda c: c.say("the permit has expired", "sign a new one"),
    "not yet valid": lambda c: c.say(
        "the authorization does not count yet", "wait, or ask for another one"
    ),
    "invalid signature": lambda c: c.say(
        "the token does not take this as the payer's signature",
        "ask the payer to sign again; an account in which code runs (EIP-7702) pays by allowance",
    ),
    "paused": lambda c: paused(c),
}


def paused(c: Case) -> Told:
    return c.say("the token's issuer has paused all transfers", "try again once they are resumed")


def stopped(c: Case) -> Told:
    """What the issuer has stopped, and what helps: another account only where one is denylisted."""
    stops, contract = c.attempt.stops, c.attempt.contract
    if stops.everything:
        return paused(c)
    if contract in stops.accounts:
        return c.say(
            "the token's issuer has denylisted the escrow contract, {contract}",
            "no other account helps: none of this token goes in or out until the issuer lets it, "
            "so agree on another token",
            contract=contract,
        )
    who = stops.accounts[0]
    name = c.names.account(who)
    if who == c.attempt.sender:
        return c.say(
            "the token's issuer has denylisted {who}", "pay from another account", who=name
        )
    return c.say(
        "the token's issuer has denylisted {who}",
        "none of this token goes to or from that account until the issuer lets it",
        who=name,
    )


def _text(c: Case) -> Told:
    for part, rule in _TEXTS.items():
        if part in c["text"].lower():
            return rule(c)
    return c.say("the contract or the token refused to {verb}: {text}", "")


TOKENS: Mapping[str, Rule] = {
    "ERC20InsufficientBalance": lambda c: c.say(
        "{sender:account} has {balance:amount}, needed are {needed:amount}", "top up the account"
    ),
    "ERC20InsufficientAllowance": lambda c: c.say(
        "{spender} may take {allowance:amount} from the payer, needed are {needed:amount}",
        "the payer must allow the amount first",
    ),
    "Denylisted": lambda c: c.say(
        "the token's issuer has denylisted {account:account}", "pay from another account"
    ),
    "SafeERC20FailedOperation": lambda c: c.say(
        "the token at {token} refused the payment", "check balance and allowance"
    ),
    "Error": _text,
    "ERC3009UsedAuthorization": lambda c: c.say(
        "the authorization of {authorizer:account} was used or withdrawn", "ask for a new one"
    ),
    "ERC3009InvalidAuthorizationTime": lambda c: c.say(
        "the authorization counts only between {validAfter:time} and {validBefore:time}",
        "ask for a new one",
    ),
    "ERC3009InvalidSignature": lambda c: c.say(
        "the payer did not sign this authorization", "ask the payer to sign it again"
    ),
    "ERC2612ExpiredSignature": lambda c: c.say(
        "the permit was valid until {deadline:time}", "sign a new one"
    ),
    "ERC2612InvalidSigner": lambda c: c.say(
        "the permit is not signed by {owner:account}, or was signed before the last one was used",
        "sign a new one",
    ),
}
