"""A chain within this process, and the JSON-RPC that a node would speak."""
