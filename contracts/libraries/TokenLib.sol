// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Authorization, IMilestoneEscrow} from "../interfaces/IMilestoneEscrow.sol";

/// @dev The only place where tokens move.
library TokenLib {
    using SafeERC20 for IERC20;

    /// @dev Enough for every stablecoin in use; bounds what a hostile one may burn of a payout to others. A
    /// withdrawal knows no such bound: money in a token that costs more waits there.
    uint256 internal constant PUSH_GAS = 300_000;

    /// @dev Pulls exactly `amount`, or reverts. The caller holds the reentrancy lock, so nothing else of
    /// this contract can move the balance in between.
    function pull(address token, address from, uint256 amount) internal {
        uint256 before = _balance(token);
        IERC20(token).safeTransferFrom(from, address(this), amount);
        _requireReceived(token, before, amount);
    }

    /// @dev The same by an ERC-3009 authorization, in the form of v, r, s that every such token has, or as
    /// bytes for contract wallets.
    function pullAuthorized(
        address token,
        uint256 amount,
        bytes32 nonce,
        Authorization calldata authorization
    ) internal {
        uint256 before = _balance(token);
        bytes calldata signature = authorization.signature;
        address from = authorization.from;
        (uint256 validAfter, uint256 validBefore) = (authorization.validAfter, authorization.validBefore);
        if (signature.length == 65) {
            IReceiveWithAuthorization(token)
                .receiveWithAuthorization(
                    from,
                    address(this),
                    amount,
                    validAfter,
                    validBefore,
                    nonce,
                    uint8(signature[64]),
                    bytes32(signature[:32]),
                    bytes32(signature[32:64])
                );
        } else {
            IReceiveWithAuthorization(token)
                .receiveWithAuthorization(from, address(this), amount, validAfter, validBefore, nonce, signature);
        }
        _requireReceived(token, before, amount);
    }

    /// @dev Tries the caller's permit; a failure shows in the pull that follows.
    function tryPermit(address token, uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) internal {
        bytes memory data = abi.encodeCall(IERC20Permit.permit, (msg.sender, address(this), amount, deadline, v, r, s));
        assembly ("memory-safe") {
            pop(call(gas(), token, 0, add(data, 0x20), mload(data), 0x00, 0x00))
        }
    }

    /// @dev Straight from one account to another; this contract never holds it.
    function move(address token, address from, address to, uint256 amount) internal {
        IERC20(token).safeTransferFrom(from, to, amount);
    }

    /// @dev Whether `to` was paid. A failure for want of gas reverts, so that no caller can turn a payout
    /// into a credit.
    function tryPush(address token, address to, uint256 amount) internal returns (bool paid) {
        uint256 available = gasleft();
        paid = transfer(token, to, amount, PUSH_GAS);
        // A call gets at most 63/64 of what is left; 10,000 more cover reaching it.
        uint256 needed = PUSH_GAS * 64 / 63 + 10_000;
        if (!paid && available < needed) revert IMilestoneEscrow.GasTooLow(available, needed);
    }

    /// @dev Whether `to` was paid. Fails when the token reverts or answers anything but true; an empty
    /// answer from an address with code is a yes.
    function transfer(address token, address to, uint256 amount, uint256 gasLimit) internal returns (bool paid) {
        bytes memory data = abi.encodeCall(IERC20.transfer, (to, amount));
        assembly ("memory-safe") {
            let ok := call(gasLimit, token, 0, add(data, 0x20), mload(data), 0x00, 0x20)
            switch returndatasize()
            case 0 { paid := and(ok, gt(extcodesize(token), 0)) }
            default { paid := and(ok, and(gt(returndatasize(), 0x1f), eq(mload(0x00), 1))) }
        }
    }

    function _balance(address token) private view returns (uint256) {
        if (token.code.length == 0) revert IMilestoneEscrow.TokenWithoutCode(token);
        return IERC20(token).balanceOf(address(this));
    }

    function _requireReceived(address token, uint256 before, uint256 asked) private view {
        uint256 received = IERC20(token).balanceOf(address(this)) - before;
        if (received != asked) revert IMilestoneEscrow.InexactTransfer(asked, received);
    }
}

/// @dev The part of ERC-3009 that is used, and its later form for contract wallets.
interface IReceiveWithAuthorization {
    function receiveWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external;

    function receiveWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) external;
}
