// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Amendment, Attestation, Offer} from "../interfaces/IMilestoneEscrow.sol";

/// @dev EIP-712 struct hashes of what people sign about an open agreement.
library ActsLib {
    bytes32 internal constant ATTESTATION_TYPEHASH = keccak256(
        "Attestation(bytes32 agreementId,uint256 milestone,uint8 verdict,uint128 amount,bytes32 evidenceHash,uint64 issuedAt,uint64 validUntil)"
    );
    bytes32 internal constant SUBMISSION_TYPEHASH = keccak256(
        "Submission(bytes32 agreementId,uint256 milestone,bytes32 evidenceHash,uint16 epoch,uint64 validUntil)"
    );
    bytes32 internal constant DISPUTE_TYPEHASH =
        keccak256("Dispute(bytes32 agreementId,uint256 milestone,bytes32 reasonHash,uint16 epoch,uint64 validUntil)");
    bytes32 internal constant RULING_TYPEHASH = keccak256(
        "Ruling(bytes32 agreementId,uint256 milestone,uint128 toPayee,uint128 toBuyer,bytes32 reasonHash,uint16 epoch,uint64 validUntil)"
    );
    bytes32 internal constant RESOLUTION_TYPEHASH = keccak256(
        "Resolution(bytes32 agreementId,uint256 milestone,uint128 toPayee,uint128 toBuyer,uint128 held,uint16 epoch,uint64 validUntil)"
    );

    bytes32 internal constant BATCH_TYPEHASH = keccak256(
        "AttestBatch(Attestation[] attestations)Attestation(bytes32 agreementId,uint256 milestone,uint8 verdict,uint128 amount,bytes32 evidenceHash,uint64 issuedAt,uint64 validUntil)"
    );
    bytes32 internal constant ASSIGNMENT_TYPEHASH = keccak256(
        "Assignment(bytes32 agreementId,uint256 milestone,address assignee,uint8 handover,uint64 validUntil)"
    );
    bytes32 internal constant OFFER_TYPEHASH = keccak256(
        "Offer(bytes32 agreementId,uint256 milestone,address financier,uint128 price,uint128 held,uint16 epoch,uint8 handover,uint64 validUntil)"
    );
    bytes32 internal constant AMENDMENT_TYPEHASH = keccak256(
        "AgreedAmendment(bytes32 replaces,uint64 closes,uint64 funds,uint256 carried,uint32 epochs,uint64 validUntil,Agreement terms)Agreement(address buyer,address supplier,address token,address arbiter,address[] verifiers,uint32 objectionPeriod,uint32 reviewPeriod,uint32 arbitrationPeriod,uint16 defaultPayeeBps,address feeRecipient,uint16 feeBps,bytes32 documentHash,uint256 salt,Milestone[] milestones)Milestone(uint128 amount,uint64 deadline,bool paysOnSilence,uint32 verifierSet,uint8 quorum,bytes32 requirementsHash)"
    );

    /// @dev Its seven words in calldata are those of the struct. One with dirty upper bits reverts where it is
    /// read, before anything is decided.
    function hash(Attestation calldata attestation) internal pure returns (bytes32 digest) {
        bytes32 typeHash = ATTESTATION_TYPEHASH;
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, typeHash)
            calldatacopy(add(free, 0x20), attestation, 0xe0)
            digest := keccak256(free, 0x100)
        }
    }

    function submission(
        bytes32 id,
        uint256 milestone,
        bytes32 evidenceHash,
        uint16 epoch,
        uint64 validUntil
    ) internal pure returns (bytes32) {
        return keccak256(abi.encode(SUBMISSION_TYPEHASH, id, milestone, evidenceHash, epoch, validUntil));
    }

    function dispute(
        bytes32 id,
        uint256 milestone,
        bytes32 reasonHash,
        uint16 epoch,
        uint64 validUntil
    ) internal pure returns (bytes32) {
        return keccak256(abi.encode(DISPUTE_TYPEHASH, id, milestone, reasonHash, epoch, validUntil));
    }

    function ruling(
        bytes32 id,
        uint256 milestone,
        uint128 toPayee,
        uint128 toBuyer,
        bytes32 reasonHash,
        uint16 epoch,
        uint64 validUntil
    ) internal pure returns (bytes32) {
        return keccak256(abi.encode(RULING_TYPEHASH, id, milestone, toPayee, toBuyer, reasonHash, epoch, validUntil));
    }

    function resolution(
        bytes32 id,
        uint256 milestone,
        uint128 toPayee,
        uint128 toBuyer,
        uint256 held,
        uint16 epoch,
        uint64 validUntil
    ) internal pure returns (bytes32) {
        return keccak256(abi.encode(RESOLUTION_TYPEHASH, id, milestone, toPayee, toBuyer, held, epoch, validUntil));
    }

    function batch(bytes32[] memory attestations) internal pure returns (bytes32) {
        return keccak256(abi.encode(BATCH_TYPEHASH, keccak256(abi.encodePacked(attestations))));
    }

    function assignment(
        bytes32 id,
        uint256 milestone,
        address assignee,
        uint8 handover,
        uint64 validUntil
    ) internal pure returns (bytes32) {
        return keccak256(abi.encode(ASSIGNMENT_TYPEHASH, id, milestone, assignee, handover, validUntil));
    }

    function offer(bytes32 id, uint256 milestone, Offer calldata offered) internal pure returns (bytes32) {
        return keccak256(abi.encode(OFFER_TYPEHASH, id, milestone, offered));
    }

    /// @param terms The struct hash of the new agreement.
    function amendment(bytes32 replaces, Amendment calldata amended, bytes32 terms) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                AMENDMENT_TYPEHASH,
                replaces,
                amended.closes,
                amended.funds,
                amended.carried,
                amended.epochs,
                amended.validUntil,
                terms
            )
        );
    }
}
