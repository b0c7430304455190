"""Messages in a state: filtered, cancelled and released in batches, by the API and the command line."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

import psycopg
import pytest
import pytest_asyncio

from tests.conftest import Dsns
from tests.integration.command_line import command
from tests.integration.serving import listening, refused, serving
from tests.integration.test_api_openapi import check
from tests.integration.test_message_states import Messages
from tests.integration.test_messages_api import URL, settings

SCOPES = ("messages:read", "messages:write")


@pytest_asyncio.fixture
async def messages(postgres_dsn: Dsns) -> AsyncIterator[Messages]:
    """The API on a fresh database."""
    async with serving(postgres_dsn.service, settings(), SCOPES) as served:
        yield Messages(served, postgres_dsn.owner)


async def held(messages: Messages, number: int, state: str = "held") -> list[str]:
    """So many messages in a state."""
    ids = [await messages.new() for _ in range(number)]
    for id in ids:
        await messages.set(id, state)
    return ids


async def rows(messages: Messages, query: LiteralString) -> list[tuple[Any, ...]]:
    async with await psycopg.AsyncConnection.connect(messages._owner) as connection:
        await connection.execute("SET search_path = threadline")
        return await (await connection.execute(query)).fetchall()


async def listed(messages: Messages, **query: str) -> list[str]:
    response = await messages.http.get(URL, params={"state": "held", **query})
    assert response.status_code == 200, response.text
    return [one["messageId"] for one in response.json()["messages"]]


async def test_a_list_is_filtered(messages: Messages) -> None:
    """By channel, account and age, in each state's order; a cursor of other filters is refused."""
    first, second, third = await held(messages, 3)
    await messages.run("UPDATE messages SET channel = 'email', account = 'sendgrid' WHERE message_id = %s", second)
    old = datetime.now(UTC) - timedelta(hours=3)
    await messages.run("UPDATE messages SET accepted_at = %s WHERE message_id = %s", old, third)
    hour_ago = f"{datetime.now(UTC) - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    assert await listed(messages, channel="email") == [second]
    assert await listed(messages, account="sendgrid") == [second]
    assert await listed(messages, until=hour_ago) == [third]
    assert set(await listed(messages, since=hour_ago)) == {first, second}
    await messages.set(third, "queued")
    assert await listed(messages, state="queued", until=hour_ago) == [third]
    assert await listed(messages, state="queued", channel="email") == []
    page = await messages.http.get(URL, params={"state": "held", "limit": "1"})
    cursor = page.json()["next"]
    for wrong in ({"cursor": cursor, "channel": "sms"}, {"cursor": "x"}, {"channel": "fax"}, {"until": "2h"}):
        refused(await messages.http.get(URL, params={"state": "held", **wrong}), 400)


async def test_cancelled_call_by_call(messages: Messages) -> None:
    """Those of the state and the filter, each with the event that its own route records; nothing else changes."""
    ids = await held(messages, 5)
    queued = await messages.new()
    other = (await held(messages, 1))[0]
    await messages.run("UPDATE messages SET client_id = 'other' WHERE message_id = %s", other)
    body: dict[str, Any] = {"filter": {"state": "held"}, "limit": 3}
    dry = await messages.http.post(f"{URL}/cancel", json=body | {"dryRun": True})
    assert dry.json()["cancelled"] == 3 and len(await listed(messages)) == 5
    first = await messages.http.post(f"{URL}/cancel", json=body)
    check("/v1/messages/cancel", first)
    second = await messages.http.post(f"{URL}/cancel", json=body | {"cursor": first.json()["next"]})
    assert (first.json()["cancelled"], second.json()) == (3, {"cancelled": 2, "next": None})
    events = await rows(messages, "SELECT message_id FROM events WHERE type = 'MessageCancelled'")
    assert sorted(id for (id,) in events) == sorted(ids)
    states = dict(await rows(messages, "SELECT message_id, state FROM messages WHERE state <> 'cancelled'"))
    assert states == {queued: "queued", other: "held"}
    again = await messages.http.post(f"{URL}/{ids[0]}/cancel")
    assert (again.status_code, again.json()["state"]) == (200, "cancelled")


