"""The pages on which somebody acts with a wallet, and the steps that they ask for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from milestone_escrow.chain.node.rpc import RpcError
from milestone_escrow.deals.absent import Absent
from milestone_escrow.documents.values import read_account
from milestone_escrow.oracle.api.careful import CarefulRoute
from milestone_escrow.oracle.api.problems import Problem
from milestone_escrow.oracle.api.viewers import Asking, Viewer
from milestone_escrow.oracle.viewing import DocumentedView, documented
from milestone_escrow.papers.contract import contract_pdf
from milestone_escrow.web.codes import codes
from milestone_escrow.web.page_deps import Web, WebDeps
from milestone_escrow.web.pages.agreement import find, of
from milestone_escrow.web.pages.new import pdf
from milestone_escrow.web.rendering import page
from milestone_escrow.web.steps import paying, selling
from milestone_escrow.web.steps.acting import ACTS
from milestone_escrow.web.steps.amending import amend
from milestone_escrow.web.steps.attesting import attest
from milestone_escrow.web.steps.settling import settle
from milestone_escrow.web.steps.signing import sign_agreement
from milestone_escrow.web.steps.visit import Visit, WalletStep

router = APIRouter(route_class=CarefulRoute)

STEPS: Mapping[str, Callable[[Visit], WalletStep]] = {
    "fund": paying.fund,
    "sign": sign_agreement,
    "attest": attest,
    "amend": amend,
    "settle": settle,
    "offer": selling.offer,
    "buy": selling.buy,
    **ACTS,
}
TITLES = {
    "fund": "Fund",
    "sign": "Sign the agreement",
    "attest": "Give a verdict",
    "submit": "State that it is done",
    "dispute": "Object",
    "rule": "Rule",
    "approve": "Pay",
    "refund": "Give back",
    "finalize": "Let time decide",
    "withdraw": "Withdraw what could not be delivered",
    "settle": "Settle",
    "offer": "Sell what it pays",
    "buy": "Buy what it pays",
}

Text = Annotated[str, Field(max_length=5_000)]
Hexed = Annotated[str, Field(pattern=r"^0x(?:[0-9a-fA-F]{2}){1,8192}$")]


class StepBody(BaseModel):
    """What the page sends; see `Visit`."""

    model_config = ConfigDict(extra="forbid")
    verb: Text
    account: Text
    milestone: Annotated[int, Field(ge=0, le=59)] | None = None
    fields: Annotated[dict[Text, Text], Field(max_length=12)] = {}
    signed: Annotated[dict[Text, Hexed], Field(max_length=4)] = {}
    held: Annotated[dict[Text, dict[Text, str | int]], Field(max_length=4)] = {}


@router.get("/a/{agreement_id}/fund")
def fund(agreement_id: str, web: Web, viewer: Asking) -> HTMLResponse:
    return _form(web, with_document(web, agreement_id, viewer), viewer, "fund", None)


@router.get("/a/{agreement_id}/withdraw")
def withdraw(agreement_id: str, web: Web, viewer: Asking) -> HTMLResponse:
    return _form(web, with_document(web, agreement_id, viewer), viewer, "withdraw", None)


@router.get("/a/{agreement_id}/sign")
def sign(agreement_id: str, web: Web, viewer: Asking) -> HTMLResponse:
    return _form(web, with_document(web, agreement_id, viewer), viewer, "sign", None)


@router.get("/a/{agreement_id}/contract.pdf")
def contract(agreement_id: str, web: Web, viewer: Asking) -> Response:
    view = with_document(web, agreement_id, viewer)
    signed = view.signed
    url = f"{web.api.settings.origin}/a/0x{view.id.hex()}"
    content = partial(
        contract_pdf,
        signed.agreement,
        bound=signed.bound,
        signatures=dict(signed.signatures),
        page=url,
    )
    return pdf(content, signed.agreement.reference)


@router.get("/a/{agreement_id}/{milestone}/{verb}")
def act(agreement_id: str, milestone: int, verb: str, web: Web, viewer: Asking) -> HTMLResponse:
    view = with_document(web, agreement_id, viewer)
    if verb not in TITLES or not 0 <= milestone < len(view.views):
        raise Problem(404, "there is no such page")
    return _form(web, view, viewer, verb, milestone)


@router.post("/web/a/{agreement_id}/step")
def step(agreement_id: str, body: StepBody, web: Web, viewer: Asking) -> JSONResponse:
    """What the wallet is asked next."""
    view = with_document(web, agreement_id, viewer)
    if body.verb not in STEPS:
        raise Problem(404, f"the page knows no '{body.verb[:40]}'")
    visit = Visit(
        view.signed,
        web.escrow.acting_as(Absent(read_account(body.account))),
        web,
        view,
        body.verb,
        body.milestone,
        body.fields,
        {name: bytes.fromhex(value[2:]) for name, value in body.signed.items()},
        body.held,
    )
    return JSONResponse(STEPS[body.verb](visit).to_json())


@router.get("/web/a/{agreement_id}/codes")
def phone_codes(
    agreement_id: str,
    web: Web,
    viewer: Asking,
    milestones: Annotated[str, Query(max_length=300)] = "",
) -> JSONResponse:
    """What a phone scans to pay the ticked milestones in; nothing where none is ticked."""
    view = with_document(web, agreement_id, viewer)
    chosen = paying.ticked(milestones, len(view.milestones))
    found = codes(web, view, chosen, viewer) if chosen else []
    return JSONResponse({"codes": [asdict(one) for one in found]})


@router.get("/web/tx/{transaction}")
def transaction(transaction: str, web: Web, viewer: Asking) -> JSONResponse:
    """Where a transaction stands: unknown, waiting, refused, or in a block so many deep."""
    if not re.fullmatch(r"0x[0-9a-fA-F]{64}", transaction):
        raise Problem(404, "that is no transaction")
    node = web.escrow.node
    link = web.escrow.network.link("tx", transaction)
    try:
        receipt = node.request("eth_getTransactionReceipt", [transaction])
    except RpcError:
        receipt = None
    if isinstance(receipt, dict) and receipt.get("blockNumber"):
        block = int(receipt["blockNumber"], 16)
        depth = int(node.request("eth_blockNumber"), 16) - block + 1
        state = "mined" if int(receipt["status"], 16) == 1 else "refused"
        return JSONResponse({"state": state, "block": block, "depth": depth, "link": link})
    try:
        waits = node.request("eth_getTransactionByHash", [transaction])
    except RpcError:
        waits = None
    return JSONResponse({"state": "waiting" if waits else "unknown", "link": link})


def network_of(web: WebDeps) -> dict[str, object]:
    """The network as wallets take it (EIP-3085)."""
    network = web.escrow.network
    found: dict[str, object] = {
        "chainId": hex(network.chain_id),
        "chainName": network.title,
        "nativeCurrency": {"name": network.coin, "symbol": network.coin, "decimals": 18},
        "rpcUrls": [network.rpc] if network.rpc else [],
    }
    return found | ({"blockExplorerUrls": [network.explorer]} if network.explorer else {})


def with_document(web: WebDeps, agreement_id: str, viewer: Viewer) -> DocumentedView:
    """The agreement with its text, for whoever may read it.

    Raises:
        Problem: 401 for strangers, 404.
    """
    view = documented(find(web, agreement_id, viewer))
    if view is None:
        raise Problem(401, "this is for the agreement's own people", hint="sign in first")
    return view


def _form(
    web: WebDeps, view: DocumentedView, viewer: Viewer, verb: str, index: int | None
) -> HTMLResponse:
    deal = of(web, view, viewer)
    stage = deal.stages[index] if index is not None else None
    agreement = view.agreement
    left = view.views[index].held if index is not None else 0
    unfunded = [
        shown
        for shown, state in zip(deal.stages, view.states, strict=True)
        if not state.status.holds and not state.paid and shown.status.startswith("not funded")
    ]
    unfunded = unfunded or list(deal.stages) if not deal.is_open else unfunded
    stages = [one.index for one in unfunded if index is None or one.index == index]
    return page(
        "act.html",
        viewer,
        here="",
        deal=deal,
        stage=stage,
        verb=verb,
        title=TITLES[verb],
        left=agreement.amount(left),
        symbol=agreement.token_symbol,
        unfunded=unfunded,
        answers=[one for one in stage.shown.proposals if one.takes and one.verb == verb]
        if stage
        else [],
        codes=codes(web, view, stages, viewer) if verb == "fund" and stages else [],
        network=network_of(web),
    )
