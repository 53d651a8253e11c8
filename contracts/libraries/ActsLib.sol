// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Attestation} from "../interfaces/IMilestoneEscrow.sol";

/// @dev EIP-712 struct hashes of what people sign about an open agreement.
library ActsLib {
    bytes32 internal constant ATTESTATION_TYPEHASH = keccak256(
        "Attestation(bytes32 agreementId,uint256 milestone,uint8 verdict,uint128 amount,bytes32 evidenceHash,uint64 issuedAt,uint64 validUntil)"
    );
    bytes32 internal constant SUBMISSION_TYPEHASH = keccak256(
        "Submission(bytes32 agreementId,uint256 milestone,bytes32 evidenceHash,uint32 sequence,uint64 validUntil)"
    );
    bytes32 internal constant DISPUTE_TYPEHASH = keccak256(
        "Dispute(bytes32 agreementId,uint256 milestone,bytes32 reasonHash,uint32 sequence,uint64 validUntil)"
    );
    bytes32 internal constant RULING_TYPEHASH = keccak256(
        "Ruling(bytes32 agreementId,uint256 milestone,uint128 toPayee,uint128 toBuyer,bytes32 reasonHash,uint32 sequence,uint64 validUntil)"
    );
    bytes32 internal constant RESOLUTION_TYPEHASH = keccak256(
        "Resolution(bytes32 agreementId,uint256 milestone,uint128 toPayee,uint128 toBuyer,uint32 sequence,uint64 validUntil)"
    );

    function hash(Attestation calldata attestation) internal pure returns (bytes32) {
        return keccak256(abi.encode(ATTESTATION_TYPEHASH, attestation));
    }

    function submission(bytes32 id, uint256 milestone, bytes32 evidenceHash, uint32 sequence, uint64 validUntil)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(SUBMISSION_TYPEHASH, id, milestone, evidenceHash, sequence, validUntil));
    }

    function dispute(bytes32 id, uint256 milestone, bytes32 reasonHash, uint32 sequence, uint64 validUntil)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(DISPUTE_TYPEHASH, id, milestone, reasonHash, sequence, validUntil));
    }

    function ruling(
        bytes32 id,
        uint256 milestone,
        uint128 toPayee,
        uint128 toBuyer,
        bytes32 reasonHash,
        uint32 sequence,
        uint64 validUntil
    ) internal pure returns (bytes32) {
        return
            keccak256(abi.encode(RULING_TYPEHASH, id, milestone, toPayee, toBuyer, reasonHash, sequence, validUntil));
    }

    function resolution(
        bytes32 id,
        uint256 milestone,
        uint128 toPayee,
        uint128 toBuyer,
        uint32 sequence,
        uint64 validUntil
    ) internal pure returns (bytes32) {
        return keccak256(abi.encode(RESOLUTION_TYPEHASH, id, milestone, toPayee, toBuyer, sequence, validUntil));
    }
}
