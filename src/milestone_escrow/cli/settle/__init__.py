"""`escrow approve`, `refund` and `settle`."""
