// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @notice Believes every permit and every authorization, delivers what it likes, and calls back in between.
contract LyingToken is ERC20 {
    /// @dev Of each authorized transfer, in basis points.
    uint256 public delivers = 10_000;
    bool public refusesPermits;
    address public target;
    bytes public payload;
    bool public reentered;
    bytes public answer;

    constructor() ERC20("Lying", "LIE") {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function behave(uint256 delivers_, bool refusesPermits_) external {
        delivers = delivers_;
        refusesPermits = refusesPermits_;
    }

    function callBack(address target_, bytes calldata payload_) external {
        target = target_;
        payload = payload_;
    }

    function permit(address owner, address spender, uint256 amount, uint256, uint8, bytes32, bytes32) external {
        _callBack();
        if (refusesPermits) revert("no permit");
        _approve(owner, spender, amount);
    }

    function receiveWithAuthorization(
        address from,
        address to,
        uint256 amount,
        uint256,
        uint256,
        bytes32,
        uint8,
        bytes32,
        bytes32
    ) external {
        _deliver(from, to, amount);
    }

    function receiveWithAuthorization(
        address from,
        address to,
        uint256 amount,
        uint256,
        uint256,
        bytes32,
        bytes calldata
    ) external {
        _deliver(from, to, amount);
    }

    function _deliver(address from, address to, uint256 amount) private {
        _callBack();
        _mint(to, amount * delivers / 10_000);
        if (delivers != 0) _burn(from, amount);
    }

    function _callBack() private {
        if (target != address(0)) (reentered, answer) = target.call(payload);
    }
}
