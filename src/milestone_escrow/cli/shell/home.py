"""The state folder, and the only place that reads the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from milestone_escrow.errors import EscrowError


def prefer_fast_hashing() -> None:
    """Have the embedded chain's libraries hash in C, unless the environment says otherwise.

    They hash a lot, and would take the slower of two installed backends; the choice falls with the
    process's first hash.
    """
    os.environ.setdefault("ETH_HASH_BACKEND", "pysha3")


@dataclass(frozen=True, slots=True)
class Home:
    """Where this machine keeps keys, agreements and signatures that wait for a quorum."""

    root: Path

    @classmethod
    def find(cls) -> Home:
        """The folder of ESCROW_HOME, by default ~/.milestone-escrow; it need not exist yet."""
        named = os.environ.get("ESCROW_HOME", "")
        return cls(Path(named).expanduser() if named else Path.home() / ".milestone-escrow")

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    @property
    def agreements(self) -> Path:
        return self.root / "agreements"

    @property
    def attestations(self) -> Path:
        return self.root / "attestations"

    @property
    def offers(self) -> Path:
        """Copies of the receivables that were offered here."""
        return self.root / "offers"

    @property
    def words(self) -> Path:
        """What people wrote behind the hashes on chain: reasons and evidence lists."""
        return self.root / "words"

    @property
    def deployments(self) -> Path:
        return self.root / "deployments"

    @property
    def sandbox(self) -> Path:
        return self.root / "sandbox.json"

    @property
    def sent(self) -> Path:
        """Hashes of transactions that were sent from here and not seen in a block, one a line."""
        return self.root / "sent.txt"

    def has_sent(self, transaction: str) -> bool:
        """Whether this is the hash of such a transaction, and so no secret."""
        try:
            return transaction.lower() in self.sent.read_text("utf-8").split()
        except OSError:
            return False

    def remember_sent(self, transaction: str) -> None:
        """Keep a transaction's hash; the last hundred are kept."""
        known = self.sent.read_text("utf-8").split() if self.sent.is_file() else []
        write(self.sent, "\n".join([*known[-99:], transaction.lower()]) + "\n")

    def has_agreement(self, agreement_id: str) -> bool:
        """Whether the shelf holds this full id."""
        digits = agreement_id.lower().removeprefix("0x")
        return (self.agreements / f"0x{digits}.json").is_file()


def write(path: Path, text: str) -> None:
    """Write a file of the state folder that only its owner reads, whole or not at all.

    Raises:
        EscrowError: the folder cannot be written to.
    """
    from milestone_escrow.documents.files.writing import write_private

    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise EscrowError(
            f"{path.parent} cannot be created ({error.strerror})",
            hint="set ESCROW_HOME to another folder",
        ) from error
    write_private(path, text.encode())


def debugging() -> bool:
    """Whether ESCROW_DEBUG asks for stack traces."""
    return os.environ.get("ESCROW_DEBUG", "") not in ("", "0")


def environment() -> Mapping[str, str]:
    """What oracle.toml may take secrets from."""
    return os.environ


def explorer_key() -> str:
    """The access key for explorers that want one."""
    return os.environ.get("ETHERSCAN_API_KEY", "").strip()


def wants_colour() -> bool:
    """Whether NO_COLOR (no-color.org) leaves colour allowed."""
    return not os.environ.get("NO_COLOR")
