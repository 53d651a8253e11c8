// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {
    Attestation,
    IMilestoneEscrow,
    Milestone,
    MilestoneRef,
    MilestoneState,
    Status,
    Terms
} from "./interfaces/IMilestoneEscrow.sol";
import {ActsLib} from "./libraries/ActsLib.sol";
import {SignatureLib} from "./libraries/SignatureLib.sol";
import {StatusLib} from "./libraries/StatusLib.sol";
import {TermsLib} from "./libraries/TermsLib.sol";
import {TokenLib} from "./libraries/TokenLib.sol";

/// @title Milestone escrow
/// @notice See IMilestoneEscrow, where everything is documented once.
contract MilestoneEscrow is IMilestoneEscrow, EIP712, ReentrancyGuardTransient {
    using StatusLib for uint256;
    using TermsLib for Terms;
    using ActsLib for Attestation;

    uint8 private constant ACCEPTED = 1;
    uint8 private constant REJECTED = 2;

    /// @dev A refund takes effect after this long at least, however short the objection period.
    uint256 private constant MIN_REJECTION_PERIOD = 3 days;

    /// @dev What a milestone needs beyond its status; most never get any. Two slots.
    struct Details {
        address assignee;
        uint32 clock;
        uint32 issuedAt;
        uint24 sequence; // 16 million changes, each of them a transaction
        /// @dev Whether the second slot was ever written: elsewhere it is neither read nor written.
        bool hasAmounts;
        uint128 pending;
        uint128 paid;
    }

    /// @dev One milestone during a call: where it stands, and the agreement's word to write back.
    struct Position {
        bytes32 id;
        uint256 index;
        uint256 word;
        Status status;
        Details details;
    }

    /// @dev Ids are digests under this domain, so that open agreements keep theirs when a chain forks.
    bytes32 private immutable _idDomain;

    mapping(bytes32 agreementId => uint256 word) private _agreements;
    mapping(bytes32 agreementId => mapping(uint256 milestone => Details)) private _details;
    mapping(address token => mapping(address account => uint256)) private _credits;

    constructor() EIP712("MilestoneEscrow", "1") {
        _idDomain = _domainSeparatorV4();
    }

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
            word = StatusLib.OPEN;
            _agreements[id] = word;
            emit AgreementOpened(id, terms.buyer, terms.supplier, terms, milestones);
        } else {
            for (uint256 i; i < milestones.length; ++i) {
                if (word.statusOf(i) != Status.Unfunded) chosen &= ~(1 << i);
            }
        }
        if (chosen != 0) _fund(id, word, terms, milestones, chosen);
    }

    /// @inheritdoc IMilestoneEscrow
    function fund(Terms calldata terms, Milestone[] calldata milestones, uint256 chosen) external nonReentrant {
        bytes32 id = _idOf(terms.hash(milestones));
        uint256 word = _agreements[id];
        if (word == 0) revert AgreementNotOpen(id);
        if (chosen == 0) revert UnknownMilestones(0, milestones.length);
        _fund(id, word, terms, milestones, chosen);
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
        _requireStatus(position, StatusLib.ATTESTABLE);
        _requireBefore(_end(position, ref.milestone));
        _requireAttestation(position, ref.milestone, attestation);
        _requireQuorum(terms, ref.milestone, attestation, signers, signatures);
        // Effect.
        bool accepted = attestation.verdict == ACCEPTED;
        bool atOnce = accepted && terms.objectionPeriod == 0;
        uint256 clock = block.timestamp;
        position.details.issuedAt = uint32(attestation.issuedAt); // at most now
        if (!atOnce) {
            clock += accepted ? terms.objectionPeriod : _max(terms.objectionPeriod, MIN_REJECTION_PERIOD);
            position.details.pending = attestation.amount; // 0 where rejected
            _startClock(position, accepted ? Status.ReleasePending : Status.RefundPending, clock);
        }
        // Emit. Move money.
        emit MilestoneAttested(
            position.id,
            position.index,
            attestation.verdict,
            attestation.amount,
            attestation.evidenceHash,
            attestation.issuedAt,
            signers,
            clock
        );
        if (atOnce) {
            _distribute(position, terms, ref.milestone, attestation.amount - position.details.paid, 0);
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
            bytes32 structHash = ActsLib.submission(
                position.id, position.index, evidenceHash, position.details.sequence, validUntil
            );
            _requireActSignature(payee, structHash, validUntil, signature);
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
        _requireStatus(position, StatusLib.DISPUTABLE);
        _requireBefore(_end(position, ref.milestone));
        (address party, bool needsArbiter) = _mayDispute(position, terms, ref.milestone);
        if (needsArbiter && terms.arbiter == address(0)) revert NoArbiter();
        if (msg.sender != party) {
            bytes32 structHash =
                ActsLib.dispute(position.id, position.index, reasonHash, position.details.sequence, validUntil);
            _requireActSignature(party, structHash, validUntil, signature);
        }
        // Effect. Emit.
        bool overVerdict = position.status == Status.ReleasePending || position.status == Status.RefundPending;
        uint256 clock = overVerdict ? block.timestamp : _max(block.timestamp, ref.milestone.deadline);
        clock += terms.arbitrationPeriod;
        _startClock(
            position, overVerdict ? Status.DisputedOverVerdict : Status.DisputedBeforeVerdict, clock
        );
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
        _requireStatus(position, StatusLib.DISPUTED);
        _requireBefore(position.details.clock);
        _requireSplit(uint256(toPayee) + toBuyer, 0, ref.milestone.amount - position.details.paid);
        if (msg.sender != terms.arbiter) {
            bytes32 structHash = ActsLib.ruling(
                position.id, position.index, toPayee, toBuyer, reasonHash, position.details.sequence, validUntil
            );
            _requireActSignature(terms.arbiter, structHash, validUntil, signature);
        }
        // Emit. Effect. Move money.
        emit MilestoneRuled(position.id, position.index, toPayee, toBuyer, reasonHash);
        _distribute(position, terms, ref.milestone, toPayee, toBuyer);
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
        uint256 held = ref.milestone.amount - position.details.paid;
        _requireSplit(uint256(toPayee) + toBuyer, position.status == Status.Funded ? 1 : held, held);
        address payee = _payeeOf(position, terms);
        bool buyerSigns = toPayee != 0 && msg.sender != terms.buyer;
        bool payeeSigns = toBuyer != 0 && msg.sender != payee;
        if (buyerSigns || payeeSigns) {
            bytes32 structHash = ActsLib.resolution(
                position.id, position.index, toPayee, toBuyer, position.details.sequence, validUntil
            );
            if (buyerSigns) _requireActSignature(terms.buyer, structHash, validUntil, buyerSignature);
            if (payeeSigns) _requireActSignature(payee, structHash, validUntil, payeeSignature);
        }
        // Emit. Effect. Move money.
        emit MilestoneResolved(position.id, position.index, toPayee, toBuyer);
        _distribute(position, terms, ref.milestone, toPayee, toBuyer);
    }

    /// @inheritdoc IMilestoneEscrow
    function finalize(Terms calldata terms, MilestoneRef calldata ref) external nonReentrant {
        // Check: the milestone, the time.
        Position memory position = _locate(terms, ref);
        _requireStatus(position, StatusLib.HOLDING);
        uint256 end = _end(position, ref.milestone);
        if (block.timestamp < end) revert TooEarly(block.timestamp, end);
        // Emit. Effect. Move money.
        emit MilestoneFinalized(position.id, position.index, position.status);
        (uint256 toPayee, uint256 toBuyer) = _silence(position, terms, ref.milestone);
        _distribute(position, terms, ref.milestone, toPayee, toBuyer);
    }

    /// @inheritdoc IMilestoneEscrow
    function withdraw(address token, address account) external nonReentrant returns (uint256 amount) {
        amount = _credits[token][account];
        if (amount == 0) revert NothingCredited(token, account);
        _credits[token][account] = 0;
        emit CreditWithdrawn(token, account, amount);
        if (!TokenLib.tryPush(token, account, amount)) revert WithdrawalFailed(token, account, amount);
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
    function milestoneStates(bytes32 agreementId, uint256 count) external view returns (MilestoneState[] memory states) {
        uint256 word = _agreements[agreementId];
        if (count > TermsLib.MAX_MILESTONES) revert UnknownMilestones(count, TermsLib.MAX_MILESTONES);
        states = new MilestoneState[](count);
        for (uint256 i; i < count; ++i) {
            states[i].status = word.statusOf(i);
            if (states[i].status == Status.Settled || !word.hasDetails(i)) continue;
            Details memory details = _details[agreementId][i];
            states[i].assignee = details.assignee;
            states[i].clock = details.clock;
            states[i].issuedAt = details.issuedAt;
            states[i].sequence = details.sequence;
            states[i].pending = details.pending;
            states[i].paid = details.paid;
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

    /// @dev Marks the chosen milestones, pulls their sum, and passes deposits on.
    function _fund(
        bytes32 id,
        uint256 word,
        Terms calldata terms,
        Milestone[] calldata milestones,
        uint256 chosen
    ) private {
        if (chosen >> milestones.length != 0) revert UnknownMilestones(chosen, milestones.length);
        uint256 total;
        uint256 deposits;
        for (uint256 i; i < milestones.length; ++i) {
            if (chosen & (1 << i) == 0) continue;
            Milestone calldata milestone = milestones[i];
            Status status = word.statusOf(i);
            if (status != Status.Unfunded) revert WrongStatus(i, status, 1);
            uint256 deadline = milestone.deadline;
            if (deadline == 0) {
                deposits |= 1 << i;
                word = word.withStatus(i, Status.Settled);
            } else {
                _requireBefore(deadline);
                word = word.withStatus(i, Status.Funded);
            }
            total += milestone.amount;
        }
        _agreements[id] = word;
        emit MilestonesFunded(id, msg.sender, chosen, total);
        TokenLib.pull(terms.token, msg.sender, total);
        for (uint256 i; deposits >> i != 0; ++i) {
            if (deposits & (1 << i) != 0) _pay(id, i, terms, terms.supplier, milestones[i].amount, 0);
        }
    }

    /// @dev Finds the agreement and the milestone that a call names; wrong terms name one that is not open.
    function _locate(Terms calldata terms, MilestoneRef calldata ref) private view returns (Position memory position) {
        bytes32 id = _idOf(terms.hash(ref));
        uint256 word = _agreements[id];
        if (word == 0) revert AgreementNotOpen(id);
        position.id = id;
        position.index = ref.index;
        position.word = word;
        position.status = word.statusOf(ref.index);
        if (word.hasDetails(ref.index)) _load(position.details, _details[id][ref.index]);
    }

    function _load(Details memory details, Details storage stored) private view {
        details.assignee = stored.assignee;
        details.clock = stored.clock;
        details.issuedAt = stored.issuedAt;
        details.sequence = stored.sequence;
        details.hasAmounts = stored.hasAmounts;
        if (!details.hasAmounts) return;
        details.pending = stored.pending;
        details.paid = stored.paid;
    }

    function _idOf(bytes32 structHash) private view returns (bytes32) {
        return MessageHashUtils.toTypedDataHash(_idDomain, structHash);
    }

    function _payeeOf(Position memory position, Terms calldata terms) private pure returns (address) {
        return position.details.assignee == address(0) ? terms.supplier : position.details.assignee;
    }

    /// @dev When the milestone's present status ends.
    function _end(Position memory position, Milestone calldata milestone) private pure returns (uint256) {
        return position.status == Status.Funded ? milestone.deadline : position.details.clock;
    }

    /// @dev Whom the present status is about to go against, and whether that one needs an arbiter to object.
    function _mayDispute(Position memory position, Terms calldata terms, Milestone calldata milestone)
        private
        pure
        returns (address party, bool needsArbiter)
    {
        Status status = position.status;
        if (status == Status.Submitted) return (terms.buyer, false);
        if (status == Status.ReleasePending) return (terms.buyer, true);
        if (status == Status.Funded && milestone.paysOnSilence) return (terms.buyer, false);
        return (_payeeOf(position, terms), true);
    }

    /// @dev What silence does with what is held.
    function _silence(Position memory position, Terms calldata terms, Milestone calldata milestone)
        private
        pure
        returns (uint256 toPayee, uint256 toBuyer)
    {
        uint256 held = milestone.amount - position.details.paid;
        Status status = position.status;
        if (status == Status.Submitted || (status == Status.Funded && milestone.paysOnSilence)) return (held, 0);
        if (status == Status.DisputedBeforeVerdict) {
            toPayee = held * terms.defaultPayeeBps / TermsLib.BPS; // rounded down, in the buyer's favour
            return (toPayee, held - toPayee);
        }
        // The verdict stands: an accepting one certified more than was paid, a rejecting one left 0.
        if (status != Status.Funded && position.details.pending != 0) {
            return (position.details.pending - position.details.paid, 0);
        }
        return (0, held);
    }

    function _requireStatus(Position memory position, uint256 allowed) private pure {
        if ((1 << uint256(position.status)) & allowed == 0) {
            revert WrongStatus(position.index, position.status, allowed);
        }
    }

    function _requireBefore(uint256 end) private view {
        if (block.timestamp >= end) revert TooLate(block.timestamp, end);
    }

    function _requireSplit(uint256 asked, uint256 atLeast, uint256 atMost) private pure {
        if (asked < atLeast || asked > atMost) revert SplitOutOfBounds(asked, atLeast, atMost);
    }

    function _requireAttestation(
        Position memory position,
        Milestone calldata milestone,
        Attestation calldata attestation
    ) private view {
        if (attestation.agreementId != position.id || attestation.milestone != position.index) {
            revert AttestationMismatch(
                attestation.agreementId, attestation.milestone, position.id, position.index
            );
        }
        _requireValid(attestation.validUntil);
        uint256 last = position.details.issuedAt;
        if (attestation.issuedAt <= last || attestation.issuedAt > block.timestamp) {
            revert IssuedAtOutOfBounds(attestation.issuedAt, last, block.timestamp);
        }
        uint256 atLeast;
        uint256 atMost;
        if (attestation.verdict == ACCEPTED) {
            (atLeast, atMost) = (uint256(position.details.paid) + 1, milestone.amount);
        } else if (attestation.verdict != REJECTED) {
            revert VerdictNotAllowed(attestation.verdict);
        }
        if (attestation.amount < atLeast || attestation.amount > atMost) {
            revert AmountOutOfBounds(attestation.amount, atLeast, atMost);
        }
    }

    function _requireQuorum(
        Terms calldata terms,
        Milestone calldata milestone,
        Attestation calldata attestation,
        uint256 signers,
        bytes[] calldata signatures
    ) private view {
        uint256 count = signatures.length;
        if (signers & ~uint256(milestone.verifierSet) != 0) {
            revert SignersNotAllowed(signers, milestone.verifierSet);
        }
        if (count != TermsLib.popCount(signers)) revert SignatureCountMismatch(count, TermsLib.popCount(signers));
        if (count < milestone.quorum || count == 0) revert QuorumNotReached(count, milestone.quorum);
        bytes32 digest = _hashTypedDataV4(attestation.hash());
        address[] calldata verifiers = terms.verifiers;
        uint256 bit;
        for (uint256 i; i < count; ++i) {
            while (signers & (1 << bit) == 0) ++bit;
            _requireSignature(verifiers[bit], digest, signatures[i]);
            ++bit;
        }
    }

    /// @dev An act that someone else sends: its signature must be given, in time, and the account's own.
    function _requireActSignature(address account, bytes32 structHash, uint256 validUntil, bytes calldata signature)
        private
        view
    {
        if (signature.length == 0) revert NotAuthorized(msg.sender, account);
        _requireValid(validUntil);
        _requireSignature(account, _hashTypedDataV4(structHash), signature);
    }

    function _requireValid(uint256 validUntil) private view {
        if (block.timestamp > validUntil) revert SignatureExpired(validUntil, block.timestamp);
    }

    function _requireSignature(address account, bytes32 digest, bytes calldata signature) private view {
        if (!SignatureLib.isValid(account, digest, signature)) revert InvalidSignature(account, digest);
    }

    function _startClock(Position memory position, Status status, uint256 clock) private {
        // At most 21 years past the opening, which TermsLib keeps within 32 bits: the cast is safe until 2085.
        position.details.clock = uint32(clock);
        _store(position, status);
    }

    /// @dev Takes `toPayee` and `toBuyer`, together at most what is held, out of the milestone and pays them.
    function _distribute(
        Position memory position,
        Terms calldata terms,
        Milestone calldata milestone,
        uint256 toPayee,
        uint256 toBuyer
    ) private {
        // Effect.
        uint256 paid = position.details.paid + toPayee + toBuyer;
        address payee = _payeeOf(position, terms);
        if (paid == milestone.amount) {
            _agreements[position.id] = position.word.withStatus(position.index, Status.Settled);
        } else {
            position.details.paid = uint128(paid); // below the amount, which has 128 bits
            position.details.pending = 0;
            _store(position, Status.Funded);
        }
        _pay(position.id, position.index, terms, payee, toPayee, toBuyer);
    }

    /// @dev Writes a status that is not final, and its details; what was signed before no longer counts.
    function _store(Position memory position, Status status) private {
        ++position.details.sequence;
        _agreements[position.id] =
            position.word.withStatus(position.index, status).withDetails(position.index);
        Details memory details = position.details;
        Details storage stored = _details[position.id][position.index];
        bool writesAmounts = details.hasAmounts || details.pending != 0 || details.paid != 0;
        stored.assignee = details.assignee;
        stored.clock = details.clock;
        stored.issuedAt = details.issuedAt;
        stored.sequence = details.sequence;
        stored.hasAmounts = writesAmounts;
        if (!writesAmounts) return;
        stored.pending = details.pending;
        stored.paid = details.paid;
    }

    function _pay(
        bytes32 id,
        uint256 index,
        Terms calldata terms,
        address payee,
        uint256 toPayee,
        uint256 toBuyer
    ) private {
        if (toPayee + toBuyer == 0) return;
        uint256 fee = toPayee * terms.feeBps / TermsLib.BPS; // rounded down, in the payee's favour
        emit MilestonePaid(id, index, payee, toPayee - fee, fee, toBuyer);
        _push(terms.token, payee, toPayee - fee);
        _push(terms.token, terms.feeRecipient, fee);
        _push(terms.token, terms.buyer, toBuyer);
    }

    /// @dev Nobody who cannot receive stops another from receiving: what fails is credited.
    function _push(address token, address to, uint256 amount) private {
        if (amount == 0 || TokenLib.tryPush(token, to, amount)) return;
        _credits[token][to] += amount;
        emit PayoutCredited(token, to, amount);
    }

    function _max(uint256 a, uint256 b) private pure returns (uint256) {
        return a > b ? a : b;
    }
}
