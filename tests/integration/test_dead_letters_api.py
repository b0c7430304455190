"""/v1/dead-letters on a real database: who sees which, what is filtered, replayed and discarded, and what the audit says."""

from base64 import b64decode
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
import pytest_asyncio

from sql import Bad, DeadLetter
from tests.conftest import Dsns
from tests.integration.serving import Served, refused, serving
from tests.integration.test_api_openapi import check

URL = "/v1/dead-letters"
SCOPES = ("dead-letters:read", "dead-letters:write")
OPERATOR = (*SCOPES, "dead-letters:all", "timeline:read", "personal:read")


@pytest_asyncio.fixture
async def served(postgres_dsn: Dsns) -> AsyncIterator[Served]:
    """The API, asked by a key of the client shop."""
    async with serving(postgres_dsn.service, scopes=SCOPES, client="shop") as api:
        yield api


def letter(offset: int, client: str | None = "shop", **more: Any) -> DeadLetter:
    """A dead letter whose reason quotes its record."""
    fields: dict[str, Any] = {
        "source": "twilio",
        "value": b'{"to": "+1555"}',
        "size": 15,
        "client": client,
        "shape": "object: to",
        "items": [Bad(0, "bad", {"to": "+1555"})],
        "detail": {"path": "$.to"},
        "digest": bytes(32),
    }
    topic, reason = more.pop("topic", "webhooks.received"), more.pop("reason", f"$.to: '+1555{offset}' is no address")
    return DeadLetter(topic, 0, offset, reason, **(fields | more))


async def ids_of(served: Served) -> dict[int, str]:
    return {row["offset"]: str(row["id"]) for row in await served.store.dead_letters()}


async def audit(dsn: Dsns, action: str) -> list[tuple[Any, ...]]:
    """Actor, client, subject and detail of an action's rows."""
    query: LiteralString = (
        "SELECT actor, client_id, subject, detail FROM threadline.audit WHERE action = %s ORDER BY position"
    )
    async with await psycopg.AsyncConnection.connect(dsn.service) as connection:
        return await (await connection.execute(query, [action])).fetchall()


def offsets(response: httpx.Response) -> list[int]:
    assert response.status_code == 200, response.text
    return [one["offset"] for one in response.json()["deadLetters"]]


async def test_a_key_sees_its_own_clients_dead_letters_only(served: Served) -> None:
    """Not another client's, nor one of no client, by the list, the groups, the id, or any change; an operator's key sees
    all, and one client's if it asks."""
    await served.store.append([], [], [letter(1), letter(2, "other"), letter(3, None)])
    ids = await ids_of(served)
    assert offsets(await served.http.get(URL)) == [1]
    (group,) = (await served.http.get(f"{URL}/groups")).json()["groups"]
    assert (group["count"], group["example"]) == (1, ids[1])
    refused(await served.http.get(URL, params={"client": "other"}), 403)
    for id in (ids[2], ids[3], str(uuid4()), "mine"):
        refused(await served.http.get(f"{URL}/{id}"), 404)
        refused(await served.http.post(f"{URL}/{id}/replay"), 404)
        refused(await served.http.post(f"{URL}/{id}/discard", json={"reason": "x"}), 404)
    for action, more in (("replay", {}), ("discard", {"reason": "x"})):
        every = await served.http.post(f"{URL}/{action}", json={"filter": {"source": "twilio"}, **more, "dryRun": True})
        assert every.json()[f"{action}ed"] == 1
        refused(await served.http.post(f"{URL}/{action}", json={"filter": {"client": "other"}, **more}), 403)
    await served.ask_as(*OPERATOR, client="default")
    assert sorted(offsets(await served.http.get(URL))) == [1, 2, 3]
    assert offsets(await served.http.get(URL, params={"client": "other"})) == [2]
    assert (await served.http.get(f"{URL}/{ids[3]}")).status_code == 200


async def test_scopes_that_are_too_small(served: Served) -> None:
    """Reading does not change, changing does not read, and without the scope for personal data there is no record, no detail
    and no reason that quotes it."""
    await served.store.append([], [], [letter(1)])
    (id,) = (await ids_of(served)).values()
    shown = await served.http.get(f"{URL}/{id}")
    check(f"{URL}/{{id}}", shown)
    assert not {"record", "detail", "items"} & shown.json().keys()
    assert "+1555" not in shown.text and shown.json()["reason"] == "$.to: … is no address"
    assert offsets(await served.http.get(URL, params={"reason": "'+15551' is no"})) == [
        1
    ]  # no way to guess what it quotes
    assert offsets(await served.http.get(URL, params={"reason": "'+19991' is no"})) == [1]
    await served.ask_as("dead-letters:read", "timeline:read", "personal:read", client="shop")
    whole = (await served.http.get(f"{URL}/{id}")).json()
    assert b64decode(whole["record"]) == b'{"to": "+1555"}' and "+15551" in whole["reason"]
    for path in (f"{id}/replay", "replay", f"{id}/discard", "discard"):
        assert refused(await served.http.post(f"{URL}/{path}", json={}), 403)["scope"] == "dead-letters:write"
    await served.ask_as("dead-letters:write", client="shop")
    for path in ("", "/groups", f"/{id}"):
        assert refused(await served.http.get(URL + path), 403)["scope"] == "dead-letters:read"


