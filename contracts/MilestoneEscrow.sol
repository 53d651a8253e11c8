// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {EscrowLedger} from "./EscrowLedger.sol";
import {
    Amendment,
    Attestation,
    Authorization,
    BatchItem,
    IMilestoneEscrow,
    Milestone,
    MilestoneRef,
    MilestoneState,
    Offer,
    Status,
    Terms
} from "./interfaces/IMilestoneEscrow.sol";
import {ActsLib} from "./libraries/ActsLib.sol";
import {PayoutsLib} from "./libraries/PayoutsLib.sol";
import {StatusLib} from "./libraries/StatusLib.sol";
import {TermsLib} from "./libraries/TermsLib.sol";
import {TokenLib} from "./libraries/TokenLib.sol";

/// @title Milestone escrow
/// @notice See IMilestoneEscrow, where everything is documented once.
contract MilestoneEscrow is EscrowLedger, Multicall {
    using StatusLib for uint256;
    using TermsLib for Terms;
    using ActsLib for Attestation;

    /// @inheritdoc IMilestoneEscrow
    function open(
        Terms calldata terms,
        Milestone[] calldata milestones,
        uint256 chosen,
        bytes calldata buyerSignature,
        bytes calldata supplierSignature
    ) external nonReentrant returns (bytes32 id) {
        bytes32 structHash = terms.hash(milestones);
        id = _idOf(structHash);
        uint256 word = _agreements[id];
        if (word == 0) {
            // Check: bounds, then consent.
            terms.validate(milestones);
            bytes32 digest = _hashTypedDataV4(structHash);
            if (msg.sender != terms.buyer) _requireSignature(terms.buyer, digest, buyerSignature);
            if (msg.sender != terms.supplier) _requireSignature(terms.supplier, digest, supplierSignature);
            // Effect. Emit.
            _open(id, terms, milestones);
        } else {
            for (uint256 i; i < milestones.length; ++i) {
                if (word.statusOf(i) != Status.Unfunded) chosen &= ~(1 << i);
            }
        }
        if (chosen != 0) _fund(id, terms, milestones, chosen);
    }

    /// @inheritdoc IMilestoneEscrow
    function fund(Terms calldata terms, Milestone[] calldata milestones, uint256 chosen) external nonReentrant {
        bytes32 id = _idOf(terms.hash(milestones));
        _openWord(id);
        _fund(id, terms, milestones, chosen);
    }

    /// @inheritdoc IMilestoneEscrow
    function fundWithAuthorization(
        Terms calldata terms,
        Milestone[] calldata milestones,
        uint256 chosen,
        Authorization calldata authorization
    ) external nonReentrant {
        bytes32 id = _idOf(terms.hash(milestones));
        _openWord(id);
        (uint256 total, uint256 deposits) = _markFunded(id, milestones, chosen, authorization.from);
        TokenLib.pullAuthorized(terms.token, total, keccak256(abi.encode(id, chosen)), authorization);
        _payDeposits(id, terms, milestones, deposits);
    }

    /// @inheritdoc IMilestoneEscrow
    function permit(
        address token,
        uint256 amount,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external nonReentrant {
        TokenLib.tryPermit(token, amount, deadline, v, r, s);
    }

    /// @inheritdoc IMilestoneEscrow
    function attest(
        Terms calldata terms,
        MilestoneRef calldata ref,
        Attestation calldata attestation,
        uint256 signers,
        bytes[] calldata signatures
    ) external nonReentrant {
        // Check: the milestone, the attestation, the signatures.
        Position memory position = _locate(terms, ref);
        _requireWellFormed(position, attestation);
        _objection(position, ref.milestone, attestation, true);
        uint256 count = TermsLib.popCount(signers);
        _requireQuorum(ref.milestone, signers, count);
        _requireSigners(terms.verifiers, _hashTypedDataV4(attestation.hash()), signers, count, signatures);
        // Effect. Emit. Move money.
        _decide(position, terms, ref.milestone, attestation, signers);
        _push(terms, position);
    }

    /// @inheritdoc IMilestoneEscrow
    function attestBatch(
        BatchItem[] calldata items,
        uint256 signers,
        bytes[] calldata signatures
    ) external nonReentrant {
        // Check: one signature of each signer over all items, which share their verifiers.
        uint256 count = TermsLib.popCount(signers);
        bytes32[] memory hashes = new bytes32[](items.length);
        bytes32 verifiersHash;
        for (uint256 i; i < items.length; ++i) {
            BatchItem calldata item = items[i];
            _requireQuorum(item.ref.milestone, signers, count);
            hashes[i] = item.attestation.hash();
            bytes32 itemHash = TermsLib.hash(item.terms.verifiers);
            if (i != 0 && itemHash != verifiersHash) revert VerifiersDiffer(i);
            verifiersHash = itemHash;
        }
        if (items.length == 0) revert UnknownMilestones(0, 0);
        _requireSigners(items[0].terms.verifiers, _hashTypedDataV4(ActsLib.batch(hashes)), signers, count, signatures);
        // Effect. Emit.
        PayoutsLib.Queue memory queue = PayoutsLib.create(items.length * 2);
        for (uint256 i; i < items.length; ++i) {
            _decideItem(items[i], signers, queue);
        }
        // Move money: transfers of one token to one account are joined.
        for (uint256 i; i < queue.count; ++i) {
            _push(queue.tokens[i], queue.accounts[i], queue.amounts[i]);
        }
    }

    /// @inheritdoc IMilestoneEscrow
    function submit(
        Terms calldata terms,
        MilestoneRef calldata ref,
        bytes32 evidenceHash,
        uint64 validUntil,
        bytes calldata signature
    ) external nonReentrant {
        // Check: the milestone, the caller.
        Position memory position = _locate(terms, ref);
        _requireStatus(position, StatusLib.FUNDED);
        _requireBefore(ref.milestone.deadline);
        if (terms.reviewPeriod == 0) revert SubmissionsOff();
        address payee = _payeeOf(position, terms);
        if (msg.sender != payee) {
            bytes32 structHash =
                ActsLib.submission(position.id, position.index, evidenceHash, position.epoch, validUntil);
            _requireEpochSignature(position, payee, structHash, validUntil, signature);
        }
        // Effect. Emit.
        uint256 clock = block.timestamp + terms.reviewPeriod;
        _startClock(position, Status.Submitted, clock);
        emit MilestoneSubmitted(position.id, position.index, payee, evidenceHash, clock);
    }

    /// @inheritdoc IMilestoneEscrow
    function dispute(
        Terms calldata terms,
        MilestoneRef calldata ref,
        bytes32 reasonHash,
        uint64 validUntil,
        bytes calldata signature
    ) external nonReentrant {
        // Check: the milestone, the caller.
        Position memory position = _locate(terms, ref);
        _requireOpen(position, ref.milestone, StatusLib.DISPUTABLE);
        (address party, bool needsArbiter) = _mayDispute(position, terms, ref.milestone);
        if (needsArbiter && terms.arbiter == address(0)) revert NoArbiter();
        if (msg.sender != party) {
            bytes32 structHash = ActsLib.dispute(position.id, position.index, reasonHash, position.epoch, validUntil);
            _requireEpochSignature(position, party, structHash, validUntil, signature);
        }
        // Effect. Emit.
        bool overVerdict = _isIn(position, StatusLib.RELEASE_PENDING | StatusLib.REFUND_PENDING);
        // Nobody's proof is waited for over a verdict, nor over a submission that nobody verifies.
        bool waits = position.status == Status.Funded || (!overVerdict && ref.milestone.quorum != 0);
        uint256 clock = waits ? _max(block.timestamp, ref.milestone.deadline) : block.timestamp;
        clock += terms.arbitrationPeriod;
        _startClock(position, overVerdict ? Status.DisputedOverVerdict : Status.DisputedBeforeVerdict, clock);
        emit MilestoneDisputed(position.id, position.index, party, reasonHash, clock);
    }

    /// @inheritdoc IMilestoneEscrow
    function rule(
        Terms calldata terms,
        MilestoneRef calldata ref,
        uint128 toPayee,
        uint128 toBuyer,
        bytes32 reasonHash,
        uint64 validUntil,
        bytes calldata signature
    ) external nonReentrant {
        // Check: the milestone, the split, the caller.
        Position memory position = _locate(terms, ref);
        _requireOpen(position, ref.milestone, StatusLib.DISPUTED);
        uint256 held = ref.milestone.amount - position.paid;
        _requireSplit(uint256(toPayee) + toBuyer, held, held);
        if (msg.sender != terms.arbiter) {
            bytes32 structHash =
                ActsLib.ruling(position.id, position.index, toPayee, toBuyer, reasonHash, position.epoch, validUntil);
            _requireEpochSignature(position, terms.arbiter, structHash, validUntil, signature);
        }
        // Effect. Emit. Move money.
        emit MilestoneRuled(position.id, position.index, toPayee, toBuyer, reasonHash);
        _distribute(position, terms, ref.milestone, toPayee, toBuyer);
        _push(terms, position);
    }

    /// @inheritdoc IMilestoneEscrow
    function resolve(
        Terms calldata terms,
        MilestoneRef calldata ref,
        uint128 toPayee,
        uint128 toBuyer,
        uint64 validUntil,
        bytes calldata buyerSignature,
        bytes calldata payeeSignature
    ) external nonReentrant {
        // Check: the milestone, the split, whoever gives something up. No window: consent works to the end.
        Position memory position = _locate(terms, ref);
        _requireStatus(position, StatusLib.HOLDING);
        uint256 held = ref.milestone.amount - position.paid;
        _requireSplit(uint256(toPayee) + toBuyer, position.status == Status.Funded ? 1 : held, held);
        address payee = _payeeOf(position, terms);
        bool buyerSigns = toPayee != 0 && msg.sender != terms.buyer;
        bool payeeSigns = toBuyer != 0 && msg.sender != payee;
        if (buyerSigns || payeeSigns) {
            bytes32 structHash =
                ActsLib.resolution(position.id, position.index, toPayee, toBuyer, held, position.epoch, validUntil);
            if (buyerSigns) _requireEpochSignature(position, terms.buyer, structHash, validUntil, buyerSignature);
            if (payeeSigns) _requireEpochSignature(position, payee, structHash, validUntil, payeeSignature);
        }
        // Effect. Emit. Move money.
        emit MilestoneResolved(position.id, position.index, toPayee, toBuyer);
        _distribute(position, terms, ref.milestone, toPayee, toBuyer);
        _push(terms, position);
    }

    /// @inheritdoc IMilestoneEscrow
    function finalize(Terms calldata terms, MilestoneRef calldata ref) external nonReentrant {
        // Check: the milestone, the time.
        Position memory position = _locate(terms, ref);
        _requireStatus(position, StatusLib.HOLDING);
        uint256 end = _end(position, ref.milestone);
        if (block.timestamp < end) revert TooEarly(block.timestamp, end);
        // Effect. Emit. Move money.
        (uint256 toPayee, uint256 toBuyer) = _silence(position, terms, ref.milestone);
        position.clock = _restUntil(terms, ref.milestone);
        _advance(position);
        emit MilestoneFinalized(position.id, position.index, position.status);
        _distribute(position, terms, ref.milestone, toPayee, toBuyer);
        _push(terms, position);
    }

    /// @inheritdoc IMilestoneEscrow
    function assign(
        Terms calldata terms,
        MilestoneRef calldata ref,
        address assignee,
        uint64 validUntil,
        bytes calldata signature
    ) external nonReentrant {
        // Check: the milestone, the caller, the new payee.
        Position memory position = _locate(terms, ref);
        _requireAssignable(position, terms, ref.milestone, assignee);
        address payee = _payeeOf(position, terms);
        if (msg.sender != payee) {
            bytes32 structHash =
                ActsLib.assignment(position.id, position.index, assignee, position.handover, validUntil);
            _requireActSignature(payee, structHash, position.handover == HANDOVER_SPENT, validUntil, signature);
        }
        // Effect. Emit.
        _assign(position, payee, assignee, 0);
    }

    /// @inheritdoc IMilestoneEscrow
    function buyReceivable(
        Terms calldata terms,
        MilestoneRef calldata ref,
        Offer calldata offer,
        bytes calldata signature
    ) external nonReentrant {
        // Check: the milestone, the offer, the payee's signature.
        Position memory position = _locate(terms, ref);
        _requireAssignable(position, terms, ref.milestone, msg.sender);
        uint256 held = ref.milestone.amount - position.paid;
        _requireUnchanged("epoch", offer.epoch, position.epoch);
        _requireUnchanged("handover", offer.handover, position.handover);
        if (offer.held < held) revert ChangedSince("held", offer.held, held);
        uint256 left = offer.held - held;
        if (offer.price <= left || offer.price > offer.held) {
            revert AmountOutOfBounds(offer.price, left + 1, offer.held);
        }
        if (offer.financier != address(0) && msg.sender != offer.financier) {
            revert NotAuthorized(msg.sender, offer.financier);
        }
        address payee = _payeeOf(position, terms);
        bytes32 structHash = ActsLib.offer(position.id, position.index, offer);
        bool isSpent = offer.epoch == EPOCH_SPENT || offer.handover == HANDOVER_SPENT;
        _requireActSignature(payee, structHash, isSpent, offer.validUntil, signature);
        // Effect. Emit. Move money: the price, less what left the milestone since the offer.
        uint256 price = offer.price - left;
        _assign(position, payee, msg.sender, price);
        TokenLib.move(terms.token, msg.sender, payee, price);
    }

    /// @inheritdoc IMilestoneEscrow
    function amend(
        Terms calldata terms,
        Milestone[] calldata milestones,
        Amendment calldata amendment,
        bytes[] calldata signatures
    ) external nonReentrant returns (bytes32 id) {
        // Check: the same deal, everyone's consent.
        bytes32 replaces = _idOf(terms.hash(milestones));
        bytes32 structHash = amendment.terms.hash(amendment.milestones);
        id = _idOf(structHash);
        if (amendment.terms.token != terms.token) revert RoleNotAllowed("token", amendment.terms.token);
        _requireValid(amendment.validUntil);
        uint256 carried = _close(
            replaces,
            terms,
            milestones,
            amendment,
            signatures,
            _hashTypedDataV4(ActsLib.amendment(replaces, amendment, structHash))
        );
        // Effect. Emit.
        if (_agreements[id] == 0) {
            amendment.terms.validate(amendment.milestones);
            _open(id, amendment.terms, amendment.milestones);
        }
        emit AgreementAmended(replaces, id, amendment.closes, carried);
        uint256 total;
        uint256 deposits;
        if (amendment.funds != 0) {
            (total, deposits) = _markFunded(id, amendment.milestones, amendment.funds, msg.sender);
        }
        // Move money: the difference, then deposits.
        if (total > carried) TokenLib.pull(terms.token, msg.sender, total - carried);
        else _push(terms.token, terms.buyer, carried - total);
        _payDeposits(id, amendment.terms, amendment.milestones, deposits);
    }

    /// @inheritdoc IMilestoneEscrow
    function withdraw(address token, address account, uint256 atMost) external nonReentrant returns (uint256 amount) {
        uint256 credit = _credits[token][account];
        if (credit == 0) revert NothingCredited(token, account);
        if (atMost == 0) revert AmountOutOfBounds(0, 1, credit);
        amount = atMost < credit ? atMost : credit;
        _credits[token][account] = credit - amount;
        emit CreditWithdrawn(token, account, amount, credit - amount);
        if (!TokenLib.transfer(token, account, amount, gasleft())) revert WithdrawalFailed(token, account, amount);
    }

    /// @inheritdoc IMilestoneEscrow
    function agreementIdOf(Terms calldata terms, Milestone[] calldata milestones) external view returns (bytes32) {
        return _idOf(terms.hash(milestones));
    }

    /// @inheritdoc IMilestoneEscrow
    function isOpen(bytes32 agreementId) external view returns (bool) {
        return _agreements[agreementId] != 0;
    }

    /// @inheritdoc IMilestoneEscrow
    function milestoneStates(
        bytes32 agreementId,
        uint256 count
    ) external view returns (MilestoneState[] memory states) {
        if (count > TermsLib.MAX_MILESTONES) revert UnknownMilestones(count, TermsLib.MAX_MILESTONES);
        states = new MilestoneState[](count);
        for (uint256 i; i < count; ++i) {
            Position memory position;
            _place(position, agreementId, _agreements[agreementId], i);
            states[i].status = position.status;
            if (position.status == Status.Settled) continue;
            states[i].assignee = position.assignee;
            states[i].clock = position.clock;
            states[i].issuedAt = position.issuedAt;
            states[i].epoch = position.epoch;
            states[i].handover = position.handover;
            states[i].pending = position.pending;
            states[i].paid = position.paid;
        }
    }

    /// @inheritdoc IMilestoneEscrow
    function creditOf(address token, address account) external view returns (uint256) {
        return _credits[token][account];
    }

    /// @inheritdoc IMilestoneEscrow
    function attestationDigest(Attestation calldata attestation) external view returns (bytes32) {
        return _hashTypedDataV4(attestation.hash());
    }

    /// @dev Marks the chosen milestones, pulls their sum from the caller, and passes deposits on.
    function _fund(bytes32 id, Terms calldata terms, Milestone[] calldata milestones, uint256 chosen) private {
        (uint256 total, uint256 deposits) = _markFunded(id, milestones, chosen, msg.sender);
        TokenLib.pull(terms.token, msg.sender, total);
        _payDeposits(id, terms, milestones, deposits);
    }

    /// @dev What a quorum's verdict does: pays at once, or starts the clock.
    function _decide(
        Position memory position,
        Terms calldata terms,
        Milestone calldata milestone,
        Attestation calldata attestation,
        uint256 signers
    ) private {
        bool accepted = attestation.verdict == ACCEPTED;
        uint128 amount = attestation.amount; // 0 where rejected
        bool disputed = position.status == Status.DisputedOverVerdict;
        bool atOnce = accepted && terms.objectionPeriod == 0 && !disputed;
        uint256 clock = block.timestamp;
        position.issuedAt = uint32(attestation.issuedAt); // at most now
        if (atOnce) {
            if (amount != milestone.amount) {
                _advance(position);
                position.clock = _restUntil(terms, milestone);
            }
        } else {
            clock += accepted && !disputed ? terms.objectionPeriod : _timeToObject(terms);
            position.pending = amount;
            Status next = accepted ? Status.ReleasePending : Status.RefundPending;
            // The arbiter keeps the case, and has long enough left to look at the new verdict.
            if (disputed) (next, clock) = (Status.DisputedOverVerdict, _max(clock, position.clock));
            _startClock(position, next, clock);
        }
        emit MilestoneAttested(
            position.id,
            position.index,
            attestation.verdict,
            amount,
            attestation.evidenceHash,
            attestation.issuedAt,
            signers,
            clock
        );
        if (atOnce) {
            _distribute(position, terms, milestone, amount - position.paid, 0);
        }
    }

    /// @dev One item of a batch: skipped where somebody or time was first, queued where it pays.
    function _decideItem(BatchItem calldata item, uint256 signers, PayoutsLib.Queue memory queue) private {
        Terms calldata terms = item.terms;
        MilestoneRef calldata ref = item.ref;
        Attestation calldata attestation = item.attestation;
        Position memory position = _locate(terms, ref);
        _requireWellFormed(position, attestation);
        bytes4 objection = _objection(position, ref.milestone, attestation, false);
        if (objection != 0) {
            emit AttestationSkipped(position.id, position.index, objection);
            return;
        }
        _decide(position, terms, ref.milestone, attestation, signers);
        address token = terms.token;
        PayoutsLib.add(queue, token, position.payee, position.toPayee);
        if (position.fee != 0) PayoutsLib.add(queue, token, terms.feeRecipient, position.fee);
    }

    /// @dev A receivable can be handed on while the payee may still expect money, to nobody who decides about it.
    function _requireAssignable(
        Position memory position,
        Terms calldata terms,
        Milestone calldata milestone,
        address assignee
    ) private view {
        _requireOpen(position, milestone, StatusLib.ASSIGNABLE);
        bool allowed = assignee != address(0) && assignee != address(this) && assignee != terms.arbiter;
        address[] calldata verifiers = terms.verifiers;
        for (uint256 i; i < verifiers.length && allowed; ++i) {
            allowed = assignee != verifiers[i];
        }
        if (!allowed) revert RoleNotAllowed("assignee", assignee);
    }

    function _assign(Position memory position, address payee, address assignee, uint256 price) private {
        position.assignee = assignee;
        if (position.handover != HANDOVER_SPENT) ++position.handover;
        _store(position, position.status);
        emit MilestoneAssigned(position.id, position.index, assignee, payee, price);
    }

    /// @dev Settles the chosen milestones, as they were when the order was signed, with the consent of everybody
    /// whom it concerns.
    function _close(
        bytes32 id,
        Terms calldata terms,
        Milestone[] calldata milestones,
        Amendment calldata amendment,
        bytes[] calldata signatures,
        bytes32 digest
    ) private returns (uint256 carried) {
        uint256 word = _openWord(id);
        uint256 closes = amendment.closes;
        _requireSome(closes, milestones.length);
        uint256 used = _requireParties(terms, amendment.terms, digest, signatures);
        uint256 epochs;
        for (uint256 i; closes >> i != 0; ++i) {
            if (closes & (1 << i) == 0) continue;
            Position memory position;
            _place(position, id, word, i);
            _requireStatus(position, StatusLib.HOLDING | StatusLib.UNFUNDED);
            // Epochs only ever rise: their sum is the same as long as each of them is.
            epochs += position.epoch == EPOCH_SPENT ? type(uint32).max : position.epoch;
            address assignee = position.assignee;
            if (assignee != address(0)) _requireConsent(assignee, digest, signatures, used++);
            if (position.status != Status.Unfunded) carried += milestones[i].amount - position.paid;
            word = word.withStatus(i, Status.Settled);
        }
        _requireUnchanged("carried", amendment.carried, carried);
        _requireUnchanged("epochs", amendment.epochs, epochs);
        if (signatures.length != used) revert SignatureCountMismatch(signatures.length, used);
        _agreements[id] = word;
    }

    /// @dev The sides that there are, and who takes the place of one. Returns how many have signed.
    function _requireParties(
        Terms calldata terms,
        Terms calldata amended,
        bytes32 digest,
        bytes[] calldata signatures
    ) private view returns (uint256 used) {
        _requireConsent(terms.buyer, digest, signatures, used++);
        _requireConsent(terms.supplier, digest, signatures, used++);
        if (amended.buyer != terms.buyer) _requireConsent(amended.buyer, digest, signatures, used++);
        if (amended.supplier != terms.supplier) _requireConsent(amended.supplier, digest, signatures, used++);
    }

    function _requireUnchanged(bytes32 what, uint256 signed, uint256 present) private pure {
        if (signed != present) revert ChangedSince(what, signed, present);
    }

    function _requireEpochSignature(
        Position memory position,
        address account,
        bytes32 structHash,
        uint256 validUntil,
        bytes calldata signature
    ) private view {
        _requireActSignature(account, structHash, position.epoch == EPOCH_SPENT, validUntil, signature);
    }

    /// @dev The account calls, or its signature is the one at `index`.
    function _requireConsent(address account, bytes32 digest, bytes[] calldata signatures, uint256 index) private view {
        if (msg.sender == account) return;
        if (index >= signatures.length) revert NotAuthorized(msg.sender, account);
        _requireSignature(account, digest, signatures[index]);
    }
}
