"""The sandbox's chain, as both its keys and its node must know it. Its money is worth nothing."""

from __future__ import annotations

# "MESC" in ASCII: no public chain has this id, so what a sandbox key signs is void elsewhere.
SANDBOX_CHAIN_ID = 0x4D455343

# The private keys 1 to 20, which the whole world knows, hold the sandbox's test money.
SANDBOX_ACCOUNTS = 20

# Who deploys in a sandbox. Its first two contracts have the same addresses in every sandbox.
SANDBOX_OPERATOR = 20
