"""`escrow evidence`."""
