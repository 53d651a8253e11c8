"""What the chain says of an audit bundle: that its blocks are the chain's, and that nothing is
missing."""

from __future__ import annotations

from milestone_escrow.chain.contract.events import Event
from milestone_escrow.chain.contract.reader import Reader
from milestone_escrow.chain.proofs.headers import decode_header
from milestone_escrow.errors import EscrowError
from milestone_escrow.papers.audit.bundle import Contents, hexed
from milestone_escrow.papers.audit.claims import Claim, ToldBundle, claimed, version_of
from milestone_escrow.protocol.lifecycle import Status


def verify_on_chain(contents: Contents, reader: Reader) -> tuple[Claim, ...]:
    """Compare with the contract itself, which `reader` has been connected to and checked."""
    told = ToldBundle(contents)
    return (
        claimed("The blocks are the chain's", lambda: _canonical(contents, reader)),
        claimed("Nothing is left out", lambda: _complete(told, reader)),
        claimed("The agreement stands where it stood", lambda: _status(told, reader)),
    )


def _canonical(contents: Contents, reader: Reader) -> str:
    for number, encoded in contents.headers.items():
        block = reader.node.request("eth_getBlockByNumber", [hex(number), False])
        mine = hexed(decode_header(encoded).hash)
        if block is None or block["hash"].lower() != mine:
            raise EscrowError(f"block {number:,} of this chain is not {mine}")
    return f"{len(contents.headers)} blocks have the same hashes on {reader.network.title}"


def _complete(told: ToldBundle, reader: Reader) -> str:
    count = 0
    for agreement_id in told.bounds:
        chain = [e for e in _own(reader, agreement_id) if e.place.block <= _head(told)]
        mine = told.events(agreement_id)
        if [_key(event) for event in chain] != [_key(event) for event in mine]:
            raise EscrowError(
                f"the chain has {len(chain)} events of it until block {_head(told):,}, the bundle "
                f"{len(mine)}, or they differ"
            )
        count += len(chain)
    return f"{count} events until block {_head(told):,}, the same in the bundle"


def _status(told: ToldBundle, reader: Reader) -> str | Claim:
    title = "The agreement stands where it stood"
    later = sum(
        event.place.block > _head(told)
        for agreement_id in told.bounds
        for event in _own(reader, agreement_id)
    )
    if later:
        return Claim(title, None, f"{later} events have happened since; export it again for those")
    for walk in told.walks:
        for mine, theirs in zip(walk.states, reader.states(walk.bound), strict=True):
            # Of what is settled the contract remembers only that it is.
            if mine.status is not theirs.status or (
                mine.status is not Status.SETTLED and mine != theirs
            ):
                raise EscrowError("the contract remembers a milestone differently")
    return "status, clocks, amounts and payees are the contract's own"


def _own(reader: Reader, agreement_id: bytes) -> list[Event]:
    return [event for event in reader.events(agreement_id) if version_of(event) == agreement_id]


def _head(told: ToldBundle) -> int:
    return told.contents.head.number


def _key(event: Event) -> tuple[object, ...]:
    """An event without its place in the block, which the bundle counts differently."""
    fields = [getattr(event, name) for name in event.__slots__ if name != "place"]
    return type(event).__name__, event.place.transaction.lower(), str(fields)
