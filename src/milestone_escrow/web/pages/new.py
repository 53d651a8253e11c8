"""Writing an agreement together: from an example, a file or a spreadsheet, to both signatures."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Form, UploadFile
from fastapi.responses import HTMLResponse, JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from milestone_escrow.documents import examples
from milestone_escrow.documents.agreement import Agreement
from milestone_escrow.documents.change_orders.difference import difference
from milestone_escrow.documents.check.report import Finding
from milestone_escrow.documents.files.signed_agreement import SignedAgreement
from milestone_escrow.documents.money import DECIMALS, Denomination
from milestone_escrow.documents.tables.conventions import DateOrder, DecimalSign
from milestone_escrow.documents.tables.grid import MAX_BYTES
from milestone_escrow.documents.tables.spreadsheet import (
    MEANINGS,
    Corrections,
    read_columns,
    understand,
)
from milestone_escrow.documents.when import UTC, format_date, format_time
from milestone_escrow.errors import DocumentError, EscrowError, UsageError
from milestone_escrow.oracle import drafts, viewing
from milestone_escrow.oracle.api.careful import CarefulRoute
from milestone_escrow.oracle.api.problems import Problem
from milestone_escrow.oracle.api.routes.common import limited
from milestone_escrow.oracle.api.viewers import Asking, require_account
from milestone_escrow.oracle.drafts import MAX_TEXT, DraftVersion
from milestone_escrow.papers.contract import contract_pdf
from milestone_escrow.papers.typeface import NoFontError
from milestone_escrow.web.page_deps import Web, WebDeps
from milestone_escrow.web.rendering import page
from milestone_escrow.words.checked import ReportTeller

router = APIRouter(route_class=CarefulRoute)

LIMITED = [limited("write")]


class DraftBody(BaseModel):
    """The text of a draft."""

    model_config = ConfigDict(extra="forbid")
    text: Annotated[str, Field(max_length=MAX_TEXT)]


@router.get("/new")
def begin(viewer: Asking) -> HTMLResponse:
    shown = []
    for name in examples.names():
        agreement = Agreement.load(examples.path(name))
        shown.append((name, agreement.title, agreement.amount(agreement.price)))
    return page("new.html", viewer, here="new", examples=shown)


@router.post("/web/drafts", dependencies=LIMITED)
def start(body: DraftBody, web: Web, viewer: Asking) -> JSONResponse:
    with web.api.store.transaction() as connection:
        token = drafts.start(connection, body.text, viewer.account or "", web.api.now())
    return JSONResponse({"url": f"/new/{token}"}, 201)


@router.get("/web/examples/{name}")
def example(name: str, web: Web) -> JSONResponse:
    today = datetime.datetime.fromtimestamp(web.api.now(), datetime.timezone.utc).date()
    return JSONResponse({"text": examples.starting_draft(name, today)})


@router.post("/web/check", dependencies=LIMITED)
def check(body: DraftBody, web: Web) -> JSONResponse:
    return JSONResponse(checked(web, body.text))


@router.post("/web/spreadsheet", dependencies=LIMITED)
async def spreadsheet(
    text: Annotated[str, Form(max_length=MAX_TEXT)],
    file: UploadFile,
    sheet: Annotated[str, Form(max_length=200)] = "",
    column: Annotated[list[str], Form(max_length=20)] = [],  # noqa: B006 (FastAPI copies it)
    decimal: Annotated[DecimalSign | None, Form()] = None,
    dates: Annotated[DateOrder | None, Form()] = None,
    rows: Annotated[str, Form(max_length=200)] = "",
) -> JSONResponse:
    """What was understood of a sheet, and the text with its milestones where nothing is open."""
    content = await file.read(MAX_BYTES + 1)
    try:
        currency = Agreement.drafted(text).currency
    except EscrowError:
        currency = Denomination("USDC", DECIMALS["USDC"])
    said = Corrections(sheet, read_columns(column), decimal, dates, rows)
    found = understand(file.filename or "the spreadsheet", content, currency, said)
    taken = None if found.questions else found.written_into(text)
    return JSONResponse(
        {"read": asdict(found), "total": found.total, "meanings": list(MEANINGS), "text": taken}
    )


@router.get("/new/{token}")
def edit(token: str, web: Web, viewer: Asking) -> HTMLResponse:
    found = _versions(web, token)
    last = found[-1]
    return page(
        "draft.html",
        viewer,
        here="new",
        token=token,
        draft=last,
        versions=[(one.version, _who(one), _when(one.saved_at)) for one in reversed(found)],
        check=checked(web, last.text),
    )


@router.post("/web/drafts/{token}", dependencies=LIMITED)
def save(token: str, body: DraftBody, web: Web, viewer: Asking) -> JSONResponse:
    with web.api.store.transaction() as connection:
        version = drafts.save(connection, token, body.text, viewer.account or "", web.api.now())
    return JSONResponse({"version": version})


@router.get("/new/{token}/compare")
def compare(token: str, before: int, after: int, web: Web, viewer: Asking) -> HTMLResponse:
    known = {one.version: one for one in _versions(web, token)}
    if before not in known or after not in known:
        raise Problem(404, "there is no such version")
    try:
        found = difference(
            Agreement.drafted(known[before].text), Agreement.drafted(known[after].text)
        )
        changes, trouble = found.changes, ""
    except EscrowError as error:
        changes, trouble = (), str(error)
    return page(
        "compare.html",
        viewer,
        here="new",
        token=token,
        before=known[before],
        after=known[after],
        changes=changes,
        trouble=trouble,
    )


@router.get("/new/{token}/contract.pdf")
def contract(token: str, web: Web) -> Response:
    agreement = Agreement.drafted(_versions(web, token)[-1].text)
    return pdf(partial(contract_pdf, agreement), f"{agreement.reference}-draft")


@router.post("/web/drafts/{token}/final", dependencies=LIMITED)
def finish(token: str, web: Web, viewer: Asking) -> JSONResponse:
    """From here on both sides sign this text; what is changed later is another agreement."""
    account = require_account(viewer)
    agreement = Agreement.drafted(_versions(web, token)[-1].text)
    report = agreement.check(web.api.now())
    if report.errors:
        text, _ = ReportTeller(report).finding(report.errors[0])
        raise UsageError(f"it cannot be signed yet: {text}")
    if account not in agreement.people.values():
        raise UsageError(
            f"{account} is nobody in this agreement", hint="sign in with an account that it names"
        )
    if agreement.network != web.escrow.network.name:
        raise UsageError(
            f"the agreement is made for {agreement.network}, and this service works on "
            f"{web.escrow.network.name}",
            hint=f"write `network: {web.escrow.network.name}` under payment",
        )
    signed = SignedAgreement.start(agreement.on(web.escrow))
    with web.api.store.transaction() as connection:
        viewing.register(connection, signed, by=account, now=web.api.now())
    return JSONResponse({"url": f"/a/0x{signed.id.hex()}"}, 201)


def checked(web: WebDeps, text: str) -> dict[str, object]:
    """What `check` says of a text, for the page; where it is not an agreement yet, why."""
    try:
        agreement = Agreement.drafted(text)
        report = agreement.check(web.api.now())
    except DocumentError as error:
        return {"ok": False, "line": error.line, "error": _unnamed(error), "findings": []}
    except EscrowError as error:
        return {"ok": False, "line": 0, "error": str(error), "findings": []}
    teller = ReportTeller(report)
    return {
        "ok": not report.errors,
        "line": 0,
        "error": "",
        "title": agreement.title,
        "price": agreement.amount(agreement.price),
        "findings": [_finding(teller, finding) for finding in report.findings],
        "milestones": [
            {
                "title": milestone.title,
                "amount": agreement.amount(milestone.amount),
                "due": format_date(milestone.due) if milestone.due else "",
            }
            for milestone in agreement.milestones
        ],
        "silence": [f"{teller.name(one)}: {teller.silence(one)}" for one in report.silence],
        "alone": list(_alone(agreement, report.who_alone)),
        "caveats": [teller.caveat(one) for one in report.caveats],
    }


def pdf(content: Callable[[], bytes], name: str) -> Response:
    """A PDF to keep, under a name that no header can be broken with.

    Raises:
        Problem: 503, this machine has no font for a name: nothing that a visitor can mend.
    """
    try:
        data = content()
    except NoFontError as error:
        raise Problem(
            503,
            f"this service cannot print it yet: {error.message}",
            hint="whoever runs it installs a font; meanwhile `escrow agreement show --pdf --font "
            "FILE` prints it on your own machine",
        ) from None
    safe = "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in name)
    headers = {"Content-Disposition": f'inline; filename="{safe}.pdf"'}
    return Response(data, media_type="application/pdf", headers=headers)


def _alone(agreement: Agreement, powers: object) -> Iterator[str]:
    assert isinstance(powers, tuple)
    for power in powers:
        title = agreement.milestone(power.milestone).title
        pays = ", ".join(power.pays_alone) or "nobody"
        refunds = ", ".join(power.refunds_alone) or "nobody"
        yield f"{title}: {pays} alone can pay it out, {refunds} alone can give it back"


def _finding(teller: ReportTeller, finding: Finding) -> dict[str, object]:
    text, fix = teller.finding(finding)
    return {"level": finding.level.value, "text": text, "fix": fix, "line": finding.line}


def trouble_of(error: EscrowError) -> str:
    """What is wrong with a text, with its line where that is known."""
    if not isinstance(error, DocumentError):
        return str(error)
    return (f"Line {error.line}: " if error.line else "") + _unnamed(error)


def _unnamed(error: DocumentError) -> str:
    field = f"{error.field}: " if error.field else ""
    hint = f"; {error.hint}" if error.hint else ""
    return f"{field}{error.message}{hint}"


def _versions(web: WebDeps, token: str) -> list[DraftVersion]:
    with web.api.store.reading() as connection:
        try:
            return list(drafts.versions(connection, token))
        except UsageError as error:
            raise Problem(404, error.message, hint=error.hint) from None


def _who(draft: DraftVersion) -> str:
    return f"{draft.saved_by[:6]}…{draft.saved_by[-4:]}" if draft.saved_by else "somebody"


def _when(moment: int) -> str:
    return format_time(moment, UTC)
