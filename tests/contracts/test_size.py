"""The core fits, and leaves room for what comes later."""

from __future__ import annotations

from collections.abc import Mapping

from bench.gas import SIZE_LIMIT
from milestone_escrow.chain.compiler import Artifact

ROOM_FOR_LATER = 5 * 1_024
"""Change orders, receivables, batches and authorized transfers are still to come."""

MAX_INITCODE = 49_152


def test_the_core_leaves_room_under_its_limit(artifacts: Mapping[str, Artifact]) -> None:
    assert artifacts["MilestoneEscrow"].size <= SIZE_LIMIT - ROOM_FOR_LATER


def test_the_creation_code_fits_into_a_transaction(artifacts: Mapping[str, Artifact]) -> None:
    code = artifacts["MilestoneEscrow"].bytecode
    assert (len(code) - 2) // 2 <= MAX_INITCODE


def test_nothing_delegates_or_destroys_itself(artifacts: Mapping[str, Artifact]) -> None:
    """No proxy and no self-destruct: the opcodes do not occur in the runtime code."""
    used = _opcodes(bytes.fromhex(artifacts["MilestoneEscrow"].deployed_bytecode[2:]))
    assert not used & {DELEGATECALL, CALLCODE, SELFDESTRUCT, CREATE, CREATE2}
    assert CALL in used


CREATE, CALL, CALLCODE, DELEGATECALL, CREATE2, SELFDESTRUCT = 0xF0, 0xF1, 0xF2, 0xF4, 0xF5, 0xFF


def _opcodes(code: bytes) -> set[int]:
    """Opcodes before the metadata, whose length the last two bytes say."""
    code = code[: -2 - int.from_bytes(code[-2:], "big")]
    used, position = set(), 0
    while position < len(code):
        opcode = code[position]
        used.add(opcode)
        position += 1 + max(0, opcode - 0x5F if opcode <= 0x7F else 0)
    return used
