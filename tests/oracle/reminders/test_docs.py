"""The page about reminders says what is so."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

from milestone_escrow.oracle.policies.webhook_signature import secret_bytes, sign
from milestone_escrow.oracle.reminders.dispatch import FIRST_PAUSE, LONGEST_PAUSE, MAX_TRIES
from milestone_escrow.oracle.reminders.happenings import AT_ONCE
from tests.oracle.reminders.test_posting import DELIVERY, SECRET, payload

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "reminders.md").read_text(encoding="utf-8")
ROOM = Path(__file__).resolve().parents[3] / "src/milestone_escrow/oracle/reminders"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_snippet_accepts_what_the_oracle_sends_and_nothing_else() -> None:
    (snippet,) = blocks("python")
    names: dict[str, Any] = {}
    exec(snippet, names)  # noqa: S102
    accepted = names["accepted"]
    body, now = payload(DELIVERY), int(time.time())
    for secret in (SECRET, "a secret in plain words"):
        headers = {
            "webhook-id": DELIVERY.id,
            "webhook-timestamp": str(now),
            "webhook-signature": sign(secret_bytes(secret), DELIVERY.id, now, body),
        }
        assert accepted(secret, headers, body)
        assert not accepted(secret, headers, body + b" ")
        assert not accepted("another secret altogether", headers, body)
        assert not accepted(secret, headers | {"webhook-timestamp": str(now - 301)}, body)


def test_the_example_has_the_fields_of_a_real_one() -> None:
    (example,) = blocks("json")
    assert set(json.loads(example)) == set(json.loads(payload(DELIVERY)))


def test_every_kind_is_on_the_page() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in ROOM.glob("*.py"))
    dates = set(re.findall(r'yield Notice\(\s*"([a-z_]+)"', source))
    windows = {"review", "objection", "arbitration"}
    told = set(re.findall(r'"((?:agreement|milestone|event)\.[a-z]+)"', source)) | AT_ONCE
    verbs = {kind.partition(".")[2] for kind in told if kind.startswith("milestone.")}
    assert dates
    assert verbs
    for kind in dates | windows:
        assert f"`{kind}`" in PAGE, kind
    for verb in verbs | {"released", "refunded", "split"}:
        assert f"`.{verb}`" in PAGE or f"`milestone.{verb}`" in PAGE, verb


def test_the_pauses_are_as_the_page_says() -> None:
    assert (FIRST_PAUSE, LONGEST_PAUSE, MAX_TRIES) == (30, 6 * 3_600, 14)
    assert "after 30 seconds, then ever longer up to six hours,\n14 times" in PAGE
