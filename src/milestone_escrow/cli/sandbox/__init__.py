"""`escrow demo` and `escrow sandbox`."""
