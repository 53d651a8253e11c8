"""A new version of an agreement: what it changes, what goes on, and how its file says so."""
