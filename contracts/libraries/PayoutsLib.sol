// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @dev Joins payouts of one token to one account, so that a batch pays each account once.
library PayoutsLib {
    struct Entry {
        address token;
        address to;
        uint256 amount;
    }

    struct Queue {
        uint256 count;
        Entry[] entries;
    }

    function create(uint256 capacity) internal pure returns (Queue memory queue) {
        queue.entries = new Entry[](capacity);
    }

    /// @dev Few accounts share a batch: looking through them beats any map.
    function add(Queue memory queue, address token, address to, uint256 amount) internal pure {
        if (amount == 0) return;
        uint256 count = queue.count;
        for (uint256 i; i < count; ++i) {
            Entry memory entry = queue.entries[i];
            if (entry.to == to && entry.token == token) {
                entry.amount += amount;
                return;
            }
        }
        queue.entries[count] = Entry(token, to, amount);
        queue.count = count + 1;
    }
}
