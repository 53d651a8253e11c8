// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IMilestoneEscrow, Milestone, MilestoneRef, Terms} from "../interfaces/IMilestoneEscrow.sol";

/// @dev Hashes terms as EIP-712 does, and holds their bounds at opening.
library TermsLib {
    bytes32 internal constant MILESTONE_TYPEHASH = keccak256(
        "Milestone(uint128 amount,uint64 deadline,bool paysOnSilence,uint32 verifierSet,uint8 quorum,bytes32 requirementsHash)"
    );
    bytes32 internal constant AGREEMENT_TYPEHASH = keccak256(
        "Agreement(address buyer,address supplier,address token,address arbiter,address[] verifiers,uint32 objectionPeriod,uint32 reviewPeriod,uint32 arbitrationPeriod,uint16 defaultPayeeBps,address feeRecipient,uint16 feeBps,bytes32 documentHash,uint256 salt,Milestone[] milestones)Milestone(uint128 amount,uint64 deadline,bool paysOnSilence,uint32 verifierSet,uint8 quorum,bytes32 requirementsHash)"
    );

    uint256 internal constant MAX_MILESTONES = 60;
    uint256 internal constant MAX_VERIFIERS = 32;
    uint256 internal constant MAX_FEE_BPS = 1_000;
    uint256 internal constant BPS = 10_000;
    uint256 internal constant MIN_ARBITRATION_PERIOD = 3 days;
    /// @dev Unless it is 0, which switches submissions off.
    uint256 internal constant MIN_REVIEW_PERIOD = 3 days;
    uint256 internal constant MAX_PERIOD = 366 days;
    /// @dev Times are stored in 32 bits, which last until 2106: agreements can be opened until 2085.
    uint256 internal constant MAX_HORIZON = 20 * 366 days;

    function hash(Milestone calldata milestone) internal pure returns (bytes32 digest) {
        bytes32 typeHash = MILESTONE_TYPEHASH;
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, typeHash)
            calldatacopy(add(free, 0x20), milestone, 0xc0)
            digest := keccak256(free, 0xe0)
        }
    }

    function hash(address[] calldata verifiers) internal pure returns (bytes32 digest) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            let size := shl(5, verifiers.length)
            calldatacopy(free, verifiers.offset, size)
            digest := keccak256(free, size)
        }
    }

    /// @dev `hashStruct(Agreement)` from all milestones.
    function hash(Terms calldata terms, Milestone[] calldata milestones) internal pure returns (bytes32) {
        bytes32 typeHash = MILESTONE_TYPEHASH;
        bytes32 listHash;
        assembly ("memory-safe") {
            let free := mload(0x40)
            let list := add(free, 0xe0)
            let end := add(list, shl(5, milestones.length))
            let source := milestones.offset
            mstore(free, typeHash)
            for { let next := list } lt(next, end) { next := add(next, 0x20) } {
                calldatacopy(add(free, 0x20), source, 0xc0)
                mstore(next, keccak256(free, 0xe0))
                source := add(source, 0xc0)
            }
            listHash := keccak256(list, sub(end, list))
        }
        return _hash(terms, listHash);
    }

    /// @dev `hashStruct(Agreement)` from the hashes of the others and the one milestone itself.
    function hash(Terms calldata terms, MilestoneRef calldata ref) internal pure returns (bytes32) {
        bytes32[] calldata hashes = ref.hashes;
        uint256 index = ref.index;
        if (index >= hashes.length) revert IMilestoneEscrow.UnknownMilestones(index, hashes.length);
        bytes32 own = hash(ref.milestone);
        bytes32 listHash;
        assembly ("memory-safe") {
            let free := mload(0x40)
            let size := shl(5, hashes.length)
            calldatacopy(free, hashes.offset, size)
            mstore(add(free, shl(5, index)), own)
            listHash := keccak256(free, size)
        }
        return _hash(terms, listHash);
    }

    /// @dev The thirteen words of `Terms` in calldata are those of the EIP-712 struct, but for `verifiers`.
    /// A word with dirty upper bits only names an agreement that `validate` refuses to open.
    function _hash(Terms calldata terms, bytes32 listHash) private pure returns (bytes32 digest) {
        bytes32 verifiersHash = hash(terms.verifiers);
        bytes32 typeHash = AGREEMENT_TYPEHASH;
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, typeHash)
            calldatacopy(add(free, 0x20), terms, 0x1a0)
            mstore(add(free, 0xa0), verifiersHash)
            mstore(add(free, 0x1c0), listHash)
            digest := keccak256(free, 0x1e0)
        }
    }

    /// @dev `abi.encode(terms, milestones)` by copying calldata, which is encoded that way already: several
    /// times cheaper than field by field. `validate` has read every field, so no word is dirty.
    function encode(Terms calldata terms, Milestone[] calldata milestones) internal pure returns (bytes memory data) {
        address[] calldata verifiers = terms.verifiers;
        assembly ("memory-safe") {
            data := mload(0x40)
            let head := add(data, 0x20)
            mstore(head, 0x40)
            let body := add(head, 0x40)
            calldatacopy(body, terms, 0x1a0)
            mstore(add(body, 0x80), 0x1a0)
            body := add(body, 0x1a0)
            mstore(body, verifiers.length)
            calldatacopy(add(body, 0x20), verifiers.offset, shl(5, verifiers.length))
            body := add(body, add(0x20, shl(5, verifiers.length)))
            mstore(add(head, 0x20), sub(body, head))
            mstore(body, milestones.length)
            let size := mul(milestones.length, 0xc0)
            calldatacopy(add(body, 0x20), milestones.offset, size)
            body := add(body, add(0x20, size))
            mstore(data, sub(body, head))
            mstore(0x40, body)
        }
    }

    function validate(Terms calldata terms, Milestone[] calldata milestones) internal view {
        _validateRoles(terms);
        _bound("objectionPeriod", terms.objectionPeriod, 0, MAX_PERIOD);
        _bound("reviewPeriod", terms.reviewPeriod, terms.reviewPeriod == 0 ? 0 : MIN_REVIEW_PERIOD, MAX_PERIOD);
        _bound("arbitrationPeriod", terms.arbitrationPeriod, MIN_ARBITRATION_PERIOD, MAX_PERIOD);
        _bound("defaultPayeeBps", terms.defaultPayeeBps, 0, BPS);
        _bound("feeBps", terms.feeBps, 0, MAX_FEE_BPS);
        _bound("milestones", milestones.length, 1, MAX_MILESTONES);
        uint256 verifierCount = terms.verifiers.length;
        for (uint256 i; i < milestones.length; ++i) {
            _validateMilestone(i, milestones[i], verifierCount);
        }
    }

    function _validateRoles(Terms calldata terms) private view {
        address buyer = terms.buyer;
        address supplier = terms.supplier;
        address arbiter = terms.arbiter;
        _role("buyer", buyer, buyer != address(0));
        _role("supplier", supplier, supplier != address(0) && supplier != buyer);
        _role("token", terms.token, terms.token != address(0));
        _role("arbiter", arbiter, arbiter == address(0) || (arbiter != buyer && arbiter != supplier));
        _role("feeRecipient", terms.feeRecipient, terms.feeRecipient != address(0) || terms.feeBps == 0);
        address[] calldata verifiers = terms.verifiers;
        _bound("verifiers", verifiers.length, 0, MAX_VERIFIERS);
        address previous;
        for (uint256 i; i < verifiers.length; ++i) {
            address verifier = verifiers[i];
            _role("verifier", verifier, verifier > previous && verifier != arbiter);
            previous = verifier;
        }
    }

    function _validateMilestone(uint256 index, Milestone calldata milestone, uint256 verifierCount) private view {
        if (milestone.amount == 0) {
            revert IMilestoneEscrow.MilestoneOutOfBounds(index, "amount", 0, 1, type(uint128).max);
        }
        uint256 deadline = milestone.deadline;
        bool isDeposit = milestone.paysOnSilence && deadline == 0;
        unchecked {
            // The time of a block and twenty years are far from overflowing.
            if (!isDeposit && (deadline <= block.timestamp || deadline > block.timestamp + MAX_HORIZON)) {
                revert IMilestoneEscrow.MilestoneOutOfBounds(
                    index, "deadline", deadline, block.timestamp + 1, block.timestamp + MAX_HORIZON
                );
            }
        }
        uint256 set = milestone.verifierSet;
        if (set >> verifierCount != 0) {
            revert IMilestoneEscrow.MilestoneOutOfBounds(index, "verifierSet", set, 0, (1 << verifierCount) - 1);
        }
        uint256 size = popCount(set);
        uint256 quorum = milestone.quorum;
        if (quorum > size || (quorum == 0 && set != 0)) {
            revert IMilestoneEscrow.MilestoneOutOfBounds(index, "quorum", quorum, size == 0 ? 0 : 1, size);
        }
    }

    function _role(bytes32 role, address account, bool allowed) private view {
        if (!allowed || account == address(this)) revert IMilestoneEscrow.RoleNotAllowed(role, account);
    }

    function _bound(bytes32 term, uint256 asked, uint256 atLeast, uint256 atMost) private pure {
        if (asked < atLeast || asked > atMost) {
            revert IMilestoneEscrow.TermOutOfBounds(term, asked, atLeast, atMost);
        }
    }

    /// @dev Bits in a set of at most 32, in parallel: pairs, nibbles, bytes, their sum.
    function popCount(uint256 set) internal pure returns (uint256) {
        unchecked {
            set -= (set >> 1) & 0x55555555;
            set = (set & 0x33333333) + ((set >> 2) & 0x33333333);
            set = (set + (set >> 4)) & 0x0f0f0f0f;
            return ((set * 0x01010101) >> 24) & 0xff;
        }
    }
}
