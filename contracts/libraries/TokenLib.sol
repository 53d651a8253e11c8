// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IMilestoneEscrow} from "../interfaces/IMilestoneEscrow.sol";

/// @dev The only place where tokens move.
library TokenLib {
    using SafeERC20 for IERC20;

    /// @dev Enough for every stablecoin in use; bounds what a hostile one may burn.
    uint256 internal constant PUSH_GAS = 300_000;

    /// @dev Pulls exactly `amount`, or reverts. The caller holds the reentrancy lock, so nothing else of
    /// this contract can move the balance in between.
    function pull(address token, address from, uint256 amount) internal {
        if (token.code.length == 0) revert IMilestoneEscrow.TokenWithoutCode(token);
        uint256 before = IERC20(token).balanceOf(address(this));
        IERC20(token).safeTransferFrom(from, address(this), amount);
        uint256 received = IERC20(token).balanceOf(address(this)) - before;
        if (received != amount) revert IMilestoneEscrow.InexactTransfer(amount, received);
    }

    /// @dev Whether `to` was paid. Fails when the token reverts or answers anything but true; an empty
    /// answer from an address with code is a yes. A failure for want of gas reverts, so that no caller can
    /// turn a payout into a credit.
    function tryPush(address token, address to, uint256 amount) internal returns (bool paid) {
        bytes memory data = abi.encodeCall(IERC20.transfer, (to, amount));
        uint256 available = gasleft();
        uint256 gasLimit = PUSH_GAS;
        assembly ("memory-safe") {
            let ok := call(gasLimit, token, 0, add(data, 0x20), mload(data), 0x00, 0x20)
            switch returndatasize()
            case 0 { paid := and(ok, gt(extcodesize(token), 0)) }
            default { paid := and(ok, and(gt(returndatasize(), 0x1f), eq(mload(0x00), 1))) }
        }
        // A call gets at most 63/64 of what is left; 10,000 more cover reaching it.
        uint256 needed = PUSH_GAS * 64 / 63 + 10_000;
        if (!paid && available < needed) revert IMilestoneEscrow.GasTooLow(available, needed);
    }
}
