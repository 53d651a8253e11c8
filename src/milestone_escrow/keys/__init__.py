"""The only room that sees a secret: encrypted keystores, and signers that never show theirs."""

from milestone_escrow.keys.keystore import KeyEntry, Keystore
from milestone_escrow.keys.local_signers import DevSigner, LocalSigner

__all__ = ["DevSigner", "KeyEntry", "Keystore", "LocalSigner"]
