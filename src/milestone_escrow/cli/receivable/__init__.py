"""`escrow receivable`."""
