"""`escrow open` and `escrow fund`."""
