"""`escrow safe`."""
