"""Keccak-256.

eth-hash takes pycryptodome's where both are installed, which costs six times as much for each hash;
so the backend is chosen here.
"""

from __future__ import annotations

from eth_hash.backends.pysha3 import backend
from eth_hash.main import Keccak256

keccak = Keccak256(backend)
