"""The contract as Python sees it: its ABI, its verbs, its events, and where an agreement stands."""
