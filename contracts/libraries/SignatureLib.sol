// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @dev One question: did `signer` sign `digest`? By key first, so that an EIP-7702 account still signs by key.
library SignatureLib {
    function isValid(address signer, bytes32 digest, bytes calldata signature) internal view returns (bool) {
        address recovered;
        // A failed recovery answers zero, which no signer can be: every role that signs was checked at opening.
        if (signature.length == 65) {
            (recovered,,) = ECDSA.tryRecoverCalldata(digest, signature);
        } else if (signature.length == 64) {
            (recovered,,) = ECDSA.tryRecover(digest, bytes32(signature[:32]), bytes32(signature[32:]));
        }
        if (recovered == signer) return signer != address(0);
        return signer.code.length != 0 && _isValidForWallet(signer, digest, signature);
    }

    /// @dev ERC-1271, reading 32 bytes of the answer however long it is. The wallet gets all gas but the 64th
    /// that EIP-150 keeps back: one that burns it fails whoever asked it, and nobody else.
    function _isValidForWallet(
        address wallet,
        bytes32 digest,
        bytes calldata signature
    ) private view returns (bool valid) {
        bytes memory data = abi.encodeCall(IERC1271.isValidSignature, (digest, signature));
        bytes32 magic = bytes32(IERC1271.isValidSignature.selector);
        assembly ("memory-safe") {
            let ok := staticcall(gas(), wallet, add(data, 0x20), mload(data), 0x00, 0x20)
            valid := and(ok, and(gt(returndatasize(), 0x1f), eq(mload(0x00), magic)))
        }
    }
}
