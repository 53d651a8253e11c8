"""Acting: each verb simulates, sends and waits. What a verb means stands with its preparation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from milestone_escrow.chain.batching import Attested
from milestone_escrow.chain.fees import AS_USUAL, Bid
from milestone_escrow.chain.networks import Network
from milestone_escrow.chain.paying import Way
from milestone_escrow.chain.reader import Reader
from milestone_escrow.chain.rpc import Node
from milestone_escrow.chain.structs import OpenAgreement
from milestone_escrow.chain.transactions import Prepared, Receipt, Transactor
from milestone_escrow.chain.verbs import NOBODY, Act, MilestoneName, Signatures, Verbs
from milestone_escrow.errors import UsageError
from milestone_escrow.protocol.acts import Attestation
from milestone_escrow.protocol.amendment import Amendment, moved
from milestone_escrow.protocol.eip712 import ZERO_HASH, Address
from milestone_escrow.protocol.paying import SignedAuthorization, SignedPermit
from milestone_escrow.protocol.receivables import Offer
from milestone_escrow.protocol.signatures import Signer
from milestone_escrow.protocol.token import Token


class Acting(Reader):
    """One contract, acted on with the key of `signer`."""

    def __init__(
        self,
        node: Node,
        network: Network,
        contract: Address,
        signer: Signer | None = None,
        *,
        since: int = 0,
        bid: Bid = AS_USUAL,
    ) -> None:
        super().__init__(node, network, contract, since=since)
        self.signer = signer
        self._bid = bid
        self._transactor = Transactor(node, network, contract, bid=bid)

    @property
    def prepare(self) -> Verbs:
        """The verbs, simulated and priced for the signer, but not sent."""
        return self.prepare_for(self._signer().address)

    def prepare_for(self, sender: Address) -> Verbs:
        """The verbs as `sender` would send them; needs no key."""
        return Verbs(self, self._transactor, sender)

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
        permit = self._ready_to_pay(agreement.terms.token, amount, how, allow)
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

    def fund_authorized(
        self,
        agreement: OpenAgreement,
        milestones: Iterable[MilestoneName],
        authorization: SignedAuthorization,
    ) -> Receipt:
        """Bring the gas for what somebody else pays in."""
        return self.send(self.prepare.fund_authorized(agreement, milestones, authorization))

    def sign_permit(self, token: Address, amount: int) -> SignedPermit:
        """The signer's permit for this contract; see `permit`.

        Raises:
            UsageError: the token takes no permits.
        """
        signer, domain = self._signer(), self.token_domain(token, "permit")
        permit = self.permit(token, amount, signer.address)
        return SignedPermit(permit, signer.sign_typed_data(permit.typed_data(domain)))

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
        """Let the contract take up to `amount` token units when told to fund."""
        return self.send(self.prepare.allow(self.token(symbol), amount))

    def withdraw(self, symbol: str, account: Address) -> Receipt:
        """Collect a payout that could not be delivered, for `account`."""
        return self.send(self.prepare.withdraw(self.token(symbol), account))

    def mint(self, symbol: str, account: Address, amount: int) -> Receipt:
        """Create test tokens; real ones refuse."""
        return self.send(self.prepare.mint(self.token(symbol), account, amount))

    # Deciding

    def attest(
        self, agreement: OpenAgreement, attestation: Attestation, signatures: Signatures
    ) -> Receipt:
        """Decide by a quorum of the milestone's verifiers."""
        return self.send(self.prepare.attest(agreement, attestation, signatures))

    def attest_batch(self, attested: Attested, signatures: Signatures) -> Receipt:
        """Decide many milestones by one signature of each verifier; see `batch_results`."""
        return self.send(self.prepare.attest_batch(attested, signatures))

    def submit(
        self,
        agreement: OpenAgreement,
        milestone: MilestoneName,
        evidence_hash: bytes = ZERO_HASH,
        *,
        valid_until: int = 0,
        signature: bytes = b"",
    ) -> Receipt:
        """State, as its payee or with the payee's signature, that a milestone is done."""
        return self._do(
            Verbs.submit, agreement, milestone, evidence_hash, valid_until=valid_until,
            signature=signature,
        )  # fmt: skip

    def dispute(
        self,
        agreement: OpenAgreement,
        milestone: MilestoneName,
        reason_hash: bytes = ZERO_HASH,
        *,
        valid_until: int = 0,
        signature: bytes = b"",
    ) -> Receipt:
        """Object to what is about to go against the signer, or against who signed."""
        return self._do(
            Verbs.dispute, agreement, milestone, reason_hash, valid_until=valid_until,
            signature=signature,
        )  # fmt: skip

    def rule(
        self,
        agreement: OpenAgreement,
        milestone: MilestoneName,
        to_payee: int,
        to_buyer: int,
        reason_hash: bytes = ZERO_HASH,
        *,
        valid_until: int = 0,
        signature: bytes = b"",
    ) -> Receipt:
        """Split, as the arbiter or with the arbiter's signature, what is disputed."""
        return self._do(
            Verbs.rule, agreement, milestone, to_payee, to_buyer, reason_hash,
            valid_until=valid_until, signature=signature,
        )  # fmt: skip

    def approve(
        self, agreement: OpenAgreement, milestone: MilestoneName, amount: int | None = None
    ) -> Receipt:
        """Pay, as the buyer, a part or all of a milestone."""
        return self._do(Verbs.approve, agreement, milestone, amount)

    def refund(
        self, agreement: OpenAgreement, milestone: MilestoneName, amount: int | None = None
    ) -> Receipt:
        """Give back, as the payee, a part or all of a milestone."""
        return self._do(Verbs.refund, agreement, milestone, amount)

    def settle(
        self,
        agreement: OpenAgreement,
        milestone: MilestoneName,
        to_payee: int,
        to_buyer: int,
        *,
        signatures: Mapping[Address, bytes] = NOBODY,
        valid_until: int = 0,
    ) -> Receipt:
        """Split a milestone with the consent of whoever gives something up."""
        return self._do(
            Verbs.settle, agreement, milestone, to_payee, to_buyer, signatures=signatures,
            valid_until=valid_until,
        )  # fmt: skip

    def finalize(self, agreement: OpenAgreement, milestone: MilestoneName) -> Receipt:
        """Let time decide."""
        return self._do(Verbs.finalize, agreement, milestone)

    def perform(
        self, agreement: OpenAgreement, act: Act, signatures: Mapping[Address, bytes]
    ) -> Receipt:
        """Send an act that its party has signed; signatures by account."""
        return self.send(self.prepare.perform(agreement, act, signatures))

    # Receivables and change orders

    def assign(
        self,
        agreement: OpenAgreement,
        milestone: MilestoneName,
        assignee: Address,
        *,
        valid_until: int = 0,
        signature: bytes = b"",
    ) -> Receipt:
        """Hand on, as the payee or with the payee's signature, a milestone's payout."""
        return self._do(
            Verbs.assign, agreement, milestone, assignee, valid_until=valid_until,
            signature=signature,
        )  # fmt: skip

    def buy_receivable(
        self,
        agreement: OpenAgreement,
        offer: Offer,
        signature: bytes,
        *,
        how: Way | None = None,
        allow: bool = False,
    ) -> Receipt:
        """Become the payee for the offer's price; `how` and `allow` as in `fund`."""
        permit = self._ready_to_pay(agreement.terms.token, offer.price, how, allow)
        return self.send(self.prepare.buy_receivable(agreement, offer, signature, permit=permit))

    def amend(
        self,
        agreement: OpenAgreement,
        order: Amendment,
        signatures: Mapping[Address, bytes] = NOBODY,
        *,
        how: Way | None = None,
        allow: bool = False,
    ) -> Receipt:
        """Carry out a change order, paying what is missing; `how` and `allow` as in `fund`."""
        money = moved(agreement.milestones, self.states(agreement), order)
        permit = self._ready_to_pay(agreement.terms.token, money.pulled, how, allow)
        return self.send(self.prepare.amend(agreement, order, signatures, permit=permit))

    def _do(self, verb: Callable[..., Prepared], *values: object, **named: object) -> Receipt:
        return self.send(verb(self.prepare, *values, **named))

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
        payer = self._signer().address
        way = how or self.way_to_pay(token, amount, payer)
        if way == "permit":
            return self.sign_permit(token, amount)
        known = self.token_at(token) or Token("tokens", token, 0)
        if allow and self.allowance(known, payer) < amount:
            self.send(self.prepare.allow(known, amount))
        return None

    def _signer(self) -> Signer:
        if self.signer is None:
            raise UsageError("there is no key to act with", hint="connect with a signer")
        return self.signer
