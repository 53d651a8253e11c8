"""Read-only links: made and revoked by the parties, opening one agreement for a while."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from milestone_escrow.oracle.api.read_links import DAY
from milestone_escrow.oracle.store import tables as t
from tests.oracle.api.world import World, signer


def link(world: World, role: str = "buyer", **body: object) -> dict[str, object]:
    answer = world.post(f"{world.url}/links", role, json=body)
    assert answer.status_code == 201, answer.text
    found: dict[str, object] = answer.json()
    return found


def test_a_link_opens_the_agreement_for_whoever_holds_it(world: World) -> None:
    made = link(world, purpose="for the auditor", days=7)
    body = world.client.get(world.url, params={"link": str(made["token"])}).json()
    assert body["reference"] == "SHED-7"
    assert str(made["url"]).endswith(f"?link={made['token']}")
    me = world.client.get("/v1/session", params={"link": str(made["token"])}).json()
    assert (me["agreement"], me["account"]) == (world.id, None)


def test_a_link_expires(world: World) -> None:
    token = str(link(world, days=1)["token"])
    world.clock.now += DAY
    answer = world.client.get(world.url, params={"link": token})
    assert answer.status_code == 401


def test_a_revoked_link_opens_nothing(world: World) -> None:
    made = link(world)
    path = f"{world.url}/links/{made['link']['id']}"  # type: ignore[index]
    # Either party can, whoever made it; doing it twice is fine.
    for role in ("supplier", "buyer"):
        assert world.client.delete(path, headers=world.as_(role)).status_code == 204
    answer = world.client.get(world.url, params={"link": str(made["token"])})
    assert answer.status_code == 401
    (item,) = world.get(f"{world.url}/links", "buyer").json()["items"]
    assert item["revoked_at"]["unix"] == world.clock.now


def test_a_list_of_links_opens_nothing(world: World) -> None:
    made = link(world, purpose="for the auditor")
    answer = world.get(f"{world.url}/links", "supplier")
    (item,) = answer.json()["items"]
    assert (item["purpose"], item["issued_by"]) == ("for the auditor", signer("buyer").address)
    assert str(made["token"]) not in answer.text
    refused = world.client.get(world.url, params={"link": item["id"]})
    assert refused.status_code == 401


def test_the_store_holds_no_token(world: World) -> None:
    token = str(link(world)["token"])
    with world.store.reading() as connection:
        rows = [str(row) for row in connection.execute(select(t.links))]
        rows += [str(row) for row in connection.execute(select(t.audit))]
    assert not any(token in row for row in rows)


@pytest.mark.parametrize(
    "body", [{"days": 0}, {"days": 367}, {"days": "7"}, {"purpose": "x" * 201}]
)
def test_a_link_that_makes_no_sense_is_refused(world: World, body: dict[str, object]) -> None:
    assert world.post(f"{world.url}/links", "buyer", json=body).status_code == 422


def test_a_link_that_does_not_exist_cannot_be_revoked(world: World) -> None:
    path = f"{world.url}/links/{'0' * 64}"
    assert world.client.delete(path, headers=world.as_("buyer")).status_code == 404


def test_a_calendar_subscribes_with_a_link(world: World) -> None:
    token = str(link(world)["token"])
    answer = world.client.get(f"{world.url}/calendar.ics", params={"link": token})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    assert answer.text.startswith("BEGIN:VCALENDAR")
