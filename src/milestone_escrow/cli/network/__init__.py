"""`escrow network`, `deploy` and `doctor`."""
