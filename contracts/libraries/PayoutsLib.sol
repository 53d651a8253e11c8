// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @dev Joins payouts of one token to one account, so that a batch pays each account once.
library PayoutsLib {
    /// @dev Columns of values, which memory has zeroed for nothing; rows would each be allocated.
    struct Queue {
        uint256 count;
        address[] tokens;
        address[] accounts;
        uint256[] amounts;
    }

    function create(uint256 capacity) internal pure returns (Queue memory) {
        return Queue(0, new address[](capacity), new address[](capacity), new uint256[](capacity));
    }

    /// @dev Few accounts share a batch: looking through them beats any map.
    function add(Queue memory queue, address token, address account, uint256 amount) internal pure {
        if (amount == 0) return;
        uint256 count = queue.count;
        uint256 i;
        while (i < count && (queue.accounts[i] != account || queue.tokens[i] != token)) ++i;
        if (i == count) {
            queue.tokens[i] = token;
            queue.accounts[i] = account;
            queue.count = count + 1;
        }
        queue.amounts[i] += amount;
    }
}
