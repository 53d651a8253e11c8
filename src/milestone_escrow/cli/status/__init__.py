"""`escrow status` and `escrow history`."""
