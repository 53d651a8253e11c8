"""The compiled contracts that ship with the package."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

from milestone_escrow.errors import UsageError


@dataclass(frozen=True, slots=True)
class ContractCode:
    """One compiled contract; `immutables` are (start, length) within the runtime code."""

    name: str
    abi: tuple[dict[str, Any], ...]
    bytecode: bytes
    runtime: bytes
    immutables: tuple[tuple[int, int], ...]
    compiler: str

    def matches(self, code: bytes, immutable_words: Iterable[bytes]) -> bool:
        """Whether `code` is this contract, its immutables holding nothing but these 32-byte words.

        Code that differs in an immutable only is another contract: one with another domain would
        look right and refuse every signature.
        """
        if len(code) != len(self.runtime):
            return False
        allowed = set(immutable_words)
        blank = bytearray(code)
        for start, length in self.immutables:
            if bytes(code[start : start + length]) not in allowed:
                return False
            blank[start : start + length] = bytes(length)
        return bytes(blank) == self.runtime


@lru_cache
def load(name: str) -> ContractCode:
    """The artifact `name` ("MilestoneEscrow", "TestUSDC").

    Raises:
        UsageError: the package ships no such contract.
    """
    file = resources.files("milestone_escrow.chain") / "artifacts" / f"{name}.json"
    try:
        raw = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"the package ships no contract {name}") from None
    places = [place for found in raw.get("immutableReferences", {}).values() for place in found]
    return ContractCode(
        name=name,
        abi=tuple(raw["abi"]),
        bytecode=bytes.fromhex(raw["bytecode"].removeprefix("0x")),
        runtime=bytes.fromhex(raw["deployedBytecode"].removeprefix("0x")),
        immutables=tuple(sorted((place["start"], place["length"]) for place in places)),
        compiler=raw["compiler"],
    )


def standard_input(name: str) -> str:
    """What the compiler was given for `name`, sources included, as JSON: what explorers take."""
    folder = resources.files("milestone_escrow.chain") / "artifacts"
    return (folder / f"{name}.standard-input.json").read_text(encoding="utf-8")
