"""What this machine reads otherwise than it was signed, told; nothing stops for it."""

from __future__ import annotations

from collections.abc import Iterator

from milestone_escrow.documents.departures import (
    AmountDiffers,
    DeadlineDiffers,
    Departure,
    RequirementsDiffer,
)
from milestone_escrow.documents.files.signed_agreement import SignedAgreement
from milestone_escrow.documents.requirements.plug_ins import is_here
from milestone_escrow.documents.when import UTC, calendar_release, format_time
from milestone_escrow.errors import assert_never
from milestone_escrow.words.messages import say


def departure_words(signed: SignedAgreement) -> list[str]:
    """One sentence for each difference, and for each kind of requirement whose package is not
    here, in the agreement's order."""
    differ = [_words(signed, departure) for departure in signed.agreement.departures]
    return [*differ, *_missing_kinds(signed)]


def _missing_kinds(signed: SignedAgreement) -> Iterator[str]:
    for planned in signed.agreement.milestones:
        for kind in planned.other_kinds:
            if not is_here(kind):
                yield say(
                    "no package here brings the requirement '{kind}' of '{key}': it stands as it "
                    "was written, and cannot be judged here",
                    kind=kind,
                    key=planned.key,
                )


def _words(signed: SignedAgreement, departure: Departure) -> str:
    match departure:
        case DeadlineDiffers(key=key, signed=was, here=here):
            return say(
                "the deadline of '{key}' is signed as {signed}, and that counts; by this machine's "
                "calendar ({here_release}, signed with {signed_release}) its date would be {here}",
                key=key,
                signed=format_time(was, UTC),
                here=format_time(here, UTC),
                here_release=calendar_release() or say("an unnamed release"),
                signed_release=signed.calendar or say("an unnamed release"),
            )
        case AmountDiffers(key=key, signed=was, here=here):
            amount = signed.agreement.amount
            return say(
                "'{key}' is signed with {signed}, and that counts; read here its words come to "
                "{here}",
                key=key,
                signed=amount(was),
                here=amount(here),
            )
        case RequirementsDiffer(key=key, signed=was):
            return say(
                "what must be shown for '{key}' is signed by the hash {hash}, and that counts; the "
                "packages here read its words otherwise",
                key=key,
                hash=f"0x{was.hex()[:8]}…",
            )
    assert_never(departure)
