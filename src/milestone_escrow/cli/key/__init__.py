"""`escrow key`."""
