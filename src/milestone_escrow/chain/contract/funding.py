"""Opening and paying in: by an allowance, a permit of who sends, or anybody's authorization."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from milestone_escrow.chain.contract.preparing import (
    NOBODY,
    MilestoneName,
    Preparer,
    call,
    shortened,
)
from milestone_escrow.chain.contract.structs import OpenAgreement, milestone_tuples, terms_tuple
from milestone_escrow.chain.contract.tokens import approve_call, mint_call, permit_call
from milestone_escrow.chain.node.rpc import RpcError
from milestone_escrow.chain.refusals.attempts import Attempt
from milestone_escrow.chain.refusals.naming import account_name
from milestone_escrow.chain.send.transactions import Prepared
from milestone_escrow.errors import ContractError, UsageError
from milestone_escrow.protocol.eip712 import Address
from milestone_escrow.protocol.hexes import hexed
from milestone_escrow.protocol.paying import (
    SignedAuthorization,
    SignedPermit,
    authorization_nonce,
    cost,
)
from milestone_escrow.protocol.signatures import settled
from milestone_escrow.protocol.terms import agreement_typed_data
from milestone_escrow.protocol.token import Token


class FundingVerbs(Preparer):
    """How money comes in."""

    def open(
        self,
        agreement: OpenAgreement,
        signatures: Mapping[str, bytes] = NOBODY,
        fund: Iterable[MilestoneName] = (),
        *,
        permit: SignedPermit | None = None,
        authorization: SignedAuthorization | None = None,
    ) -> Prepared:
        """Open an agreement with both parties' signatures, of which the sender needs none.

        They are named by account, or "buyer" and "supplier". What is funded comes from the
        sender's allowance, after its permit where one is given, or from an authorization.
        """
        chosen = list(fund)
        own = self._chosen(agreement, () if authorization else chosen)
        data = call(
            "open",
            terms_tuple(agreement.terms),
            milestone_tuples(agreement.milestones),
            own,
            *self._consents(agreement, signatures),
        )
        if authorization:
            paying = self._authorized_call(agreement, chosen, authorization)
            attempts = [self._attempt("open", agreement), self._attempt("fund", agreement)]
            return self._multicall([data, paying], attempts, attempts[0])
        return self._permitted("open", agreement, data, permit)

    def fund(
        self,
        agreement: OpenAgreement,
        milestones: Iterable[MilestoneName],
        *,
        permit: SignedPermit | None = None,
    ) -> Prepared:
        """Pay in the amounts of unfunded milestones, from the sender's tokens."""
        data = call(
            "fund",
            terms_tuple(agreement.terms),
            milestone_tuples(agreement.milestones),
            self._chosen(agreement, milestones),
        )
        return self._permitted("fund", agreement, data, permit)

    def fund_authorized(
        self,
        agreement: OpenAgreement,
        milestones: Iterable[MilestoneName],
        authorization: SignedAuthorization,
    ) -> Prepared:
        """Pay in with the tokens of who signed the authorization; the sender brings the gas.

        Raises:
            UsageError: it was signed for another contract, agreement, milestones or amount.
        """
        data = self._authorized_call(agreement, list(milestones), authorization)
        return self._prepare("fund", agreement, None, data)

    def allow(self, token: Token, amount: int) -> Prepared:
        """Let the contract take up to `amount` of the sender's tokens when it is told to fund."""
        attempt = self._about("allow", token)
        data = approve_call(self._reader.contract, amount)
        return self._transactor.prepare(token.address, data, attempt)

    def allowing(self, token: Token, amount: int) -> tuple[Prepared, ...]:
        """The `allow` of exactly so much. Some tokens refuse it while another one stands: there
        that is set to 0 first, and what comes after it is not simulated.

        Raises:
            ContractError: the token refuses either.
        """
        try:
            return (self.allow(token, amount),)
        except ContractError:
            if not self._reader.allowance(token, self._sender):
                raise
        first = self.allow(token, 0)
        with self._transactor.unsimulated():
            return first, self.allow(token, amount)

    def withdraw(self, token: Token, account: Address, units: int) -> Prepared:
        """Collect at most so many token units of what could not be delivered; they go to `account`,
        whoever sends."""
        attempt = self._about("withdraw", token)
        data = call("withdraw", token.address, account, units)
        return self._transactor.prepare(self._reader.contract, data, attempt)

    def mint(self, token: Token, account: Address, amount: int) -> Prepared:
        """Test tokens only."""
        attempt = Attempt("mint", self._sender, token=token)
        return self._transactor.prepare(token.address, mint_call(account, amount), attempt)

    def _about(self, verb: str, token: Token) -> Attempt:
        return Attempt(verb, self._sender, token=token, contract=self._reader.contract)

    def _permitted(
        self,
        verb: str,
        agreement: OpenAgreement,
        data: bytes,
        permit: SignedPermit | None,
        index: int | None = None,
    ) -> Prepared:
        """A call that takes the sender's tokens, after the permit that lets it."""
        if permit is None:
            return self._prepare(verb, agreement, index, data)
        asked = permit.permit
        if asked.owner != self._sender:
            raise UsageError(
                f"the permit is {asked.owner}'s, but a permit works only for who sends",
                hint="whoever lets somebody else send pays by authorization",
            )
        # Nobody asks whether it was used already: then the allowance is there, and that will do.
        first = call("permit", agreement.terms.token, asked.value, asked.deadline, *permit.vrs)
        attempt = self._attempt(verb, agreement, index)
        try:
            return self._multicall([first, data], [attempt, attempt], attempt)
        except ContractError as error:
            raise self.permit_refusal(self._token(agreement), permit) or error from None

    def permit_refusal(self, token: Token, permit: SignedPermit) -> ContractError | None:
        """Why the token does not take the permit, which the contract keeps to itself; None where
        it does, or where the allowance is there already."""
        asked, contract = permit.permit, self._reader.contract
        if self._reader.allowance(token, asked.owner) >= asked.value:
            return None
        data = permit_call(asked.owner, contract, asked.value, asked.deadline, *permit.vrs)
        request = {"from": contract, "to": token.address, "data": hexed(data)}
        try:
            self._reader.node.request("eth_call", [request, "latest"])
        except RpcError as error:
            return self._transactor.explained(error.data, self._about("use the permit", token))
        return None

    def _authorized_call(
        self,
        agreement: OpenAgreement,
        milestones: list[MilestoneName],
        signed: SignedAuthorization,
    ) -> bytes:
        chosen = self._chosen(agreement, milestones)
        given, value = signed.authorization, cost(agreement.milestones, chosen)
        wanted = (self._reader.contract, value, authorization_nonce(agreement.id, chosen))
        if (given.to, given.value, given.nonce) != wanted:
            raise UsageError(
                "the authorization was signed for another agreement, or for other milestones of it",
                hint="ask the payer to sign one for exactly these",
            )
        signature = self._of_payer(agreement.terms.token, signed)
        values = (given.payer, given.valid_after, given.valid_before, signature)
        return call(
            "fundWithAuthorization",
            terms_tuple(agreement.terms),
            milestone_tuples(agreement.milestones),
            chosen,
            values,
        )

    def _of_payer(self, token: Address, signed: SignedAuthorization) -> bytes:
        """The authorization's signature in the form that tokens take."""
        domain = self._reader.token_support(token).domain
        if domain is None:
            return signed.signature
        given = signed.authorization
        return settled(given.payer, given.typed_data(domain).digest(), signed.signature)

    def _consents(self, agreement: OpenAgreement, signatures: Mapping[str, bytes]) -> list[bytes]:
        terms = agreement.terms
        parties = (("buyer", terms.buyer), ("supplier", terms.supplier))
        given = {p: signatures.get(p) or signatures.get(role, b"") for role, p in parties}
        missing = [p for _, p in parties if p != self._sender and not given[p]]
        if missing and not self._reader.is_open(agreement.id):
            who = " and ".join(account_name(agreement, one) for one in missing)
            raise UsageError(f"{who} has not signed", hint="both parties must sign first")
        data = agreement_typed_data(self._reader.domain, terms, agreement.milestones)
        # The contract takes the sender's own consent from the transaction.
        return [
            b"" if party == self._sender else shortened(data.digest(), party, given[party])
            for _, party in parties
        ]
