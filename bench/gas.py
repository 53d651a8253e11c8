"""Gas, beside what others need.

`python -m bench gas` prints the figures, `python -m bench.gas` writes docs/gas.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from bench.harness import Row
from milestone_escrow.chain.deploy.compiler import (
    EVM_VERSION,
    OPTIMIZER_RUNS,
    Artifact,
    compile_contracts,
)
from tests.contracts.support.gas import measure

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = ROOT / "docs" / "gas.md"
SIZE_LIMIT = 24_576 - 256
"""EIP-170 less one kilobyte."""

Target = tuple[int, Mapping[str, int]]
TARGETS: Mapping[str, Target] = {
    "open + fund, 3 milestones": (
        115_000,
        {
            "Base, one amount": 142_562,
            "Kleros, one amount": 165_681,
            "Smart Invoice": 479_267,
            "Midcontract": 564_855,
        },
    ),
    "open + fund, 10 milestones": (145_000, {}),
    "attested release, 4 milestones, 2 of 3": (
        80_000,
        {"agent-bounties": 125_753, "ERC-8183": 131_620, "Alkahest": 533_181},
    ),
    "each further signer": (6_300, {}),
    "buyer approves a milestone": (66_000, {"Kleros": 54_128, "Base": 57_535}),
    "open a dispute": (70_000, {"Midcontract": 38_659, "Kleros": 81_933, "Smart Invoice": 84_520}),
    "ruling that splits between two parties": (
        75_000,
        {"Smart Invoice": 94_885, "Kleros": 129_459, "Midcontract": 280_652},
    ),
    "settlement by two signatures, split": (85_000, {"Kleros, two transactions": 144_888}),
    "each of 20 releases in a batch, 2 signatures": (32_000, {}),
    "3 milestones by 1 verifier, start to end": (
        325_000,
        {
            "Base, no disputes": 315_167,
            "Kleros, unattested": 327_746,
            "Smart Invoice": 732_830,
            "Midcontract": 1_174_863,
        },
    ),
}


def rows() -> Iterable[Row]:
    """Every figure with its target, and the size of the core."""
    return rows_of(compile_contracts(ROOT))


def rows_of(artifacts: Mapping[str, Artifact]) -> list[Row]:
    """The same from given artifacts."""
    size = artifacts["MilestoneEscrow"].size
    found = [_row(name, gas) for name, gas in _figures(artifacts).items()]
    return [*found, Row("size of the core", size, "bytes", f"<= {SIZE_LIMIT}")]


def document(found: Iterable[Row]) -> str:
    """What docs/gas.md says."""
    lines = "\n".join(_line(row) for row in found)
    return _TEXT.format(evm=EVM_VERSION, runs=OPTIMIZER_RUNS, lines=lines)


def _figures(artifacts: Mapping[str, Artifact]) -> dict[str, int]:
    figures = measure(artifacts)
    one, two, three = (
        figures[f"attested release, 4 milestones, {quorum} of 3"] for quorum in (1, 2, 3)
    )
    return {**figures, "each further signer": max(two - one, three - two)}


def _row(name: str, gas: int) -> Row:
    must, peers = TARGETS.get(name, (0, {}))
    return Row(name, gas, "gas", f"<= {must}" if must else "", peers)


def _line(row: Row) -> str:
    unit = "" if row.unit == "gas" else f" {row.unit}"
    bound = f"{int(row.target.split()[1]):,}" if row.target else ""
    peers = "; ".join(f"{name} {gas:,}" for name, gas in row.peers.items())
    return f"| {row.name} | {row.value:,}{unit} | {bound} | {peers} |"


_TEXT = """\
# Gas

What each verb costs, beside what others need for the same. Measured in process with a plain
6-decimal token, receivers that hold some of it already, an escrow that does too, approvals not
counted and 21,000 included. The tests assert these figures to the unit and hold them under the
bounds; `python -m bench.gas` writes this page.

| what | ours | bound | others |
|---|---:|---:|---|
{lines}

Every payout stands on the plain transfer above. The rest is mostly calldata and the one storage
word of the agreement: terms are passed in and hashed again by each call, which costs a few
thousand gas and saves the tens of thousands that storing them would cost once per milestone. A
peer that stores one amount and checks no terms approves for less; it cannot say what was agreed.

A milestone gets details of its own, one storage slot or two, only when something other than
an immediate payment happens to it: a clock, a partial payment.

Compiled for {evm} through the IR pipeline with {runs:,} optimizer runs. More would save about one
gas in a thousand and take hundreds of bytes of the room under the limit of code size.
"""

if __name__ == "__main__":
    DOCUMENT.write_text(document(rows()), encoding="utf-8")
