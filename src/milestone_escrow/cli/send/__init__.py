"""`escrow send` and `escrow tx`."""
