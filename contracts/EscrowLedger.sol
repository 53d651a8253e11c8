// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {Attestation, IMilestoneEscrow, Milestone, MilestoneRef, Status, Terms} from "./interfaces/IMilestoneEscrow.sol";
import {ActsLib} from "./libraries/ActsLib.sol";
import {SignatureLib} from "./libraries/SignatureLib.sol";
import {StatusLib} from "./libraries/StatusLib.sol";
import {TermsLib} from "./libraries/TermsLib.sol";
import {TokenLib} from "./libraries/TokenLib.sol";

/// @title Escrow ledger
/// @notice What the verbs of MilestoneEscrow stand on: all storage, where a milestone stands, who consents,
/// and the ways money leaves. It has no entry points of its own.
abstract contract EscrowLedger is IMilestoneEscrow, EIP712, ReentrancyGuardTransient {
    using StatusLib for uint256;
    using TermsLib for Terms;
    using ActsLib for Attestation;

    uint8 internal constant ACCEPTED = 1;
    uint8 internal constant REJECTED = 2;

    uint16 internal constant EPOCH_SPENT = type(uint16).max;
    uint8 internal constant HANDOVER_SPENT = type(uint8).max;

    /// @dev Whoever a rejection or a rest goes against has this long at least to object, however short the
    /// objection period.
    uint256 internal constant MIN_TIME_TO_OBJECT = 3 days;

    /// @dev What a milestone needs beyond its status; most never get any. Two slots.
    struct Details {
        address assignee;
        uint32 clock;
        uint32 issuedAt;
        /// @dev Advanced by each change of status and each verdict. It stays at its highest once there, so that
        /// nobody can wear a milestone out; see `_requireActSignature`.
        uint16 epoch;
        /// @dev Advanced by each assignment, and stays at its highest likewise.
        uint8 handover;
        /// @dev Whether the second slot was ever written: elsewhere it is neither read nor written.
        bool hasAmounts;
        uint128 pending;
        uint128 paid;
    }

    /// @dev One milestone during a call: where it stands, its details, and the agreement's word to write back.
    struct Position {
        bytes32 id;
        uint256 index;
        uint256 word;
        Status status;
        address assignee;
        uint32 clock;
        uint32 issuedAt;
        uint16 epoch;
        uint8 handover;
        bool hasAmounts;
        uint128 pending;
        uint128 paid;
        /// @dev What this call pays out: to the payee net of the fee, the fee, and the buyer's part.
        address payee;
        uint256 toPayee;
        uint256 fee;
        uint256 toBuyer;
    }

    /// @dev Ids are digests under this domain, so that open agreements keep theirs when a chain forks.
    bytes32 private immutable _idDomain;

    mapping(bytes32 agreementId => uint256 word) internal _agreements;
    mapping(bytes32 agreementId => mapping(uint256 milestone => Details)) internal _details;
    mapping(address token => mapping(address account => uint256)) internal _credits;

    constructor() EIP712("MilestoneEscrow", "1") {
        _idDomain = _domainSeparatorV4();
    }

    function _idOf(bytes32 structHash) internal view returns (bytes32) {
        return MessageHashUtils.toTypedDataHash(_idDomain, structHash);
    }

    /// @dev Finds the agreement and the milestone that a call names; wrong terms name one that is not open.
    function _locate(Terms calldata terms, MilestoneRef calldata ref) internal view returns (Position memory position) {
        bytes32 id = _idOf(terms.hash(ref));
        _place(position, id, _openWord(id), ref.index);
    }

    /// @dev Fills a position in place: returning one from here would allocate a second.
    function _place(Position memory position, bytes32 id, uint256 word, uint256 index) internal view {
        position.id = id;
        position.index = index;
        position.word = word;
        position.status = word.statusOf(index);
        if (word.hasDetails(index)) _load(position, _details[id][index]);
    }

    function _load(Position memory position, Details storage stored) private view {
        position.assignee = stored.assignee;
        position.clock = stored.clock;
        position.issuedAt = stored.issuedAt;
        position.epoch = stored.epoch;
        position.handover = stored.handover;
        position.hasAmounts = stored.hasAmounts;
        if (!position.hasAmounts) return;
        position.pending = stored.pending;
        position.paid = stored.paid;
    }

    function _openWord(bytes32 id) internal view returns (uint256 word) {
        word = _agreements[id];
        if (word == 0) revert AgreementNotOpen(id);
    }

    function _payeeOf(Position memory position, Terms calldata terms) internal pure returns (address) {
        return position.assignee == address(0) ? terms.supplier : position.assignee;
    }

    /// @dev When the milestone's present status ends; funded, the clock counts where a rest was left late.
    function _end(Position memory position, Milestone calldata milestone) internal pure returns (uint256) {
        return position.status == Status.Funded ? _max(milestone.deadline, position.clock) : position.clock;
    }

    /// @dev Before when a quorum decides: the deadline. Later only the first verdict counts, on a submission or
    /// in a dispute, and what was decided by then stands.
    function _attestEnd(Position memory position, Milestone calldata milestone) internal pure returns (uint256) {
        uint256 clock = position.clock;
        if (position.status == Status.Funded || (position.issuedAt != 0 && milestone.deadline < clock)) {
            return milestone.deadline;
        }
        return clock;
    }

    function _timeToObject(Terms calldata terms) internal pure returns (uint256) {
        return _max(terms.objectionPeriod, MIN_TIME_TO_OBJECT);
    }

    /// @dev Until when a rest stays funded that a verdict or time leaves behind now.
    function _restUntil(Terms calldata terms, Milestone calldata milestone) internal view returns (uint32) {
        return uint32(_max(milestone.deadline, block.timestamp + _timeToObject(terms)));
    }

    /// @dev Whether the deadline alone pays: a progress payment about which verifiers never spoke.
    function _paysByDate(Position memory position, Milestone calldata milestone) private pure returns (bool) {
        return milestone.paysOnSilence && position.issuedAt == 0;
    }

    /// @dev Whom the present status is about to go against, and whether that one needs an arbiter to object.
    function _mayDispute(
        Position memory position,
        Terms calldata terms,
        Milestone calldata milestone
    ) internal pure returns (address party, bool needsArbiter) {
        Status status = position.status;
        if (status == Status.Submitted) return (terms.buyer, false);
        if (status == Status.ReleasePending) return (terms.buyer, true);
        if (status == Status.Funded && _paysByDate(position, milestone)) return (terms.buyer, false);
        return (_payeeOf(position, terms), true);
    }

    /// @dev What silence does with what is held.
    function _silence(
        Position memory position,
        Terms calldata terms,
        Milestone calldata milestone
    ) internal pure returns (uint256 toPayee, uint256 toBuyer) {
        uint256 held = milestone.amount - position.paid;
        Status status = position.status;
        if (status == Status.Submitted) return (held, 0);
        if (status == Status.Funded && _paysByDate(position, milestone)) return (held, 0);
        if (status == Status.DisputedBeforeVerdict && position.issuedAt == 0) {
            toPayee = held * terms.defaultPayeeBps / TermsLib.BPS; // rounded down, in the buyer's favour
            return (toPayee, held - toPayee);
        }
        // What verifiers certified stands, and nothing more: pending is 0 where they rejected, and while funded.
        if (position.pending == 0) return (0, held);
        toPayee = position.pending - position.paid;
        // A dispute that ends after the deadline settles all; elsewhere the rest waits.
        bool settles = status == Status.DisputedOverVerdict && position.clock >= milestone.deadline;
        return (toPayee, settles ? held - toPayee : 0);
    }

    function _requireStatus(Position memory position, uint256 allowed) internal pure {
        if (!_isIn(position, allowed)) revert WrongStatus(position.index, position.status, allowed);
    }

    /// @dev The milestone is in one of the allowed statuses, and that status has not ended.
    function _requireOpen(Position memory position, Milestone calldata milestone, uint256 allowed) internal view {
        _requireStatus(position, allowed);
        _requireBefore(_end(position, milestone));
    }

    function _isIn(Position memory position, uint256 allowed) internal pure returns (bool) {
        return (1 << uint256(position.status)) & allowed != 0;
    }

    function _requireBefore(uint256 end) internal view {
        if (block.timestamp >= end) revert TooLate(block.timestamp, end);
    }

    function _requireSplit(uint256 asked, uint256 atLeast, uint256 atMost) internal pure {
        if (asked < atLeast || asked > atMost) revert SplitOutOfBounds(asked, atLeast, atMost);
    }

    /// @dev The attestation is about this milestone and says something that it could ever say.
    function _requireWellFormed(Position memory position, Attestation calldata attestation) internal pure {
        if (attestation.agreementId != position.id || attestation.milestone != position.index) {
            revert AttestationMismatch(attestation.agreementId, attestation.milestone, position.id, position.index);
        }
        if (attestation.verdict != ACCEPTED && attestation.verdict != REJECTED) {
            revert VerdictNotAllowed(attestation.verdict);
        }
    }

    /// @dev The error that stands against the attestation here and now; zero where none does. A batch asks,
    /// a single attestation is `strict` and reverts with it.
    function _objection(
        Position memory position,
        Milestone calldata milestone,
        Attestation calldata attestation,
        bool strict
    ) internal view returns (bytes4) {
        uint256 nowAt = block.timestamp;
        if (!_isIn(position, StatusLib.HOLDING)) {
            if (strict) revert WrongStatus(position.index, position.status, StatusLib.HOLDING);
            return WrongStatus.selector;
        }
        uint256 end = _attestEnd(position, milestone);
        if (nowAt >= end) {
            if (strict) revert TooLate(nowAt, end);
            return TooLate.selector;
        }
        if (nowAt > attestation.validUntil) {
            if (strict) revert SignatureExpired(attestation.validUntil, nowAt);
            return SignatureExpired.selector;
        }
        uint256 last = position.issuedAt;
        if (attestation.issuedAt <= last || attestation.issuedAt > nowAt) {
            if (strict) revert IssuedAtOutOfBounds(attestation.issuedAt, last, nowAt);
            return IssuedAtOutOfBounds.selector;
        }
        uint256 atLeast;
        uint256 atMost;
        if (attestation.verdict == ACCEPTED) {
            (atLeast, atMost) = (uint256(position.paid) + 1, milestone.amount);
        }
        if (attestation.amount < atLeast || attestation.amount > atMost) {
            if (strict) revert AmountOutOfBounds(attestation.amount, atLeast, atMost);
            return AmountOutOfBounds.selector;
        }
        return 0;
    }

    /// @dev The signers, `count` of them, are enough for the milestone and all of its set.
    function _requireQuorum(Milestone calldata milestone, uint256 signers, uint256 count) internal pure {
        if (signers & ~uint256(milestone.verifierSet) != 0) {
            revert SignersNotAllowed(signers, milestone.verifierSet);
        }
        if (count < milestone.quorum || count == 0) revert QuorumNotReached(count, milestone.quorum);
    }

    /// @dev Each bit of `signers` signed `digest`: one signature each, in order, so none counts twice.
    function _requireSigners(
        address[] calldata verifiers,
        bytes32 digest,
        uint256 signers,
        uint256 count,
        bytes[] calldata signatures
    ) internal view {
        if (signatures.length != count) revert SignatureCountMismatch(signatures.length, count);
        uint256 bit;
        for (uint256 i; i < count; ++i) {
            while (signers & (1 << bit) == 0) ++bit;
            _requireSignature(verifiers[bit], digest, signatures[i]);
            ++bit;
        }
    }

    /// @dev An act that someone else sends: its signature must be given, in time, and the account's own. A
    /// counter at its highest tells signatures apart no longer, and accounts act by themselves only.
    function _requireActSignature(
        address account,
        bytes32 structHash,
        bool counterIsSpent,
        uint256 validUntil,
        bytes calldata signature
    ) internal view {
        if (counterIsSpent) revert NotAuthorized(msg.sender, account);
        _requireSignature(account, _hashTypedDataV4(structHash), signature);
        _requireValid(validUntil);
    }

    function _requireValid(uint256 validUntil) internal view {
        if (block.timestamp > validUntil) revert SignatureExpired(validUntil, block.timestamp);
    }

    /// @dev An empty signature is asked of contracts, some of which know by themselves what they signed.
    function _requireSignature(address account, bytes32 digest, bytes calldata signature) internal view {
        if (signature.length == 0 && account.code.length == 0) revert NotAuthorized(msg.sender, account);
        if (!SignatureLib.isValid(account, digest, signature)) revert InvalidSignature(account, digest);
    }

    /// @dev Opens the agreement in storage and in the log; bounds and consent are the caller's matter.
    function _open(bytes32 id, Terms calldata terms, Milestone[] calldata milestones) internal {
        _agreements[id] = StatusLib.OPEN;
        bytes memory data = terms.encode(milestones);
        bytes32 topic = AgreementOpened.selector;
        (address buyer, address supplier) = (terms.buyer, terms.supplier);
        assembly ("memory-safe") {
            log4(add(data, 0x20), mload(data), topic, id, buyer, supplier)
        }
    }

    /// @dev Marks the chosen milestones as funded, deposits as settled; moves no money yet.
    function _markFunded(
        bytes32 id,
        Milestone[] calldata milestones,
        uint256 chosen,
        address funder
    ) internal returns (uint256 total, uint256 deposits) {
        _requireSome(chosen, milestones.length);
        uint256 word = _agreements[id];
        for (uint256 i; i < milestones.length; ++i) {
            if (chosen & (1 << i) == 0) continue;
            Milestone calldata milestone = milestones[i];
            Status status = word.statusOf(i);
            if (status != Status.Unfunded) revert WrongStatus(i, status, StatusLib.UNFUNDED);
            if (milestone.deadline == 0) {
                deposits |= 1 << i;
                word = word.withStatus(i, Status.Settled);
            } else {
                _requireBefore(milestone.deadline);
                word = word.withStatus(i, Status.Funded);
            }
            total += milestone.amount;
        }
        _agreements[id] = word;
        emit MilestonesFunded(id, funder, chosen, total);
    }

    /// @dev A bitmap names at least one milestone, and none beyond those that there are.
    function _requireSome(uint256 chosen, uint256 count) internal pure {
        if (chosen == 0 || chosen >> count != 0) revert UnknownMilestones(chosen, count);
    }

    function _payDeposits(
        bytes32 id,
        Terms calldata terms,
        Milestone[] calldata milestones,
        uint256 deposits
    ) internal {
        for (uint256 i; deposits >> i != 0; ++i) {
            if (deposits & (1 << i) == 0) continue;
            Position memory position;
            (position.id, position.index) = (id, i);
            _book(position, terms, terms.supplier, milestones[i].amount, 0);
            _push(terms, position);
        }
    }

    function _startClock(Position memory position, Status status, uint256 clock) internal {
        // At most 21 years past the opening, which TermsLib keeps within 32 bits: the cast is safe until 2085.
        position.clock = uint32(clock);
        _advance(position);
        _store(position, status);
    }

    /// @dev From now on nothing counts that was signed about the milestone as it was.
    function _advance(Position memory position) internal pure {
        if (position.epoch != EPOCH_SPENT) ++position.epoch;
    }

    /// @dev Takes `toPayee` and `toBuyer`, together at most what is held, out of the milestone.
    function _distribute(
        Position memory position,
        Terms calldata terms,
        Milestone calldata milestone,
        uint256 toPayee,
        uint256 toBuyer
    ) internal {
        uint256 paid = position.paid + toPayee + toBuyer;
        address payee = _payeeOf(position, terms);
        if (paid == milestone.amount) {
            _agreements[position.id] = position.word.withStatus(position.index, Status.Settled);
        } else {
            position.paid = uint128(paid); // below the amount, which has 128 bits
            position.pending = 0;
            _store(position, Status.Funded);
        }
        _book(position, terms, payee, toPayee, toBuyer);
    }

    /// @dev Writes a status that is not final, and its details.
    function _store(Position memory position, Status status) internal {
        _agreements[position.id] = position.word.withStatus(position.index, status).withDetails(position.index);
        Details storage stored = _details[position.id][position.index];
        bool writesAmounts = position.hasAmounts || position.pending != 0 || position.paid != 0;
        stored.assignee = position.assignee;
        stored.clock = position.clock;
        stored.issuedAt = position.issuedAt;
        stored.epoch = position.epoch;
        stored.handover = position.handover;
        stored.hasAmounts = writesAmounts;
        if (!writesAmounts) return;
        stored.pending = position.pending;
        stored.paid = position.paid;
    }

    /// @dev Works out the fee and logs the payout.
    function _book(
        Position memory position,
        Terms calldata terms,
        address payee,
        uint256 toPayee,
        uint256 toBuyer
    ) private {
        uint256 fee = toPayee * terms.feeBps / TermsLib.BPS; // rounded down, in the payee's favour
        position.payee = payee;
        position.toPayee = toPayee - fee;
        position.fee = fee;
        position.toBuyer = toBuyer;
        if (toPayee + toBuyer == 0) return;
        emit MilestonePaid(position.id, position.index, payee, toPayee - fee, fee, toBuyer);
    }

    /// @dev Pays what was booked.
    function _push(Terms calldata terms, Position memory position) internal {
        _push(terms.token, position.payee, position.toPayee);
        _push(terms.token, terms.feeRecipient, position.fee);
        _push(terms.token, terms.buyer, position.toBuyer);
    }

    /// @dev Nobody who cannot receive stops another from receiving: what fails is credited.
    function _push(address token, address to, uint256 amount) internal {
        if (amount == 0 || TokenLib.tryPush(token, to, amount)) return;
        _credits[token][to] += amount;
        emit PayoutCredited(token, to, amount);
    }

    function _max(uint256 a, uint256 b) internal pure returns (uint256) {
        return a > b ? a : b;
    }
}
