"""The compiler's room: from `contracts/` to the artifacts that the package ships.

Only who changes a contract needs it. `python -m milestone_escrow.chain.deploy.compiler` rebuilds
the shipped artifacts, `--check` compares them with the sources, `--warm` fills the cache that tests
read, `--install` makes sure that there is a compiler.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import posixpath
import re
import sys
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from milestone_escrow.chain.deploy.solc import SOLC_VERSION, CompilerError, ensure_solc, run_solc
from milestone_escrow.errors import EscrowError

EVM_VERSION = "cancun"
# 200 keeps the core under 23,552 bytes, 1 KB below the limit of EIP-170; 1,000 would take 1,250
# bytes more and save no call more than 300 gas.
OPTIMIZER_RUNS = 200

SHIPPED = {
    "MilestoneEscrow": "contracts/MilestoneEscrow.sol",
    "TestUSDC": "contracts/test/TestUSDC.sol",
}
ARTIFACTS = Path("src/milestone_escrow/chain/artifacts")
CACHE = Path("build/solc")

_IMPORT = re.compile(r"""^\s*import\s+(?:[^"';]*?\bfrom\s+)?["']([^"']+)["']""", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Artifact:
    """One compiled contract; bytecode as 0x-prefixed hex."""

    name: str
    abi: list[dict[str, Any]]
    bytecode: str
    deployed_bytecode: str
    immutable_references: dict[str, list[dict[str, int]]]
    compiler: str
    settings: dict[str, Any]
    source_hash: str
    standard_input: dict[str, Any]

    @property
    def size(self) -> int:
        """Bytes of runtime code, which EIP-170 limits to 24,576."""
        return (len(self.deployed_bytecode) - 2) // 2

    def to_json(self) -> dict[str, Any]:
        """The shipped form; the standard JSON input goes to a file of its own."""
        return {
            "name": self.name,
            "abi": self.abi,
            "bytecode": self.bytecode,
            "deployedBytecode": self.deployed_bytecode,
            "immutableReferences": self.immutable_references,
            "compiler": self.compiler,
            "settings": self.settings,
            "sourceHash": self.source_hash,
        }


def compile_contracts(root: Path) -> dict[str, Artifact]:
    """Every contract of the repository at `root`, test contracts included, by name.

    Results are kept in `build/solc` by the hash of everything that goes in, so that a second
    call reads files only. Raises CompilerError.
    """
    tests = sorted(path.relative_to(root).as_posix() for path in root.glob("contracts/test/*.sol"))
    artifacts = _compile_cached(root, "test", tests) if tests else {}
    return {**artifacts, **compile_shipped(root)}


def compile_shipped(root: Path) -> dict[str, Artifact]:
    """The contracts that the package ships, each compiled alone, as an explorer will do it.

    Apart, because the IR pipeline names things by syntax-tree ids: a file more in the input can
    change bytes of a contract that does not use it.
    """
    return {name: _compile_cached(root, name, [file])[name] for name, file in SHIPPED.items()}


def write_artifacts(root: Path) -> list[Path]:
    """Compile and write the shipped artifacts; returns the files."""
    written = []
    for relative, text in _shipped_files(root).items():
        path = root / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
        written.append(path)
    return written


def stale_artifacts(root: Path) -> list[Path]:
    """The shipped files that differ from what the sources compile to."""
    return [
        relative
        for relative, text in _shipped_files(root).items()
        if not (root / relative).is_file() or (root / relative).read_text(encoding="utf-8") != text
    ]


def standard_input(root: Path, entries: Iterable[str]) -> dict[str, Any]:
    """Standard JSON input for `entries` and all that they import, sources included.

    Source names are independent of where the repository lies, so the output is, too.
    """
    entries = list(entries)
    outputs = ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"]
    outputs.append("evm.deployedBytecode.immutableReferences")
    return {
        "language": "Solidity",
        "sources": {name: {"content": text} for name, text in _sources(root, entries).items()},
        "settings": {
            "viaIR": True,
            "evmVersion": EVM_VERSION,
            "optimizer": {"enabled": True, "runs": OPTIMIZER_RUNS},
            # Without the hash of the sources a changed comment does not change the bytecode.
            "metadata": {"bytecodeHash": "none"},
            "outputSelection": {entry: {"*": outputs} for entry in entries},
        },
    }


def imports_of(unit: str, content: str) -> list[str]:
    """The source units that `unit` imports, relative paths resolved."""
    folder = posixpath.dirname(unit)
    return [
        posixpath.normpath(posixpath.join(folder, path)) if path.startswith(".") else path
        for path in _IMPORT.findall(content)
    ]


def _compile_cached(root: Path, unit: str, entries: Sequence[str]) -> dict[str, Artifact]:
    source = standard_input(root, entries)
    digest = hashlib.sha256(_dump({"solc": SOLC_VERSION, **source}).encode()).hexdigest()
    cached = root / CACHE / f"{unit}-{digest[:16]}.json"
    if cached.is_file():
        output = json.loads(cached.read_text(encoding="utf-8"))
    else:
        compiler, contracts = run_solc(ensure_solc(root), source)
        output = {"compiler": compiler, "contracts": contracts}
        cached.parent.mkdir(parents=True, exist_ok=True)
        # Written beside and renamed, since parallel test runs read and write here.
        partial = cached.with_suffix(f".{threading.get_native_id()}")
        partial.write_text(_dump(output), encoding="utf-8")
        partial.replace(cached)
    return {
        name: _artifact(name, contract, source, output["compiler"], digest)
        for file in entries
        for name, contract in output["contracts"].get(file, {}).items()
    }


def _artifact(
    name: str, contract: dict[str, Any], source: dict[str, Any], compiler: str, digest: str
) -> Artifact:
    settings = {key: value for key, value in source["settings"].items() if key != "outputSelection"}
    deployed = contract["evm"]["deployedBytecode"]
    return Artifact(
        name=name,
        abi=contract["abi"],
        bytecode="0x" + contract["evm"]["bytecode"]["object"],
        deployed_bytecode="0x" + deployed["object"],
        immutable_references=deployed.get("immutableReferences", {}),
        compiler=compiler,
        settings=settings,
        source_hash="0x" + digest,
        standard_input=source,
    )


def _shipped_files(root: Path) -> dict[Path, str]:
    files = {}
    for name, artifact in compile_shipped(root).items():
        files[ARTIFACTS / f"{name}.json"] = _dump(artifact.to_json())
        files[ARTIFACTS / f"{name}.standard-input.json"] = _dump(artifact.standard_input)
    return files


def _sources(root: Path, entries: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    waiting = list(entries)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        path = root / "node_modules" / name if name.startswith("@") else root / name
        try:
            found[name] = path.read_text(encoding="utf-8")
        except OSError as error:
            raise CompilerError(
                f"the source {name} cannot be read at {path}", hint="run `npm ci`"
            ) from error
        waiting.extend(imports_of(name, found[name]))
    return dict(sorted(found.items()))


def _dump(value: object) -> str:
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def repository_root() -> Path:
    """The repository that this package is installed from in editable mode."""
    root = Path(__file__).resolve().parents[4]
    if not (root / "contracts").is_dir():
        raise CompilerError("there are no contracts beside this package", hint="work in a clone")
    return root


def main(argv: Sequence[str] | None = None) -> int:
    """Rebuild the shipped artifacts, or check them against the sources."""
    parser = argparse.ArgumentParser(prog="python -m milestone_escrow.chain.deploy.compiler")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="compare only, write nothing")
    mode.add_argument("--warm", action="store_true", help="compile all contracts into the cache")
    mode.add_argument("--install", action="store_true", help="only make sure of a compiler")
    options = parser.parse_args(argv)
    try:
        root = repository_root()
        if options.install:
            print(ensure_solc(root))
        elif options.check:
            stale = stale_artifacts(root)
            if stale:
                names = ", ".join(path.name for path in stale)
                raise CompilerError(f"{names} differ from contracts/", hint="run `make contracts`")
        elif options.warm:
            compile_contracts(root)
        else:
            write_artifacts(root)
            for artifact in compile_shipped(root).values():
                print(f"{artifact.name}: {artifact.size:,} of 24,576 bytes")
    except EscrowError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
