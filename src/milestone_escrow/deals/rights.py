"""Who may use a verb, and the words in which anybody else is told."""

from __future__ import annotations

from dataclasses import dataclass

from milestone_escrow.errors import LifecycleError
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.lifecycle import Role, Verb, disputing_role
from milestone_escrow.protocol.receivables import ASSIGNABLE
from milestone_escrow.words.standing import Standing, holders, only, possible, require, status


@dataclass(frozen=True, slots=True)
class Right:
    """A verb in the hands of a role. `doing` and `does` complete sentences: "it cannot be ruled
    on", "only the arbiter rules on it"."""

    verb: Verb
    role: Role
    doing: str
    does: str

    def require(self, standing: Standing) -> None:
        """Refuse a milestone with which nobody of that role can do this now.

        Raises:
            LifecycleError: with what is possible instead.
        """
        require(standing, self.verb, self.role, doing=self.doing)

    def require_of(self, standing: Standing, *accounts: Address) -> None:
        """Refuse accounts of which none has the right.

        Raises:
            LifecycleError: with who has.
        """
        require_holder(standing, self.role, self.does, *accounts)


SUBMIT = Right(Verb.SUBMIT, Role.PAYEE, "submitted", "submits")
ATTEST = Right(Verb.ATTEST, Role.VERIFIERS, "attested", "attests it")
RULE = Right(Verb.RULE, Role.ARBITER, "ruled on", "rules on it")
APPROVE = Right(Verb.RESOLVE, Role.BUYER, "approved", "approves it")
REFUND = Right(Verb.RESOLVE, Role.PAYEE, "given back", "gives money back")
SETTLE = Right(Verb.RESOLVE, Role.BUYER, "settled", "settles it")
FINALIZE = Right(Verb.FINALIZE, Role.ANYONE, "finalized", "")
FUND = Right(Verb.FUND, Role.ANYONE, "funded", "")


def dispute_of(standing: Standing) -> Right:
    """Whoever the milestone is about to go against may dispute it."""
    role = disputing_role(standing.milestone, standing.state) or Role.BUYER
    return Right(Verb.DISPUTE, role, "disputed", "may dispute it now")


def require_holder(standing: Standing, role: Role, does: str, *accounts: Address) -> None:
    """Refuse accounts of which none has that role in the milestone.

    Raises:
        LifecycleError: with who has.
    """
    allowed = holders(standing, role)
    if allowed and not set(allowed).intersection(accounts):
        raise only(standing, role, does, accounts[0])


def require_assignable(standing: Standing) -> None:
    """Refuse a milestone whose payout cannot change hands now.

    Raises:
        LifecycleError: with what is possible instead.
    """
    if standing.state.status in ASSIGNABLE and standing.now < standing.end:
        return
    raise LifecycleError(
        f"'{standing.key}' is {status(standing)}, its payout cannot change hands",
        hint=possible(standing),
    )
