// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC3009} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

/// @title Test USDC
/// @notice Worthless money for sandboxes and demos: anyone mints, and anyone sets the denylist.
contract TestUSDC is ERC20Permit, ERC3009 {
    mapping(address account => bool) public isDenylisted;

    error Denylisted(address account);

    constructor() ERC20("USD Coin", "USDC") ERC20Permit("USD Coin") {}

    function decimals() public pure override returns (uint8) {
        return 6;
    }

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function setDenylisted(address account, bool denied) external {
        isDenylisted[account] = denied;
    }

    function _update(address from, address to, uint256 amount) internal override {
        if (isDenylisted[from]) revert Denylisted(from);
        if (isDenylisted[to]) revert Denylisted(to);
        super._update(from, to, amount);
    }
}
