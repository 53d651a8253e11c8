"""The agreements that this machine knows: one verified file each, named by id.

An agreement is found by its file, its reference, its id or the first digits of its id; a name
that fits several is refused with the list of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.documents.bound import BoundAgreement
from milestone_escrow.documents.files import write_private
from milestone_escrow.documents.signed import SignedAgreement, signed_path
from milestone_escrow.documents.source import suggest
from milestone_escrow.errors import DocumentError, UsageError

MIN_PREFIX = 4
_PREFIX = re.compile(r"(?:0[xX])?([0-9a-fA-F]{4,64})")


@dataclass(frozen=True, slots=True)
class Card:
    """What the shelf knows of an agreement without verifying it."""

    agreement_id: str
    reference: str
    title: str
    path: Path

    def __str__(self) -> str:
        return f"{self.reference} ({self.agreement_id[:10]}…, {self.title})"


@dataclass(frozen=True, slots=True)
class Shelf:
    """A folder of signed agreements; it is made when something is first put there."""

    folder: Path

    def put(self, signed: SignedAgreement) -> SignedAgreement:
        """Keep an agreement, together with the signatures that are here already.

        Raises:
            DocumentError: the folder cannot be written to.
        """
        path = self._path(signed.id)
        if path.is_file():
            signed = signed.merge(SignedAgreement.load(path))
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            reason = error.strerror or "failed"
            raise DocumentError(f"cannot be created ({reason})", file=str(self.folder)) from error
        text = json.dumps(signed.to_json(), indent=2, ensure_ascii=False) + "\n"
        write_private(path, text.encode())
        return signed

    def get(self, agreement_id: bytes) -> SignedAgreement | None:
        """The agreement of that id, verified, if it is here."""
        path = self._path(agreement_id)
        return SignedAgreement.load(path) if path.is_file() else None

    def cards(self) -> tuple[Card, ...]:
        """Everything on the shelf, by reference."""
        return tuple(sorted(self._cards(), key=lambda card: (card.reference, card.agreement_id)))

    def all(self) -> tuple[SignedAgreement, ...]:
        """Everything on the shelf, verified, by reference."""
        return tuple(SignedAgreement.load(card.path) for card in self.cards())

    def find(
        self, name: str, bind: Callable[[Agreement], BoundAgreement] | None = None
    ) -> SignedAgreement:
        """The agreement that `name` means: a file, a reference, an id or the first digits of one.

        An agreement file (YAML) belongs to no network yet, so `bind` says on which it is meant.

        Raises:
            UsageError: nothing fits, or several do.
            DocumentError: the file is not an agreement.
        """
        path = Path(name)
        if path.is_file():
            return self._from_file(path, bind)
        if path.suffix.lower() in (".yaml", ".yml", ".json"):
            raise UsageError(f"{name} does not exist", hint="give the path of an agreement file")
        cards = self.cards()
        found = [card for card in cards if card.reference.lower() == name.lower()]
        if not found and (match := _PREFIX.fullmatch(name)):
            start = "0x" + match[1].lower()
            found = [card for card in cards if card.agreement_id.startswith(start)]
        if len(found) == 1:
            return SignedAgreement.load(found[0].path)
        if found:
            raise UsageError(
                f"'{name}' means {len(found)} agreements: {'; '.join(map(str, found))}",
                hint="give the first digits of its id",
            )
        raise self._unknown(name, cards)

    def _from_file(
        self, path: Path, bind: Callable[[Agreement], BoundAgreement] | None
    ) -> SignedAgreement:
        if path.suffix.lower() == ".json":
            signed = SignedAgreement.load(path)
        elif bind is None:
            raise UsageError(f"{path} is bound to no network", hint="sign it first")
        else:
            signed = SignedAgreement.start(bind(Agreement.load(path)))
            beside = signed_path(path)
            # Signatures of an earlier version of the file, or for another network, do not count.
            if beside.is_file() and (other := SignedAgreement.load(beside)).id == signed.id:
                signed = signed.merge(other)
        known = self.get(signed.id)
        return signed.merge(known) if known else signed

    def _unknown(self, name: str, cards: tuple[Card, ...]) -> UsageError:
        close = suggest(name, [card.reference for card in cards])
        hint = "give the path of its file once"
        if cards:
            hint = close if close.startswith("did") else f"known here: {_listed(cards)}, or {hint}"
        return UsageError(f"there is no agreement '{name}' here", hint=hint)

    def _path(self, agreement_id: bytes) -> Path:
        return self.folder / f"0x{agreement_id.hex()}.json"

    def _cards(self) -> Iterator[Card]:
        for path in sorted(self.folder.glob("0x*.json")):
            try:
                document = json.loads(path.read_bytes())["document"]
                reference, title = str(document["reference"]), str(document["title"])
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise DocumentError(
                    "is damaged", file=str(path), hint="remove it, and give the agreement's file"
                ) from error
            yield Card(path.stem, reference, title, path)


def _listed(cards: tuple[Card, ...]) -> str:
    names = sorted({card.reference for card in cards})
    return ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
