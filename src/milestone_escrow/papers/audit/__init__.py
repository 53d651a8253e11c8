"""Audit bundles: everything about an agreement in one file that a stranger checks offline."""
