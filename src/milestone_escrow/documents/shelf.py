"""The agreements that this machine knows: one verified file each, named by id.

An agreement is found by its file, its reference, its id or the first digits of its id; a name
that fits several is refused with the list of them. A reference means the newest version, where
change orders tie several together. A new version belongs on the shelf once it is open; until then
its change order waits in a folder of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from milestone_escrow.documents.agreement import Agreement, BoundAgreement
from milestone_escrow.documents.files.signed_agreement import SignedAgreement, signed_path
from milestone_escrow.documents.files.signed_change import SignedChange
from milestone_escrow.documents.source import suggest
from milestone_escrow.errors import DocumentError, EscrowError, UsageError
from milestone_escrow.protocol.signatures import Wallets

_PREFIX = re.compile(r"(?:0[xX])?([0-9a-fA-F]{4,64})")


@dataclass(frozen=True, slots=True)
class Card:
    """What the shelf knows of an agreement without verifying it; `replaces` is "" or an id."""

    agreement_id: str
    reference: str
    title: str
    path: Path
    replaces: str = ""

    def __str__(self) -> str:
        return f"{self.reference} ({self.agreement_id[:10]}…, {self.title})"


@dataclass(frozen=True, slots=True)
class SetAside:
    """A file on the shelf that is no agreement, and why; it stops nothing else."""

    path: Path
    why: str


@dataclass(frozen=True, slots=True)
class Shelf:
    """A folder of signed agreements; it is made when something is first put there.

    `wallets` asks about contract wallets' signatures; without, such agreements
    are refused.
    """

    folder: Path
    wallets: Wallets | None = None

    def put(self, signed: SignedAgreement) -> SignedAgreement:
        """Keep an agreement, together with the signatures that are here already.

        Raises:
            DocumentError: the folder cannot be written to.
        """
        path = self.path(signed.id)
        if path.is_file():
            try:
                signed = signed.merge(self._load(path))
            except DocumentError:
                # Its owner may still want to see what was there.
                path.replace(path.with_suffix(".json.damaged"))
        _make(self.folder)
        signed.save(path)
        return signed

    def get(self, agreement_id: bytes) -> SignedAgreement | None:
        """The agreement of that id, verified, if it is here."""
        path = self.path(agreement_id)
        return self._load(path) if path.is_file() else None

    def cards(self) -> tuple[Card, ...]:
        """Everything on the shelf that can be read, by reference."""
        return tuple(sorted(self._cards(), key=lambda card: (card.reference, card.agreement_id)))

    def look_through(self) -> tuple[tuple[SignedAgreement, ...], tuple[SetAside, ...]]:
        """Everything on the shelf: what verifies, by reference, and what does not."""
        good: list[SignedAgreement] = []
        aside: list[SetAside] = []
        try:
            paths, orders = _files(self.folder), _files(self._changes)
        except DocumentError as error:
            return (), (SetAside(self.folder, error.sentence),)
        for path in paths:
            try:
                good.append(self._load(path))
            except EscrowError as error:
                aside.append(SetAside(path, error.sentence))
        for path in orders:
            try:
                SignedChange.load(path, self.wallets)
            except EscrowError as error:
                aside.append(SetAside(path, error.sentence))
        good.sort(key=lambda signed: (signed.agreement.reference, signed.id))
        return tuple(good), tuple(aside)

    def glance(self) -> frozenset[tuple[Path, int, int]]:
        """What is another one whenever a file here is: each one's time of change and size.

        Raises:
            DocumentError: the folder cannot be read.
        """
        found = set()
        for path in (*_files(self.folder), *_files(self._changes)):
            with suppress(OSError):  # gone meanwhile
                now = path.stat()
                found.add((path, now.st_mtime_ns, now.st_size))
        return frozenset(found)

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
        found = _newest(found, cards)
        if not found and (match := _PREFIX.fullmatch(name)):
            start = "0x" + match[1].lower()
            found = [card for card in cards if card.agreement_id.startswith(start)]
        if len(found) == 1:
            return self._load(found[0].path)
        if found:
            raise UsageError(
                f"'{name}' means {len(found)} agreements: {'; '.join(map(str, found))}",
                hint="give the first digits of its id",
            )
        raise self._unknown(name, cards)

    def versions(self, agreement_id: bytes) -> tuple[Card, ...]:
        """The version of that id and those that it goes back to, as far as they are here, the
        oldest first."""
        known = {card.agreement_id: card for card in self._cards()}
        found: list[Card] = []
        card = known.get(f"0x{agreement_id.hex()}")
        while card is not None and card not in found:
            found.insert(0, card)
            card = known.get(card.replaces)
        return tuple(found)

    def put_change(self, change: SignedChange) -> SignedChange:
        """Keep a change order, together with the signatures that are here already.

        Raises:
            DocumentError: the folder cannot be written to.
        """
        path = self._change_path(change.old.id, change.new.id)
        if path.is_file():
            try:
                known = SignedChange.load(path, self.wallets)
            except DocumentError:
                path.replace(path.with_suffix(".json.damaged"))
                known = change
            # Of two orders to the same version the later one is what people agree on now.
            change = change.merge(known) if known.amendment == change.amendment else change
        _make(path.parent)
        change.save(path)
        return change

    def changes(self, agreement_id: bytes) -> tuple[SignedChange, ...]:
        """The change orders kept here that would replace the agreement of that id, and verify;
        `look_through` names the others."""
        found = []
        for path in _files(self._changes):
            if path.name.startswith(f"0x{agreement_id.hex()}-"):
                with suppress(DocumentError):
                    found.append(SignedChange.load(path, self.wallets))
        return tuple(found)

    def follow(
        self, signed: SignedAgreement, is_open: Callable[[SignedAgreement], bool]
    ) -> SignedAgreement:
        """The newest version of an agreement by the change orders kept here; `is_open` asks the
        chain. Versions that turn out to be open are put on the shelf."""
        seen = {signed.id}
        while True:
            after = [change.new for change in self.changes(signed.id) if change.new.id not in seen]
            opened = next((new for new in after if is_open(new)), None)
            if opened is None:
                return signed
            signed = self.put(opened)
            seen.add(signed.id)

    def _from_file(
        self, path: Path, bind: Callable[[Agreement], BoundAgreement] | None
    ) -> SignedAgreement:
        if path.suffix.lower() == ".json":
            signed = self._load(path)
        elif bind is None:
            raise UsageError(f"{path} is bound to no network", hint="sign it first")
        else:
            signed = SignedAgreement.start(bind(Agreement.load(path)))
            beside = signed_path(path)
            # Signatures of an earlier version of the file, or for another network, do not count.
            if beside.is_file() and (other := self._load(beside)).is_of(signed):
                signed = other
            else:
                signed = self._signed_already(signed) or signed
        with suppress(DocumentError):  # a damaged copy takes nothing from the file at hand
            known = self.get(signed.id)
            return signed.merge(known) if known else signed
        return signed

    def _signed_already(self, fresh: SignedAgreement) -> SignedAgreement | None:
        """The same file as it was signed, where this machine would make other instants of it."""
        for card in self._cards():
            if card.reference == fresh.agreement.reference:
                with suppress(EscrowError):
                    if (signed := self._load(card.path)).is_of(fresh):
                        return signed
        return None

    def _unknown(self, name: str, cards: tuple[Card, ...]) -> UsageError:
        close = suggest(name, [card.reference for card in cards])
        hint = "give the path of its file once"
        if cards:
            hint = close if close.startswith("did") else f"known here: {_listed(cards)}, or {hint}"
        return UsageError(f"there is no agreement '{name}' here", hint=hint)

    def _load(self, path: Path) -> SignedAgreement:
        return SignedAgreement.load(path, self.wallets)

    def path(self, agreement_id: bytes) -> Path:
        """Where the file with all signatures that are known of an agreement is kept."""
        return self.folder / f"0x{agreement_id.hex()}.json"

    @property
    def _changes(self) -> Path:
        return self.folder / "changes"

    def _change_path(self, old: bytes, new: bytes) -> Path:
        return self._changes / f"0x{old.hex()}-0x{new.hex()}.json"

    def _cards(self) -> Iterator[Card]:
        for path in _files(self.folder):
            try:
                document = json.loads(path.read_bytes())["document"]
                reference, title = str(document["reference"]), str(document["title"])
                replaces = str(document.get("replaces", ""))
            except (OSError, ValueError, KeyError, TypeError, AttributeError):
                continue  # `look_through` says so; whoever looks for another one is not stopped
            yield Card(path.stem, reference, title, path, replaces)


def _newest(found: list[Card], cards: tuple[Card, ...]) -> list[Card]:
    """The versions that no other one on the shelf replaces, whatever those are called."""

    def tips(card: Card, seen: tuple[Card, ...]) -> Iterator[Card]:
        after = [c for c in cards if c.replaces == card.agreement_id and c not in seen]
        if not after:
            yield card
        for other in after:
            yield from tips(other, (*seen, other))

    return list(dict.fromkeys(tip for card in found for tip in tips(card, (card,))))


def _files(folder: Path) -> tuple[Path, ...]:
    """What is kept in a folder; nothing where it was never made.

    Raises:
        DocumentError: it is there, and cannot be read.
    """
    try:
        paths = sorted(folder.iterdir())
    except FileNotFoundError:
        return ()
    except OSError as error:
        reason = error.strerror or "failed"
        raise DocumentError(f"cannot be read ({reason})", file=str(folder)) from error
    return tuple(path for path in paths if path.match("0x*.json"))


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or "failed"
        raise DocumentError(f"cannot be created ({reason})", file=str(folder)) from error


def _listed(cards: tuple[Card, ...]) -> str:
    names = sorted({card.reference for card in cards})
    return ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
