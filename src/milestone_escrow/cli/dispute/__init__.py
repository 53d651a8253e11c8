"""`escrow submit`, `dispute`, `rule`, `finalize` and `withdraw`."""
