"""Opening and paying in: each verb simulates, sends and waits.

What a verb means stands with its preparation, in `funding`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import wraps
from inspect import signature
from typing import Concatenate, ParamSpec

from milestone_escrow.chain.contract.acts import Acts
from milestone_escrow.chain.contract.reader import Reader
from milestone_escrow.chain.contract.structs import OpenAgreement
from milestone_escrow.chain.contract.token_support import Way
from milestone_escrow.chain.contract.verbs import NOBODY, MilestoneName, Verbs
from milestone_escrow.chain.node.landmarks import Landmarks
from milestone_escrow.chain.node.network import Network
from milestone_escrow.chain.node.rpc import Node
from milestone_escrow.chain.send.fees import AS_USUAL, Bid
from milestone_escrow.chain.send.transactions import Prepared, Receipt, Transactor
from milestone_escrow.errors import UsageError
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.paying import SignedAuthorization, SignedPermit
from milestone_escrow.protocol.signatures import Signer
from milestone_escrow.protocol.token import Token

P = ParamSpec("P")


def sent(
    verb: Callable[Concatenate[Verbs, P], Prepared],
) -> Callable[Concatenate[Payer, P], Receipt]:
    """The verb that prepares, signs, sends and waits, with what `verb` takes and says of itself."""

    @wraps(verb)
    def send(self: Payer, /, *args: P.args, **kwargs: P.kwargs) -> Receipt:
        return self.send(verb(self.prepare, *args, **kwargs))

    vars(send)["__signature__"] = signature(verb).replace(return_annotation="Receipt")
    return send


class Payer(Reader):
    """One contract, opened and paid in with the key of `signer`."""

    def __init__(
        self,
        node: Node,
        network: Network,
        contract: Address,
        signer: Signer | None = None,
        *,
        since: int = 0,
        bid: Bid = AS_USUAL,
        landmarks: Landmarks | None = None,
    ) -> None:
        super().__init__(node, network, contract, since=since, landmarks=landmarks)
        self.signer = signer
        self._bid = bid
        self._transactor = Transactor(node, network, contract, bid=bid)

    @property
    def acts(self) -> Acts:
        """Submissions, disputes, rulings, resolutions, assignments and offers, to be signed."""
        return Acts(self)

    @property
    def prepare(self) -> Verbs:
        """The verbs, simulated and priced for the signer, but not sent."""
        return self.prepare_for(self._signer().address)

    def prepare_for(self, sender: Address) -> Verbs:
        """The verbs as `sender` would send them; needs no key."""
        return Verbs(self, self._transactor, sender)

    def unsimulated(self) -> AbstractContextManager[None]:
        """Within this, `prepare` takes what stands on a transaction that was not sent yet, such as
        an allowance: nothing is simulated, and `gas` stays 0."""
        return self._transactor.unsimulated()

    def send(self, prepared: Prepared) -> Receipt:
        """Sign and broadcast what was prepared, and wait until it is in a block."""
        return self._transactor.send(prepared, self._signer())

    def together(self, prepared: Sequence[Prepared]) -> Receipt:
        """Several prepared calls to the contract in one transaction: all of them or none."""
        return self.send(self.prepare.together(prepared))

    # Paying in

    def open(
        self,
        agreement: OpenAgreement,
        signatures: Mapping[Address, bytes] = NOBODY,
        fund: Iterable[MilestoneName] = (),
        *,
        how: Way | None = None,
        allow: bool = False,
    ) -> Receipt:
        """Open an agreement and fund some milestones; `how` and `allow` as in `fund`."""
        chosen = list(fund)
        if how == "authorization" and chosen:
            signed = self.sign_authorization(agreement, chosen)
            return self.send(self.prepare.open(agreement, signatures, chosen, authorization=signed))
        amount = self.needed(agreement, chosen) if chosen else 0
        permit = self._ready_to_pay(agreement.terms.token, amount, how if chosen else None, allow)
        return self.send(self.prepare.open(agreement, signatures, chosen, permit=permit))

    def fund(
        self,
        agreement: OpenAgreement,
        milestones: Iterable[MilestoneName],
        *,
        how: Way | None = None,
        allow: bool = False,
    ) -> Receipt:
        """Pay in the amounts of unfunded milestones.

        Unless told `how`: by the allowance where it suffices, else by a permit in the same
        transaction where the token knows permits. `allow` sends an approval of exactly what is
        missing first, where there is no other way.
        """
        chosen = list(milestones)
        if how == "authorization":
            return self.fund_authorized(
                agreement, chosen, self.sign_authorization(agreement, chosen)
            )
        amount = self.needed(agreement, chosen)
        permit = self._ready_to_pay(agreement.terms.token, amount, how, allow)
        return self.send(self.prepare.fund(agreement, chosen, permit=permit))

    fund_authorized = sent(Verbs.fund_authorized)

    def sign_permit(self, token: Address, amount: int) -> SignedPermit:
        """The signer's permit for this contract; see `permit`.

        Raises:
            UsageError: the token takes no permits.
        """
        signer, domain = self._signer(), self.token_domain(token, "permit")
        permit = self.permit(token, amount, signer.address)
        return SignedPermit(permit, signer.sign_typed_data(permit.typed_data(domain)))

    def usable_permit(self, token: Address, amount: int) -> SignedPermit | None:
        """The signer's permit, None where the token refuses it. In an account with code
        (EIP-7702) some tokens ask that code, others the key, and none says which.

        Raises:
            UsageError: the token takes no permits.
        """
        signed, known = self.sign_permit(token, amount), self._token(token)
        return None if self.prepare.permit_refusal(known, signed) else signed

    def sign_authorization(
        self, agreement: OpenAgreement, milestones: Iterable[MilestoneName], **valid: int
    ) -> SignedAuthorization:
        """The signer's authorization, with which anyone can fund these; see `authorization`.

        Raises:
            UsageError: the token takes no authorizations.
        """
        signer, token = self._signer(), agreement.terms.token
        domain = self.token_domain(token, "authorization")
        asked = self.authorization(agreement, milestones, signer.address, **valid)
        return SignedAuthorization(asked, signer.sign_typed_data(asked.typed_data(domain)))

    def allow(self, symbol: str, amount: int) -> Receipt:
        """Let the contract take up to `amount` token units when told to fund; where the token
        wants it, what was allowed before is set to 0 first, by a transaction of its own."""
        return self._allow(self.token(symbol), amount)

    def withdraw(self, symbol: str, account: Address, units: int | None = None) -> Receipt:
        """Collect a payout that could not be delivered, for `account`: at most so many token units,
        by default all that waits."""
        token = self.token(symbol)
        asked = self.credit(token, account) if units is None else units
        return self.send(self.prepare.withdraw(token, account, asked))

    def mint(self, symbol: str, account: Address, amount: int) -> Receipt:
        """Create test tokens; real ones refuse."""
        return self.send(self.prepare.mint(self.token(symbol), account, amount))

    def _ready_to_pay(
        self, token: Address, amount: int, how: Way | None, allow: bool
    ) -> SignedPermit | None:
        """The permit to send along; or none, once the allowance is there if `allow` says so."""
        if how == "authorization":
            raise UsageError(
                "an authorization pays milestones in, nothing else", hint="use allowance or permit"
            )
        if not amount:
            return None
        payer, known = self._signer().address, self._token(token)
        way = how or self.way_to_pay(token, amount, payer)
        if way == "permit":
            permit = (
                self.usable_permit(token, amount) if not how else self.sign_permit(token, amount)
            )
            if permit:
                return permit
        if allow and self.allowance(known, payer) < amount:
            self._allow(known, amount)
        return None

    def _allow(self, token: Token, amount: int) -> Receipt:
        return [self.send(step) for step in self.prepare.allowing(token, amount)][-1]

    def _token(self, token: Address) -> Token:
        return self.token_at(token) or Token("tokens", token, 0)

    def _signer(self) -> Signer:
        if self.signer is None:
            raise UsageError("there is no key to act with", hint="connect with a signer")
        return self.signer
