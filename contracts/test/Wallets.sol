// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @notice A contract wallet with one owner. A bound one signs for itself only: its owner signs the
/// digest together with the wallet's address, as Safe and ERC-7739 wallets have it.
contract OwnedWallet is IERC1271 {
    address public immutable owner;
    bool public immutable bound;

    constructor(address owner_, bool bound_) {
        owner = owner_;
        bound = bound_;
    }

    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4) {
        bytes32 signed = bound ? keccak256(abi.encode(address(this), digest)) : digest;
        (address signer,,) = ECDSA.tryRecoverCalldata(signed, signature);
        return signer == owner ? IERC1271.isValidSignature.selector : bytes4(0xffffffff);
    }

    /// @notice Acts as the wallet: what its owner would do through it.
    function execute(address target, bytes calldata data) external returns (bytes memory) {
        (bool ok, bytes memory answer) = target.call(data);
        if (!ok) {
            assembly ("memory-safe") {
                revert(add(answer, 0x20), mload(answer))
            }
        }
        return answer;
    }
}

/// @notice Answers `isValidSignature` in every wrong way, and in two right ones.
contract HostileWallet {
    enum Mode {
        Yes,
        WrongMagic,
        Revert,
        /// @dev The magic value, in a revert.
        RevertWithMagic,
        Nothing,
        /// @dev The four bytes of the magic value alone.
        Short,
        /// @dev The magic value in the lowest four bytes.
        RightAligned,
        /// @dev The magic value and 100,000 bytes after it: right, and cheap for who reads 32 bytes.
        HugeYes,
        BurnGas,
        /// @dev Right after 450,000 gas.
        ExpensiveYes,
        /// @dev Right after 1,500,000 gas, as several owners with passkeys need on a network without P-256.
        DearYes,
        /// @dev Tries to write, which a static call forbids.
        Write
    }

    Mode public mode;
    uint256 public written;

    constructor(Mode mode_) {
        mode = mode_;
    }

    fallback() external {
        bytes32 magic = bytes32(bytes4(0x1626ba7e));
        uint256 size = 32;
        if (mode == Mode.WrongMagic) magic = bytes32(bytes4(0x1626ba7f));
        if (mode == Mode.Revert) revert("no");
        if (mode == Mode.RevertWithMagic) {
            assembly ("memory-safe") {
                mstore(0x00, magic)
                revert(0x00, 0x20)
            }
        }
        if (mode == Mode.Nothing) size = 0;
        if (mode == Mode.Short) size = 4;
        if (mode == Mode.RightAligned) magic >>= 224;
        if (mode == Mode.HugeYes) size = 100_000;
        if (mode == Mode.BurnGas) {
            assembly ("memory-safe") {
                invalid()
            }
        }
        if (mode == Mode.ExpensiveYes) _burn(450_000);
        if (mode == Mode.DearYes) _burn(1_500_000);
        if (mode == Mode.Write) written = 1;
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, magic)
            return(free, size)
        }
    }

    function _burn(uint256 amount) private view {
        uint256 start = gasleft();
        while (start - gasleft() < amount) {}
    }
}
