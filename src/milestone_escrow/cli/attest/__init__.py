"""`escrow attest`."""
