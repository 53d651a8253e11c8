"""The core fits, and can neither be changed nor destroyed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from bench.gas import SIZE_LIMIT
from milestone_escrow.chain.deploy.compiler import Artifact

MAX_INITCODE = 49_152


def test_the_core_stays_under_its_limit(artifacts: Mapping[str, Artifact]) -> None:
    assert artifacts["MilestoneEscrow"].size <= SIZE_LIMIT


def test_the_creation_code_fits_into_a_transaction(artifacts: Mapping[str, Artifact]) -> None:
    code = artifacts["MilestoneEscrow"].bytecode
    assert (len(code) - 2) // 2 <= MAX_INITCODE


def test_nothing_but_multicall_delegates_and_nothing_destroys(
    artifacts: Mapping[str, Artifact],
) -> None:
    """No proxy, no self-destruct; the one delegatecall is multicall's, to the contract itself."""
    used = _opcodes(bytes.fromhex(artifacts["MilestoneEscrow"].deployed_bytecode[2:]))
    assert not set(used) & {CALLCODE, SELFDESTRUCT, CREATE, CREATE2}
    assert used[DELEGATECALL] == 1
    assert used[CALL]


CREATE, CALL, CALLCODE, DELEGATECALL, CREATE2, SELFDESTRUCT = 0xF0, 0xF1, 0xF2, 0xF4, 0xF5, 0xFF


def _opcodes(code: bytes) -> Counter[int]:
    """Opcodes before the metadata, whose length the last two bytes say."""
    code = code[: -2 - int.from_bytes(code[-2:], "big")]
    used: Counter[int] = Counter()
    position = 0
    while position < len(code):
        opcode = code[position]
        used[opcode] += 1
        position += 1 + max(0, opcode - 0x5F if opcode <= 0x7F else 0)
    return used