async def test_filters_and_pages(served: Served) -> None:
    """Each filter alone, pages by cursor, and a cursor of another question, or of none, is refused."""
    before = datetime.now(UTC) - timedelta(seconds=1)
    await served.store.append([], [], [letter(n) for n in range(5)])
    await served.store.append(
        [], [], [letter(7, source="sendgrid", topic="events.reported", reason="too costly: 250 ms")]
    )
    assert offsets(await served.http.get(URL, params={"source": "sendgrid"})) == [7]
    assert offsets(await served.http.get(URL, params={"topic": "events.reported"})) == [7]
    assert offsets(await served.http.get(URL, params={"reason": "TOO costly"})) == [7]
    assert offsets(await served.http.get(URL, params={"until": before.isoformat()})) == []
    assert len(offsets(await served.http.get(URL, params={"since": before.isoformat()}))) == 6
    seen: list[int] = []
    query = {"limit": "2", "handled": "false"}
    while True:
        page = await served.http.get(URL, params=query)
        check(URL, page)
        seen += offsets(page)
        if page.json()["next"] is None:
            break
        query["cursor"] = page.json()["next"]
    assert sorted(seen) == [0, 1, 2, 3, 4, 7] and seen[0] == 7
    for wrong in (
        {"cursor": "x"}, {"cursor": query["cursor"], "source": "twilio"}, {"since": "yesterday"}, {"handled": "perhaps"},
        {"limit": "0"}, {"limit": "201"}, {"kind": "x"}, {"reason": "\0"},
    ):  # fmt: skip
        assert refused(await served.http.get(URL, params=wrong), 400)["parameter"] in wrong
    groups = await served.http.get(f"{URL}/groups")
    check(f"{URL}/groups", groups)
    assert [(one["count"], one["reason"], one["shape"]) for one in groups.json()["groups"]] == [
        (5, "$.to: … is no address", "object: to"),
        (1, "too costly: # ms", "object: to"),
    ]
    assert groups.json()["counted"] == 6


@pytest.mark.parametrize(
    ("action", "body", "path"),
    [
        ("replay", {}, "$.filter"),
        ("replay", {"filter": {}}, "$.filter"),
        ("replay", {"filter": {"state": "open"}}, "$.filter.state"),
        ("replay", {"filter": {"source": 7}}, "$.filter.source"),
        ("replay", {"filter": {"source": "x"}, "limit": 501}, "$.limit"),
        ("replay", {"filter": {"source": "x"}, "limit": True}, "$.limit"),
        ("replay", {"filter": {"source": "x"}, "cursor": 7}, "$.cursor"),
        ("replay", {"filter": {"source": "x"}, "lost": "yes"}, "$.lost"),
        ("replay", {"filter": {"source": "x"}, "all": True}, "$.all"),
        ("replay", [], "$"),
        ("discard", {"filter": {"source": "x"}}, "$.reason"),
        ("discard", {"filter": {"source": "x"}, "reason": " "}, "$.reason"),
        ("discard", {"filter": {"source": "x"}, "reason": "x" * 501}, "$.reason"),
    ],
)
async def test_bad_bodies_are_refused_by_their_path(served: Served, action: str, body: Any, path: str) -> None:
    """And change nothing."""
    await served.store.append([], [], [letter(1, source="x")])
    assert refused(await served.http.post(f"{URL}/{action}", json=body), 422)["path"] == path
    (row,) = await served.store.dead_letters()
    assert row["replayed_at"] is None and row["discarded_at"] is None


