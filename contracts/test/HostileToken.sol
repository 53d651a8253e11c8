// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @notice A plain token until it is told how to misbehave, in `transfer` and in `transferFrom` apart.
contract HostileToken is ERC20 {
    enum Mode {
        Honest,
        /// @dev Moves the money and answers nothing, as USDT does.
        Silent,
        /// @dev Moves nothing and answers false.
        Refuse,
        /// @dev Moves the money and answers false all the same.
        Deny,
        /// @dev Moves the money and answers 2.
        AnswerTwo,
        /// @dev Moves the money and answers one byte.
        AnswerShort,
        /// @dev Moves the money and answers true, with 100,000 bytes after it.
        AnswerHuge,
        Revert,
        /// @dev Reverts with 100,000 bytes.
        RevertHuge,
        BurnGas,
        /// @dev Keeps 1 % of what moves.
        Tax,
        /// @dev Calls `target` with `payload` before it moves the money.
        Reenter,
        /// @dev Moves the money, having used most of the gas that a payout gets.
        Expensive,
        /// @dev Moves the money for more gas than a payout gets.
        TooExpensive
    }

    Mode public onTransfer;
    Mode public onTransferFrom;
    address public target;
    bytes public payload;
    /// @dev What the call back answered: whether it succeeded, and its data.
    bool public reentered;
    bytes public answer;

    uint8 private immutable _decimals;

    constructor(uint8 decimals_) ERC20("Hostile", "HOST") {
        _decimals = decimals_;
    }

    function decimals() public view override returns (uint8) {
        return _decimals;
    }

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function behave(Mode transfer_, Mode transferFrom_) external {
        onTransfer = transfer_;
        onTransferFrom = transferFrom_;
    }

    function callBack(address target_, bytes calldata payload_) external {
        target = target_;
        payload = payload_;
    }

    function transfer(address to, uint256 amount) public override returns (bool) {
        _move(onTransfer, msg.sender, to, amount);
        return _answer(onTransfer);
    }

    function transferFrom(address from, address to, uint256 amount) public override returns (bool) {
        _spendAllowance(from, msg.sender, amount);
        _move(onTransferFrom, from, to, amount);
        return _answer(onTransferFrom);
    }

    function _move(Mode mode, address from, address to, uint256 amount) private {
        if (mode == Mode.Refuse) return;
        if (mode == Mode.Revert) revert("paused");
        if (mode == Mode.RevertHuge) _revertHuge();
        if (mode == Mode.BurnGas) _burn(gasleft());
        if (mode == Mode.Expensive) _burn(220_000);
        if (mode == Mode.TooExpensive) _burn(320_000);
        if (mode == Mode.Tax) {
            uint256 tax = amount / 100;
            _transfer(from, address(0xdead), tax);
            amount -= tax;
        }
        if (mode == Mode.Reenter) (reentered, answer) = target.call(payload);
        _transfer(from, to, amount);
    }

    function _answer(Mode mode) private pure returns (bool) {
        if (mode == Mode.Silent) _answerBytes(0, 0);
        if (mode == Mode.AnswerTwo) _answerBytes(2, 32);
        if (mode == Mode.AnswerShort) _answerBytes(1, 1);
        if (mode == Mode.AnswerHuge) _answerBytes(1, 100_000);
        return mode != Mode.Refuse && mode != Mode.Deny;
    }

    function _answerBytes(uint256 word, uint256 size) private pure {
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, word)
            return(free, size)
        }
    }

    function _revertHuge() private pure {
        assembly ("memory-safe") {
            revert(mload(0x40), 100000)
        }
    }

    function _burn(uint256 amount) private view {
        uint256 start = gasleft();
        while (start - gasleft() < amount) {}
    }
}
