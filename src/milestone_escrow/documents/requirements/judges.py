"""Each kind of requirement against the facts: what it comes to, and the sentence that says why."""

from __future__ import annotations

from urllib.parse import urlsplit

from milestone_escrow.documents.requirements.compare import meets, shown_value
from milestone_escrow.documents.requirements.evaluation import Fulfilment, Judgement
from milestone_escrow.documents.requirements.facts import Facts, SuppliedFile
from milestone_escrow.documents.requirements.kinds import (
    AfterRequired,
    DocumentRequired,
    HttpRequired,
    StatementRequired,
    WebhookRequired,
)
from milestone_escrow.protocol.acts import Verdict

MET, MISSING, FAILED = Fulfilment.MET, Fulfilment.MISSING, Fulfilment.FAILED


def document(required: DocumentRequired, facts: Facts) -> Judgement:
    """Files of that kind and media type, each content once, handed in by that party itself."""
    named = [file for file in facts.files if file.kind == required.kind]
    own = [file for file in named if file.supplied_by == facts.people.get(required.source)]
    right = [file for file in own if required.media_type in ("", file.media_type)]
    fitting = _distinct(right)
    kind, needed = required.kind.replace("_", " "), required.at_least
    text = f"{kind} from {required.source}"
    if len(fitting) >= needed:
        text = f"{len(fitting)} {text}" if needed > 1 else text
        if unseen := sum(not file.stored for file in fitting):
            text += " (by its hash only)" if unseen == len(fitting) else f" ({unseen} by hash only)"
        since = sorted(file.added_at for file in fitting)[needed - 1]
        return Judgement(MET, text, since, not facts.is_payee(required.source))
    notes: list[str] = []
    if len(own) > len(right):
        notes.append(f"{len(own) - len(right)} not as {required.media_type}")
    if len(right) > len(fitting):
        notes.append(f"{len(right) - len(fitting)} the same as another")
    known = {file.sha256 for file in own}
    if others := [file for file in named if file.sha256 not in known]:
        roles = sorted({file.role for file in others})
        notes.append(f"{len(others)} from {', '.join(roles)} instead")
    lacks = f"{len(fitting)} of {needed} {text}" if needed > 1 else f"no {text}"
    return Judgement(MISSING, lacks + (f" ({', '.join(notes)})" if notes else ""))


def _distinct(files: list[SuppliedFile]) -> list[SuppliedFile]:
    """The same photo twice is one photo."""
    first: dict[bytes, SuppliedFile] = {}
    for file in files:
        first.setdefault(file.sha256, file)
    return list(first.values())


def statement(required: StatementRequired, facts: Facts, now: int) -> Judgement:
    """The verifier's latest signed verdict that still counts accepts the whole milestone."""
    account = facts.people.get(required.source)
    counting = [
        made
        for made in facts.statements
        if made.account == account and facts.issued_at < made.issued_at and now <= made.valid_until
    ]
    on = f": {required.text}" if required.text else ""
    if not counting:
        return Judgement(MISSING, f"{required.source} has not signed{on}")
    last = max(counting, key=lambda made: (made.issued_at, made.received_at))
    if last.verdict is Verdict.REJECTED:
        return Judgement(FAILED, f"{required.source} rejected it{on}", last.received_at)
    if last.verdict is Verdict.RETURNED:
        return Judgement(FAILED, f"{required.source} returned it for rework{on}", last.received_at)
    if last.amount < facts.amount:
        return Judgement(MISSING, f"{required.source} has accepted only a part{on}")
    independent = not facts.is_payee(required.source)
    return Judgement(MET, f"{required.source} accepted it{on}", last.received_at, independent)


def after(required: AfterRequired, facts: Facts) -> Judgement:
    """Settled is settled, whoever it went to: a step in order, and proof of nothing."""
    since = facts.settled.get(required.milestone)
    if since is None:
        return Judgement(MISSING, f"'{required.milestone}' is not settled yet")
    return Judgement(MET, f"'{required.milestone}' is settled", since)


def webhook(required: WebhookRequired, facts: Facts) -> Judgement:
    """An event with that name arrived, authenticated, for this milestone."""
    times = [
        event.seen_at
        for event in facts.events
        if (event.source, event.name) == (required.source, required.event)
    ]
    if not times:
        return Judgement(MISSING, f"no event '{required.event}' from {required.source} yet")
    text = f"event '{required.event}' from {required.source}"
    return Judgement(MET, text, min(times), not facts.is_payee(required.source))


def http(required: HttpRequired, facts: Facts) -> Judgement:
    """The last look at the address found a value that meets the condition."""
    host = urlsplit(required.url).hostname or required.url
    look = next(
        (x for x in facts.looks if (x.url, x.pointer) == (required.url, required.value)), None
    )
    if look is None:
        return Judgement(MISSING, f"{host} was not asked yet")
    if look.error:
        return Judgement(FAILED, f"{host} could not be asked: {look.error}", look.since)
    wanted = f"{required.condition.replace('_', ' ')} {required.operand}"
    said = f"{required.value} at {host} is {shown_value(look.value)}"
    if meets(look.value, required.condition, required.operand):
        independent = not _belongs(host, facts.payee_hosts)
        return Judgement(MET, f"{said}, which {_holds(required)}", look.since, independent)
    return Judgement(MISSING, f"{said}, it must be {wanted.removeprefix('equals ')}")


def _holds(required: HttpRequired) -> str:
    return {
        "equals": "is what it must be",
        "at_least": f"is at least {required.operand}",
        "at_most": f"is at most {required.operand}",
    }[required.condition]


def _belongs(host: str, hosts: frozenset[str]) -> bool:
    return any(host == own or host.endswith(f".{own}") for own in hosts)
