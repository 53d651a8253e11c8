"""`escrow agreement`."""
