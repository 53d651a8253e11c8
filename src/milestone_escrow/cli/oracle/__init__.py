"""`escrow oracle`."""
