// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {
    Amendment,
    Attestation,
    Milestone,
    MilestoneRef,
    Offer,
    Status,
    Terms
} from "../interfaces/IMilestoneEscrow.sol";
import {ActsLib} from "../libraries/ActsLib.sol";
import {SignatureLib} from "../libraries/SignatureLib.sol";
import {StatusLib} from "../libraries/StatusLib.sol";
import {TermsLib} from "../libraries/TermsLib.sol";

/// @notice The libraries' insides, one by one, for the vectors that drive them and their Python twin.
contract Harness {
    using StatusLib for uint256;

    function milestoneHash(Milestone calldata milestone) external pure returns (bytes32) {
        return TermsLib.hash(milestone);
    }

    function agreementHash(Terms calldata terms, Milestone[] calldata milestones) external pure returns (bytes32) {
        return TermsLib.hash(terms, milestones);
    }

    function agreementHashByRef(Terms calldata terms, MilestoneRef calldata ref) external pure returns (bytes32) {
        return TermsLib.hash(terms, ref);
    }

    function attestationHash(Attestation calldata attestation) external pure returns (bytes32) {
        return ActsLib.hash(attestation);
    }

    function submissionHash(
        bytes32 id,
        uint256 milestone,
        bytes32 evidence,
        uint16 epoch,
        uint64 validUntil
    ) external pure returns (bytes32) {
        return ActsLib.submission(id, milestone, evidence, epoch, validUntil);
    }

    function disputeHash(
        bytes32 id,
        uint256 milestone,
        bytes32 reason,
        uint16 epoch,
        uint64 validUntil
    ) external pure returns (bytes32) {
        return ActsLib.dispute(id, milestone, reason, epoch, validUntil);
    }

    function rulingHash(
        bytes32 id,
        uint256 milestone,
        uint128 toPayee,
        uint128 toBuyer,
        bytes32 reason,
        uint16 epoch,
        uint64 validUntil
    ) external pure returns (bytes32) {
        return ActsLib.ruling(id, milestone, toPayee, toBuyer, reason, epoch, validUntil);
    }

    function resolutionHash(
        bytes32 id,
        uint256 milestone,
        uint128 toPayee,
        uint128 toBuyer,
        uint128 held,
        uint16 epoch,
        uint64 validUntil
    ) external pure returns (bytes32) {
        return ActsLib.resolution(id, milestone, toPayee, toBuyer, held, epoch, validUntil);
    }

    function assignmentHash(
        bytes32 id,
        uint256 milestone,
        address assignee,
        uint8 handover,
        uint64 validUntil
    ) external pure returns (bytes32) {
        return ActsLib.assignment(id, milestone, assignee, handover, validUntil);
    }

    function offerHash(bytes32 id, uint256 milestone, Offer calldata offered) external pure returns (bytes32) {
        return ActsLib.offer(id, milestone, offered);
    }

    function batchHash(Attestation[] calldata attestations) external pure returns (bytes32) {
        bytes32[] memory hashes = new bytes32[](attestations.length);
        for (uint256 i; i < hashes.length; ++i) {
            hashes[i] = ActsLib.hash(attestations[i]);
        }
        return ActsLib.batch(hashes);
    }

    function amendmentHash(bytes32 replaces, Amendment calldata amended) external pure returns (bytes32) {
        return ActsLib.amendment(replaces, amended, TermsLib.hash(amended.terms, amended.milestones));
    }

    function digest(bytes32 separator, bytes32 structHash) external pure returns (bytes32) {
        return MessageHashUtils.toTypedDataHash(separator, structHash);
    }

    function isValidSignature(address signer, bytes32 digest_, bytes calldata signature) external view returns (bool) {
        return SignatureLib.isValid(signer, digest_, signature);
    }

    function statusOf(uint256 word, uint256 milestone) external pure returns (Status, bool) {
        return (word.statusOf(milestone), word.hasDetails(milestone));
    }

    function withStatus(uint256 word, uint256 milestone, Status status, bool details) external pure returns (uint256) {
        word = word.withStatus(milestone, status);
        return details ? word.withDetails(milestone) : word;
    }

    function popCount(uint256 set) external pure returns (uint256) {
        return TermsLib.popCount(set);
    }
}
