"""A small deal, priced for what a faucet gives: one verifier, one quorum of two, one change."""

from __future__ import annotations

import datetime
import itertools
from pathlib import Path

# Each deal has an id of its own, so that no test finds the signatures of another.
_NUMBERS = itertools.count(1)

TEXT = """\
format: 1
title: A leaflet in two languages
reference: {reference}
date: {date}
timezone: UTC

parties:
  buyer: {{name: Harbour Museum, account: {buyer}}}
  supplier: {{name: Quill & Co, account: {supplier}}}
  verifiers:
    editor: {{name: Vera Stone, account: {editor}}}
    printer: {{name: Otto Press, account: {printer}}}
  arbiter: none

payment: {{network: {network}, price: "15.00 USDC", fee: none}}

rules:
  verified_by: editor
  objection_period: {objection_period}
  review_period: off
  ruling_within: 30 days
  if_no_ruling: 50 % to supplier
  if_nothing_proven: refund buyer
  refund_after: 30 days past due

milestones:
  - {{key: draft, title: Both texts written, pays: "6.00 USDC", due: {due},
     requires: [statement of editor]}}
  - {{key: final, title: Both texts final, pays: "4.00 USDC", due: {due},
     requires: [statement of editor]}}
  - {{key: printed, title: Leaflets printed, pays: rest, due: {due}, verified_by: all,
     requires: [statement of editor, statement of printer]}}
"""


def write_deal(
    folder: Path,
    *,
    network: str,
    people: dict[str, str],
    now: int,
    objection_period: str = "off",
) -> str:
    """The file of a deal from today on, `people` by role; returns its path."""
    today = datetime.datetime.fromtimestamp(now, datetime.timezone.utc).date()
    file = folder / f"leaflet-{objection_period.replace(' ', '-')}.yaml"
    file.write_text(
        TEXT.format(
            **people,
            reference=f"LEAFLET-{next(_NUMBERS)}",
            date=today,
            due=today + datetime.timedelta(days=60),
            network=network,
            objection_period=objection_period,
        ),
        encoding="utf-8",
    )
    return str(file)