async def test_a_replay_repeated_is_one_replay(served: Served, postgres_dsn: Dsns) -> None:
    """Until the caller says `again` after it was published; the audit names the key."""
    await served.store.append([], [], [letter(1)])
    (id,) = (await ids_of(served)).values()
    for _ in range(2):
        response = await served.http.post(f"{URL}/{id}/replay")
        check(f"{URL}/{{id}}/replay", response)
        assert (response.status_code, response.json()["state"]) == (202, "replayed")
        assert (response.json()["replay"]["number"], response.json()["replay"]["outcome"]) == (1, None)
    assert (await served.http.post(f"{URL}/{id}/replay", json={"again": True})).json()["replay"]["number"] == 1

    async def publish(records: Any) -> list[bool]:
        assert [(topic, value, number) for topic, value, _, number in records] == [
            ("webhooks.received", b'{"to": "+1555"}', 1)
        ]
        return [True]

    assert await served.store.publish_replays(publish) == 1
    assert (await served.http.post(f"{URL}/{id}/replay")).json()["replay"]["number"] == 1
    assert (await served.http.post(f"{URL}/{id}/replay", json={"again": True})).json()["replay"]["number"] == 2
    rows = await audit(postgres_dsn, "dead_letter.replay")
    assert [(actor, client, subject) for actor, client, subject, _ in rows] == [("key:test", "shop", id)] * 2
    assert all(UUID(detail["key"]) for *_, detail in rows)
    refused(await served.http.post(f"{URL}/{id}/discard", json={"reason": "x"}), 409)


async def test_a_filter_is_replayed_call_by_call(served: Served) -> None:
    """Each call changes at most its limit; records that were not kept are counted, and what came meanwhile is left."""
    await served.store.append([], [], [letter(n) for n in range(5)] + [letter(9, value=None)])
    body: dict[str, Any] = {"filter": {"source": "twilio"}, "limit": 4}
    dry = (await served.http.post(f"{URL}/replay", json=body | {"dryRun": True})).json()
    first = await served.http.post(f"{URL}/replay", json=body)
    check(f"{URL}/replay", first)
    assert first.json()["replayed"] + first.json()["notKept"] == 4 and dry["replayed"] == first.json()["replayed"]
    await served.store.append([], [], [letter(20)])
    body["cursor"] = first.json()["next"]
    second = (await served.http.post(f"{URL}/replay", json=body)).json()
    assert second["next"] is None
    assert first.json()["replayed"] + second["replayed"] == 5
    assert first.json()["notKept"] + second["notKept"] == 1
    refused(await served.http.post(f"{URL}/replay", json=body | {"filter": {"topic": "x"}}), 400)
    assert offsets(await served.http.get(URL, params={"handled": "false"})) == [20, 9]
    lost = (await served.http.post(f"{URL}/replay", json={"filter": {"source": "twilio"}, "lost": True})).json()
    assert lost["replayed"] == 0  # they still wait to be published
    assert (await served.store.publish_replays(lambda records: _taken(len(records)))) == 5
    lost = (await served.http.post(f"{URL}/replay", json={"filter": {"source": "twilio"}, "lost": True})).json()
    assert lost["replayed"] == 5


async def _taken(number: int) -> list[bool]:
    return [True] * number


async def test_a_discarded_one_stays_and_its_record_goes_if_asked(served: Served, postgres_dsn: Dsns) -> None:
    """With who, when and why; it cannot be replayed, and a repeat changes nothing."""
    await served.store.append([], [], [letter(1), letter(2), letter(3)])
    ids = await ids_of(served)
    await served.http.post(f"{URL}/{ids[3]}/replay")
    kept = await served.http.post(f"{URL}/{ids[1]}/discard", json={"reason": "a test"})
    check(f"{URL}/{{id}}/discard", kept)
    assert (kept.json()["state"], kept.json()["recordKept"]) == ("discarded", True)
    every = {"filter": {"source": "twilio"}, "reason": "test traffic", "removeRecord": True}
    response = await served.http.post(f"{URL}/discard", json=every)
    check(f"{URL}/discard", response)
    assert response.json() == {"discarded": 1, "next": None}  # neither what was replayed nor what was discarded
    again = await served.http.post(f"{URL}/{ids[2]}/discard", json={"reason": "another", "removeRecord": True})
    assert again.json()["discard"]["reason"] == "test traffic"
    refused(await served.http.post(f"{URL}/{ids[1]}/discard", json={"reason": "x", "removeRecord": True}), 409)
    refused(await served.http.post(f"{URL}/{ids[2]}/replay", json={"again": True}), 409)
    row = await served.store.dead_letter(UUID(ids[2]))
    assert row is not None
    assert (row["value"], row["detail"], row["items"], row["reason"]) == (None, None, [], "$.to: … is no address")
    assert (row["size"], row["digest"], row["discarded_by"]) == (15, bytes(32).hex(), "key:test")
    rows = await audit(postgres_dsn, "dead_letter.discard")
    assert [(subject, detail["reason"], detail["recordRemoved"]) for _, _, subject, detail in rows] == [
        (ids[1], "a test", False),
        (ids[2], "test traffic", True),
    ]