async def test_released_with_its_audit(messages: Messages) -> None:
    """Held ones; those whose provider never answered only with `resend`."""
    ids, doubted = await held(messages, 3), await held(messages, 2, "unanswered")
    response = await messages.http.post(f"{URL}/release", json={"filter": {"state": "held"}})
    check("/v1/messages/release", response)
    assert response.json() == {"released": 3, "next": None}
    noted = await rows(messages, "SELECT actor, subject, detail ->> 'was' FROM audit WHERE action = 'message.release'")
    assert sorted(noted) == sorted(("key:test", id, "held") for id in ids)
    body: dict[str, Any] = {"filter": {"state": "unanswered"}}
    assert refused(await messages.http.post(f"{URL}/release", json=body), 422)["path"] == "$.resend"
    again = await messages.http.post(f"{URL}/release", json=body | {"resend": True})
    assert again.json()["released"] == len(doubted)
    states = await rows(messages, "SELECT DISTINCT state, released FROM messages")
    assert states == [("queued", True)]


@pytest.mark.parametrize(
    ("action", "body", "status"),
    [
        ("cancel", {}, 422), ("cancel", {"filter": {"channel": "sms"}}, 400), ("cancel", {"filter": {"state": "sending"}}, 400),
        ("cancel", {"filter": {"state": "sent"}}, 400), ("release", {"filter": {"state": "queued"}}, 400),
        ("cancel", {"filter": {"state": "held", "client": "other"}}, 422), ("cancel", {"filter": {"state": "held"}, "cursor": "x"}, 400),
        ("cancel", {"filter": {"state": "held"}, "resend": True}, 422), ("release", {"filter": {"state": "held"}, "resend": 1}, 422),
        ("cancel", {"filter": {"state": "held"}, "limit": 0}, 422),
    ],
)  # fmt: skip
async def test_bad_requests_change_nothing(messages: Messages, action: str, body: Any, status: int) -> None:
    """And a key that may only read is refused."""
    await held(messages, 1)
    refused(await messages.http.post(f"{URL}/{action}", json=body), status)
    await messages.served.ask_as("messages:read")
    refused(await messages.http.post(f"{URL}/{action}", json={"filter": {"state": "held"}}), 403)
    assert len(await listed(messages)) == 1


async def test_the_command_line_counts_and_asks(messages: Messages, postgres_dsn: Dsns) -> None:
    """Before it changes several; filters are those of the API; --json prints the count."""
    await held(messages, 3)
    async with listening(messages.served) as http:
        token = messages.served.http.headers["authorization"].removeprefix("Bearer ")
        env = {"THREADLINE_API_KEY": token, "THREADLINE_API_URL": str(http.base_url)}
        nothing = await command("messages", "cancel", "--state", "held", "--older-than", "2h", environment=env)
        assert (nothing.code, nothing.out) == (0, "0 cancelled.\n")
        asked = await command(
            "messages", "cancel", "--state", "held", "--channel", "sms", given=b"n\n", environment=env
        )
        assert asked.code == 1 and "3 messages will be cancelled" in asked.err
        listing = await command("messages", "list", "--state", "held", "--channel", "email", environment=env)
        assert listing.out == "No message of this kind is held.\n"
        released = await command("messages", "release", "--state", "held", "--yes", "--json", environment=env)
        assert (released.code, released.out) == (0, '{\n  "released": 3\n}\n')
        cancelled = await command("messages", "cancel", "--state", "queued", given=b"y\n", environment=env)
        assert (cancelled.code, cancelled.out) == (0, "3 cancelled.\n")
        assert (await command("messages", "cancel", environment=env)).code == 2
        wrong = await command("messages", "release", "--state", "queued", "--yes", environment=env)
        assert wrong.code == 1 and "state is one of: held, unanswered" in wrong.err
