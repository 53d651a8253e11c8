"""`escrow amend` and `escrow extend`."""
