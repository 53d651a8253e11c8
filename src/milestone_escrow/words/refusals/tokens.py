"""A sentence and a way out for what tokens refuse with: errors and, for older ones, texts."""

from __future__ import annotations

from collections.abc import Mapping

from milestone_escrow.words.messages import say
from milestone_escrow.words.refusals.case import Case, Rule, Told


def _text(c: Case) -> Told:
    """Error texts of older tokens, Circle's among them."""
    text = c["text"].lower()
    if "exceeds balance" in text:
        return say("the payer has too few tokens"), say("top up the account")
    if "exceeds allowance" in text:
        return say("the contract may not take that many tokens"), say("allow the amount first")
    if "blacklisted" in text:
        return (
            say("the token's issuer has denylisted one of the accounts"),
            say("use another account"),
        )
    if "used or canceled" in text:
        return (
            say("the authorization was used or withdrawn"),
            say("ask the payer for a new one"),
        )
    if "authorization is expired" in text:
        return say("the authorization has expired"), say("ask the payer for a new one")
    if "permit is expired" in text:
        return say("the permit has expired"), say("sign a new one")
    if "not yet valid" in text:
        return say("the authorization does not count yet"), say("wait, or ask for another one")
    if "invalid signature" in text:
        return say("this is not the payer's signature"), say("ask the payer to sign again")
    if "paused" in text:
        return (
            say("the token's issuer has paused all transfers"),
            say("try again once they are resumed"),
        )
    refused = say(
        "the contract or the token refused to {verb}: {text}", verb=c.verb, text=c["text"]
    )
    return refused, ""


TOKENS: Mapping[str, Rule] = {
    "ERC20InsufficientBalance": lambda c: (
        say(
            "{account} has {balance}, needed are {needed}",
            account=c.account("sender"),
            balance=c.amount("balance"),
            needed=c.amount("needed"),
        ),
        say("top up the account"),
    ),
    "ERC20InsufficientAllowance": lambda c: (
        say(
            "{spender} may take {allowance} from the payer, needed are {needed}",
            spender=c["spender"],
            allowance=c.amount("allowance"),
            needed=c.amount("needed"),
        ),
        say("the payer must allow the amount first"),
    ),
    "Denylisted": lambda c: (
        say("the token's issuer has denylisted {account}", account=c.account("account")),
        say("pay from another account"),
    ),
    "SafeERC20FailedOperation": lambda c: (
        say("the token at {token} refused the payment", token=c["token"]),
        say("check balance and allowance"),
    ),
    "Error": _text,
    "ERC3009UsedAuthorization": lambda c: (
        say("the authorization of {payer} was used or withdrawn", payer=c.account("authorizer")),
        say("ask for a new one"),
    ),
    "ERC3009InvalidAuthorizationTime": lambda c: (
        say(
            "the authorization counts only between {since} and {until}",
            since=c.time("validAfter"),
            until=c.time("validBefore"),
        ),
        say("ask for a new one"),
    ),
    "ERC3009InvalidSignature": lambda c: (
        say("the payer did not sign this authorization"),
        say("ask the payer to sign it again"),
    ),
    "ERC2612ExpiredSignature": lambda c: (
        say("the permit was valid until {until}", until=c.time("deadline")),
        say("sign a new one"),
    ),
    "ERC2612InvalidSigner": lambda c: (
        say(
            "the permit is not signed by {owner}, or was signed before the last one was used",
            owner=c.account("owner"),
        ),
        say("sign a new one"),
    ),
}
