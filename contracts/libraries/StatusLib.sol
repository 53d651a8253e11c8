// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Status} from "../interfaces/IMilestoneEscrow.sol";

/// @dev The one storage word of an agreement: four bits per milestone, three of status and one that says
/// that there are details; the highest bit says that the agreement is open.
library StatusLib {
    uint256 internal constant OPEN = 1 << 255;

    uint256 internal constant UNFUNDED = 1 << uint256(Status.Unfunded);
    uint256 internal constant FUNDED = 1 << uint256(Status.Funded);
    uint256 internal constant SUBMITTED = 1 << uint256(Status.Submitted);
    uint256 internal constant RELEASE_PENDING = 1 << uint256(Status.ReleasePending);
    uint256 internal constant REFUND_PENDING = 1 << uint256(Status.RefundPending);
    uint256 internal constant DISPUTED_BEFORE_VERDICT = 1 << uint256(Status.DisputedBeforeVerdict);
    uint256 internal constant DISPUTED_OVER_VERDICT = 1 << uint256(Status.DisputedOverVerdict);
    uint256 internal constant DISPUTED = DISPUTED_BEFORE_VERDICT | DISPUTED_OVER_VERDICT;
    /// @dev Where a party may object.
    uint256 internal constant DISPUTABLE = FUNDED | SUBMITTED | RELEASE_PENDING | REFUND_PENDING;
    /// @dev Where the right to the payout may change hands.
    uint256 internal constant ASSIGNABLE = FUNDED | SUBMITTED | RELEASE_PENDING;
    /// @dev Where there is money to decide about.
    uint256 internal constant HOLDING = DISPUTABLE | DISPUTED;

    function statusOf(uint256 word, uint256 milestone) internal pure returns (Status) {
        return Status((word >> (milestone * 4)) & 7);
    }

    function hasDetails(uint256 word, uint256 milestone) internal pure returns (bool) {
        return (word >> (milestone * 4)) & 8 != 0;
    }

    /// @dev The word with the milestone's status replaced and its details flag kept.
    function withStatus(uint256 word, uint256 milestone, Status status) internal pure returns (uint256) {
        uint256 shift = milestone * 4;
        return (word & ~(uint256(7) << shift)) | (uint256(status) << shift);
    }

    function withDetails(uint256 word, uint256 milestone) internal pure returns (uint256) {
        return word | (uint256(8) << (milestone * 4));
    }
}
