"""The fields of an agreement file, each read from text into a value; unknown fields are refused.

This is the file as written, field by field. What fields mean together (amounts that add up,
verifiers that exist, deadlines) is worked out in `schedule`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, TypeVar
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainValidator, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from milestone_escrow.documents.money import Part, Sum, read_part, read_sum
from milestone_escrow.documents.retainage import (
    RetainageRelease,
    Steps,
    read_release,
    read_releases,
    read_steps,
)
from milestone_escrow.documents.source import Source, Step, Where, suggest
from milestone_escrow.documents.values import (
    NOBODY,
    DeadlineRule,
    Fee,
    QuorumRule,
    read_account,
    read_deadline,
    read_enough,
    read_fee,
    read_key,
    read_no_ruling,
    read_quorum,
    read_silence,
)
from milestone_escrow.documents.vat import Vat, read_vat
from milestone_escrow.documents.when import NUMBER_WORDS, parse_duration, read_date, read_zone
from milestone_escrow.errors import DocumentError, UsageError
from milestone_escrow.protocol.eip712 import ZERO_ADDRESS
from milestone_escrow.protocol.terms import MAX_PERIOD, MIN_ARBITRATION_PERIOD, MIN_REVIEW_PERIOD

T = TypeVar("T")

MAX_LINE = 200
MAX_TEXT = 20_000


def reads(reader: Callable[[str], object]) -> PlainValidator:
    """A pydantic validator from a reader of text that raises `UsageError`."""

    def validate(value: object) -> object:
        if not isinstance(value, str):
            kind = "a list" if isinstance(value, (list, tuple)) else "a group of fields"
            raise _wrong(f"must be text, not {kind}", "write it on one line")
        if not value.strip():
            raise _wrong("is empty", "fill it in, or remove the field")
        try:
            return reader(value.strip())
        except UsageError as error:
            raise _wrong(error.message, error.hint) from error

    return PlainValidator(validate)


def _wrong(message: str, hint: str) -> PydanticCustomError:
    return PydanticCustomError("escrow", "{message}", {"message": message, "hint": hint})


def read_line(text: str) -> str:
    """One line of text without control characters."""
    if len(text) > MAX_LINE:
        raise UsageError(f"has {len(text)} characters", hint=f"write at most {MAX_LINE}")
    if not text.isprintable():
        raise UsageError("holds a line break or control character", hint="write it on one line")
    return text


def read_text(text: str) -> str:
    """Text of any number of lines."""
    if len(text) > MAX_TEXT:
        raise UsageError(f"has {len(text)} characters", hint="move it into an attachment")
    if not all(c.isprintable() or c in "\n\t" for c in text):
        raise UsageError("holds a control character", hint="remove it")
    return text


def _price(text: str) -> Sum:
    price = read_sum(text)
    if not price.symbol:
        raise UsageError(f"'{text}' does not name the token", hint=f'write "{text} USDC"')
    if price.value <= 0:
        raise UsageError("the price is 0", hint="write what the whole agreement costs")
    return price


def _period(text: str) -> int:
    seconds = parse_duration(text)
    if seconds > MAX_PERIOD:
        raise UsageError(f"'{text}' is too long", hint=f"write at most {MAX_PERIOD // 86_400} days")
    return seconds


def _ruling(text: str) -> int:
    seconds = _period(text)
    if seconds < MIN_ARBITRATION_PERIOD:
        raise UsageError(f"'{text}' is too short for a ruling", hint="write at least 3 days")
    return seconds


def _review(text: str) -> int:
    seconds = _period(text)
    if 0 < seconds < MIN_REVIEW_PERIOD:
        raise UsageError(
            f"'{text}' is too short to look at what is submitted",
            hint="write at least 3 days, or off",
        )
    return seconds


def _format(text: str) -> int:
    if text != "1":
        raise UsageError(f"format {text} is not known", hint="write format: 1")
    return 1


def _whole(text: str) -> int:
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII):
        raise UsageError(f"'{text}' is not a whole number", hint="write digits only")
    return int(text)


def _decimals(text: str) -> int:
    if (decimals := _whole(text)) > 36:
        raise UsageError(f"no token has {text} decimals", hint="write the token's own decimals")
    return decimals


def _salt(text: str) -> int:
    try:
        salt = int(text, 16) if text.startswith("0x") else int(text)
    except ValueError:
        salt = -1
    if not 0 <= salt < 2**256:
        raise UsageError(f"'{text}' is not a salt", hint="write a whole number, or remove it")
    return salt


def _number(text: str) -> int:
    count = NUMBER_WORDS.get(text.lower()) or _whole(text)
    if not 1 <= count <= 60:
        raise UsageError(f"{text} payments", hint="write 1 to 60")
    return count


def _agreement_id(text: str) -> str:
    if not re.fullmatch(r"0x[0-9a-f]{64}", text):
        raise UsageError(
            f"'{text}' is not an agreement's id", hint="write 0x and 64 lower-case hex digits"
        )
    return text


def _decided(text: str) -> Sum | None:
    if text.lower() in {"all", "everything"}:
        return None
    try:
        return read_sum(text)
    except UsageError as error:
        raise UsageError(
            f"'{text}' is neither all nor an amount", hint='write all, or "21,600.00"'
        ) from error


def _prefix(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 ./_-]{0,29}", text):
        raise UsageError(
            f"'{text}' cannot begin an invoice's number",
            hint="write at most 30 letters, digits, spaces, dots, slashes, dashes",
        )
    return text


def _network(text: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,39}", text):
        raise UsageError(f"'{text}' is not a network's name", hint="write it as sepolia or sandbox")
    return text


Line = Annotated[str, reads(read_line)]
Text = Annotated[str, reads(read_text)]
Key = Annotated[str, reads(read_key)]
Account = Annotated[str, reads(read_account)]
Day = Annotated[date, reads(read_date)]
Period = Annotated[int, reads(_period)]
Quorum = Annotated[QuorumRule, reads(read_quorum)]
Deadline = Annotated[DeadlineRule, reads(read_deadline)]
Silence = Annotated[bool, reads(read_silence)]
Share = Annotated[Part, reads(read_part)]
Tax = Annotated[Vat, reads(read_vat)]


class Fields(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Party(Fields):
    """A person or company, and the account that acts for it."""

    name: Line
    account: Account
    tax_id: Line | None = None
    registration: Line | None = None
    address: Line | None = None
    contact: Line | None = None
    email: Line | None = None
    phone: Line | None = None
    website: Line | None = None


def _nobody(value: object) -> object:
    return None if isinstance(value, str) and value.strip().lower() in NOBODY else value


def _empty(value: object) -> object:
    return {} if isinstance(value, str) and value.strip().lower() in NOBODY else value


class Parties(Fields):
    buyer: Party
    supplier: Party
    verifiers: Annotated[dict[Key, Party], BeforeValidator(_empty)] = {}
    arbiter: Annotated[Party | None, BeforeValidator(_nobody)] = None


class PaymentFields(Fields):
    network: Annotated[str, reads(_network)]
    price: Annotated[Sum, reads(_price)]
    fee: Annotated[Fee, reads(read_fee)] = Fee(0, ZERO_ADDRESS)
    decimals: Annotated[int, reads(_decimals)] | None = None
    vat: Tax | None = None
    invoice_prefix: Annotated[str, reads(_prefix)] | None = None


class RuleFields(Fields):
    verified_by: Quorum = QuorumRule(0, ())
    objection_period: Period = 0
    review_period: Annotated[int, reads(_review)] = 0
    ruling_within: Annotated[int, reads(_ruling)] = 30 * 86_400
    if_no_ruling: Annotated[int, reads(read_no_ruling)] | None = None
    if_nothing_proven: Silence | None = None
    refund_after: Deadline | None = None
    pays_after: Deadline | None = None


class AnyEntry(Fields):
    """What every milestone may say for itself; the rules say the rest."""

    key: Key | None = None
    title: Line | None = None
    description: Text | None = None
    responsible: Line | None = None
    verified_by: Quorum | None = None
    requires: Any = None
    supplier_evidence: Annotated[bool, reads(read_enough)] | None = None
    if_nothing_proven: Silence | None = None
    refund_after: Deadline | None = None
    pays_after: Deadline | None = None
    vat: Tax | None = None
    cost_centre: Line | None = None


class Series(Fields):
    """Equal payments: how many, of how much each, and when the first is due."""

    payments: Annotated[int, reads(_number)]
    of: Share
    first: Day


_SERIES = re.compile(r"(\w+) payments? of (.+?),? (?:first|from|starting) (\S+)", re.IGNORECASE)


def _series(value: object) -> object:
    """ "ten payments of 100,000.00, first 2027-02-28" is a series on one line."""
    if isinstance(value, str):
        if not (match := _SERIES.fullmatch(value.strip())):
            raise _wrong(
                f"'{value}' is not a series of payments",
                "write ten payments of 100,000.00, first 2027-02-28",
            )
        return {"payments": match[1], "of": match[2].rstrip(","), "first": match[3]}
    return value


OneSeries = Annotated[Series, BeforeValidator(_series)]


class MilestoneEntry(AnyEntry):
    """One entry of `milestones`: a milestone, a deposit, or a series of equal payments."""

    pays: Share | None = None
    due: Day | None = None
    deposit: Share | None = None
    weekly: OneSeries | None = None
    monthly: OneSeries | None = None
    quarterly: OneSeries | None = None
    retainage: Annotated[str, reads(read_line)] | None = None


class ReleaseEntry(AnyEntry):
    release: Annotated[RetainageRelease, reads(read_release)]


def _releases(value: object) -> object:
    if isinstance(value, str):
        return [{"release": sentence} for sentence in read_releases(value)]
    if isinstance(value, list):
        return [{"release": item} if isinstance(item, str) else item for item in value]
    return value


class Retainage(Fields):
    """What is withheld from each milestone, and when it is released."""

    withheld: Annotated[Steps, reads(read_steps)]
    released: Annotated[tuple[ReleaseEntry, ...], BeforeValidator(_releases)]
    completion: Day | None = None


class Attachment(Fields):
    """A file beside the agreement; its hash is known once it was read."""

    name: Line
    sha256: Line = ""


def _attachments(value: object) -> object:
    if isinstance(value, str) and value.strip().lower() in NOBODY:
        return []
    if isinstance(value, list):
        return [{"name": item} if isinstance(item, str) else item for item in value]
    return value


class AgreementFile(Fields):
    """The whole file.

    A change order names the agreement that it `replaces`, and what of each milestone was
    `decided_before`: an amount that has left it, or None for a milestone that stays behind.
    """

    format: Annotated[int, reads(_format)]
    title: Line
    reference: Line
    date: Day
    timezone: Annotated[ZoneInfo, reads(read_zone)]
    replaces: Annotated[str, reads(_agreement_id)] | None = None
    decided_before: dict[Key, Annotated[Sum | None, reads(_decided)]] = {}
    description: Text | None = None
    attachments: Annotated[tuple[Attachment, ...], BeforeValidator(_attachments)] = ()
    parties: Parties
    payment: PaymentFields
    rules: RuleFields = RuleFields()
    milestones: tuple[MilestoneEntry, ...]
    retainage: Retainage | None = None
    clauses: dict[str, Text] = {}
    salt: Annotated[int, reads(_salt)] = 0


def read_model(source: Source) -> AgreementFile:
    """Read every field.

    Raises:
        DocumentError: the first field that is unknown, missing or wrong.
    """
    try:
        return AgreementFile.model_validate(source.tree)
    except ValidationError as error:
        raise _first_error(source, error) from error


def _first_error(source: Source, error: ValidationError) -> DocumentError:
    # A misspelt field is both unknown and missing; the unknown one says more.
    found = sorted(
        error.errors(include_url=False),
        key=lambda item: (item["type"] != "extra_forbidden", source.line(_where(item))),
    )
    item = found[0]
    where = _where(item)
    if item["type"] == "extra_forbidden":
        known = _known_fields(where[:-1])
        return source.error(where, "is not a known field", _unknown_hint(str(where[-1]), known))
    if item["type"] == "missing":
        hint = f"add `{where[-1]}: …`"
        return source.error(where, "is missing", hint)
    if item["type"] == "escrow":
        context = item.get("ctx", {})
        return source.error(where, str(context["message"]), str(context["hint"]))
    return source.error(where, *_SHAPES.get(item["type"], (item["msg"].lower(), "")))


_SHAPES = {
    "model_type": ("must be a group of fields", "put `name: value` lines below it, indented"),
    "dict_type": ("must be a group of fields", "put `name: value` lines below it, indented"),
    "model_attributes_type": ("must be a group of fields", "put `name: value` lines below it"),
    "tuple_type": ("must be a list", "start each item on its own line with a dash"),
}


def _where(item: ErrorDetails) -> Where:
    steps: list[Step] = [step for step in item["loc"] if step != "[key]"]
    return tuple(steps)


def _unknown_hint(name: str, known: list[str]) -> str:
    if name[:1].isdigit() or " " in name:
        return "a comma inside { } starts a new field: put the whole value in quotes"
    return suggest(name, known)


def _known_fields(where: Where) -> list[str]:
    model: type[BaseModel] = AgreementFile
    for step in where:
        model = _MODELS.get(str(step), MilestoneEntry if isinstance(step, int) else model)
        if step in {"released"}:
            return list(ReleaseEntry.model_fields)
        if step == "verifiers":
            return list(Party.model_fields)
    return list(model.model_fields)


_MODELS: dict[str, type[BaseModel]] = {
    "parties": Parties, "buyer": Party, "supplier": Party, "arbiter": Party,
    "payment": PaymentFields, "rules": RuleFields, "retainage": Retainage,
    "milestones": MilestoneEntry, "weekly": Series, "monthly": Series, "quarterly": Series,
    "attachments": Attachment,
}  # fmt: skip
