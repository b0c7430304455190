"""GET /v1/audit: who did what of a client's, page by page, and that it was read."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest_asyncio

from app.http.scopes import ALL_CLIENTS
from sql.audited import Entry
from tests.conftest import Dsns
from tests.integration.serving import Served, refused, serving

PATH = "/v1/audit"


@pytest_asyncio.fixture
async def served(postgres_dsn: Dsns) -> AsyncIterator[Served]:
    """The API, with an audit of two clients and of none."""
    async with serving(postgres_dsn.service, scopes=("audit:read",)) as api:
        mine = [
            Entry(
                "key:bff", "timeline.read", "default", f"c{number % 3}", address="198.51.100.7", request_id=f"r{number}"
            )
            for number in range(7)
        ]
        others = [Entry("person:ana", "consent.set", "default", "e1", {"channel": "sms"}, why="asked by phone")]
        others += [Entry("key:bff", "timeline.read", "other", "c0"), Entry("unknown", "access.refused", "", "c0")]
        await api.store.record_audit([*mine, *others])
        yield api


async def listed(served: Served, **parameters: Any) -> dict[str, Any]:
    """Return a page."""
    answer = await served.http.get(PATH, params=parameters)
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    # Without those of the keys that the test makes.
    page["entries"] = [entry for entry in page["entries"] if entry["action"] != "key.create"]
    return page


async def test_entries_are_shown_whole_and_those_of_others_are_not(served: Served) -> None:
    """Newest first, with who, whence, by which request, and why."""
    entries = (await listed(served))["entries"]
    assert [entry["subject"] for entry in entries] == ["e1", "c0", "c2", "c1", "c0", "c2", "c1", "c0"]
    first = entries[0]
    position, at = first.pop("position"), first.pop("at")
    assert isinstance(position, int) and datetime.fromisoformat(at) > datetime.now(UTC) - timedelta(minutes=5)
    assert first == {
        "actor": "person:ana", "action": "consent.set", "subject": "e1", "detail": {"channel": "sms"},
        "keyId": None, "address": None, "requestId": None, "reason": "asked by phone",
    }  # fmt: skip
    assert (entries[1]["address"], entries[1]["requestId"]) == ("198.51.100.7", "r6")
    await served.ask_as("audit:read", client="other")
    assert len((await listed(served))["entries"]) == 1
    await served.ask_as("audit:read", client=ALL_CLIENTS)
    served.http.headers["threadline-client"] = "other"
    assert len((await listed(served))["entries"]) == 1


async def test_pages_have_each_entry_once_also_while_new_ones_come(served: Served) -> None:
    """A cursor is of its own filters and client; a changed one, and one out of range, is refused."""
    found: list[str] = []
    page = await listed(served, limit=3)
    while True:
        found += [entry["requestId"] or entry["subject"] for entry in page["entries"]]
        await served.store.record_audit([Entry("key:bff", "timeline.read", "default", "new")])
        if page["next"] is None:
            break
        page = await listed(served, limit=3, cursor=page["next"])
    assert found == ["e1", *(f"r{number}" for number in range(6, -1, -1))]
    cursor = (await listed(served, limit=1))["next"]
    for parameters in ({"action": "timeline.read"}, {"subject": "c0"}, {"since": "2020-01-01T00:00:00Z"}):
        answer = await served.http.get(PATH, params={"cursor": cursor, **parameters})
        assert refused(answer, 400)["parameter"] == "cursor"
    answer = await served.http.get(PATH, params={"cursor": "A" * 44})
    assert refused(answer, 400)["parameter"] == "cursor"


async def test_filters(served: Served) -> None:
    """By time, actor, action and subject, and all together; what is none is refused."""

    async def count(**parameters: Any) -> int:
        return len((await listed(served, **parameters))["entries"])

    assert await count(actor="key:bff") == 7 and await count(actor="key:other") == 0
    assert await count(action="consent.set") == 1
    assert await count(subject="c0") == 3 and await count(subject="c0", actor="person:ana") == 0
    hour = timedelta(hours=1)
    before, after = (datetime.now(UTC) + by for by in (-hour, hour))
    assert await count(since=before.isoformat(), until=after.isoformat()) == 8
    assert await count(since=after.isoformat()) == await count(until=before.isoformat()) == 0
    for wrong in (
        {"action": "nothing"},
        {"since": "today"},
        {"limit": 0},
        {"what": "x"},
        {"actor": "x" * 513},
        {"subject": "\x00"},
    ):
        assert refused(await served.http.get(PATH, params=wrong), 400)["parameter"] == next(iter(wrong))


async def test_reading_it_is_an_entry(served: Served) -> None:
    """Of the key, for its client; and without the scope nothing is read."""
    await listed(served)
    await served.api.audit.finish()
    latest = (await listed(served, limit=1))["entries"][0]
    assert (latest["actor"], latest["action"], latest["subject"]) == ("key:test", "entries.read", "")
    await served.ask_as("timeline:read")
    assert refused(await served.http.get(PATH), 403)["scope"] == "audit:read"


async def test_what_was_done_to_one_subject_is_found_by_an_index(served: Served, postgres_dsn: Dsns) -> None:
    """However large the audit is: "who read this customer's data" is asked of all of it."""
    async with await psycopg.AsyncConnection.connect(postgres_dsn.owner) as connection:
        await connection.execute("SET enable_seqscan = off")
        query = (
            "EXPLAIN SELECT position FROM threadline.audit WHERE client_id = 'default' AND subject = 'c0' "
            "ORDER BY position DESC LIMIT 51"
        )
        plan = "\n".join(row[0] for row in await (await connection.execute(query)).fetchall())
    assert "audit_of_subject" in plan and "Sort" not in plan
