"""/v1/messages/{id} on a real database: what is shown, cancelled, released and explained in each state."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

import httpx
import psycopg
import pytest
import pytest_asyncio
from psycopg.types.json import Jsonb

from schemas.events import Event, Handle
from tests.conftest import Dsns
from tests.integration.serving import ANA, Served, refused, serving
from tests.integration.test_messages_api import SMS, URL, settings

STATES = ("queued", "held", "sending", "retrying", "unanswered", "watched", "sent", "failed", "expired", "cancelled")
LATER = datetime.now(UTC) + timedelta(hours=3)
NIGHT = {"mon": ["03:00-03:01"]}
TWILIO = [{"channel": "sms", "account": "twilio"}, {"channel": "email", "account": "sendgrid"}]


class Messages:
    """Messages through the API, whose rows can be set through the owner's connection."""

    def __init__(self, served: Served, owner: str) -> None:
        self.served, self.http, self._owner = served, served.http, owner

    async def new(self, **more: Any) -> str:
        """A message's id."""
        response = await self.http.post(URL, json=SMS | more)
        assert response.status_code == 202, response.text
        id: str = response.json()["messageId"]
        return id

    async def run(self, query: LiteralString, *values: Any) -> None:
        """A statement as the owner."""
        async with await psycopg.AsyncConnection.connect(self._owner) as connection:
            await connection.execute("SET search_path = threadline")
            await connection.execute(query, values)

    async def set(self, id: str, state: str, due_at: datetime | None = None, cause: str | None = None) -> None:
        """Put a message in a state."""
        query: LiteralString = (
            "UPDATE messages SET state = %s, due_at = coalesce(%s, due_at), cause = %s WHERE message_id = %s"
        )
        await self.run(query, state, due_at, cause, id)

    async def configure(self, **configuration: Any) -> None:
        """The client's configuration."""
        await self.served.store.set_client("default", {"channels": TWILIO} | configuration, "test")
        self.served.api.clients.forget("default")

    async def explain(self, id: str) -> tuple[list[str], str]:
        """The kinds of the reasons, and the words."""
        response = await self.http.get(f"{URL}/{id}/explain")
        assert response.status_code == 200, response.text
        reported = response.json()
        assert reported["messageId"] == id
        return [one["kind"] for one in reported["reasons"]], reported["words"]

    async def state(self, id: str) -> str:
        """As the API shows it."""
        state: str = (await self.http.get(f"{URL}/{id}")).json()["state"]
        return state


@pytest_asyncio.fixture
async def messages(postgres_dsn: Dsns) -> AsyncIterator[Messages]:
    """On a fresh database."""
    async with serving(
        postgres_dsn.service, settings(), ("messages:read", "messages:write", "personal:read")
    ) as served:
        yield Messages(served, postgres_dsn.owner)


async def test_another_clients_message_is_not_found(messages: Messages) -> None:
    """Nor one that is not there, nor what no id can be; the answer does not differ."""
    id = await messages.new()
    await messages.served.ask_as("messages:read", "messages:write", client="other")
    for path in (f"{URL}/{id}", f"{URL}/{id}/explain", f"{URL}/none", f"{URL}/%00"):
        refused(await messages.http.get(path), 404)
    for path in (f"{URL}/{id}/cancel", f"{URL}/{id}/release", f"{URL}/%00/cancel", f"{URL}/%00/release"):
        refused(await messages.http.post(path), 404)
    await messages.served.ask_as("messages:read")
    assert await messages.state(id) == "queued"


async def test_attempts_and_errors_are_reported(messages: Messages) -> None:
    """Each call with its times, its outcome and its error; a message that is done with is due no more."""
    id = await messages.new(sendBefore="2099-01-01T00:00:00Z", notBefore="2026-01-01T00:00:00Z")
    error = {"code": "21610", "text": "Attempt to send to unsubscribed recipient", "reason": "opted_out"}
    await messages.run("UPDATE messages SET state = 'failed', error = %s WHERE message_id = %s", Jsonb(error), id)
    await messages.run(
        "INSERT INTO attempts (id, number, channel, account, begun_at, answered_at, outcome, status, error) "
        "SELECT id, 1, 'sms', 'twilio', '2026-02-03T12:00Z', '2026-02-03T12:00:01.5Z', 'rejected', 400, %s FROM messages",
        Jsonb(error),
    )
    reported = (await messages.http.get(f"{URL}/{id}")).json()
    assert (reported["state"], reported["error"], reported["dueAt"]) == ("failed", error, None)
    assert (reported["sendBefore"], reported["notBefore"]) == ("2099-01-01T00:00:00Z", "2026-01-01T00:00:00Z")
    assert reported["attempts"] == [
        {
            "number": 1, "channel": "sms", "account": "twilio", "begunAt": "2026-02-03T12:00:00Z",
            "answeredAt": "2026-02-03T12:00:01.500000Z", "outcome": "rejected", "status": 400, "providerMessageId": None,
            "error": error,
        }
    ]  # fmt: skip
    assert (await messages.explain(id)) == (["failed"], "it failed: Attempt to send to unsubscribed recipient")


async def test_what_the_provider_tells_is_its_delivery(messages: Messages) -> None:
    """The interaction of the message is named, and its delivery shown beside the state."""
    id = await messages.new()
    await messages.set(id, "sent")
    delivered = Event(
        "MessageDelivered", "twilio", "SM1:delivered", channel="sms", direction="outbound", provider_message_id="SM1",
        message_id=id, handle=ANA,
    )  # fmt: skip
    await messages.served.append(delivered)
    reported = (await messages.http.get(f"{URL}/{id}")).json()
    assert (reported["state"], reported["delivery"]) == ("sent", "delivered")
    await messages.served.ask_as("timeline:read")
    one = (await messages.http.get(f"/api/interactions/{reported['interactionId']}")).json()
    assert one["messageId"] == id and "MessageRequested" in one["facts"]


@pytest.mark.parametrize("state", STATES)
async def test_cancel(messages: Messages, state: str) -> None:
    """One that waits is cancelled, twice is once, and the log says so once; one that is being sent may still arrive;
    for a final one the answer is that it is too late."""
    id = await messages.new()
    await messages.set(id, state, LATER)
    response = await messages.http.post(f"{URL}/{id}/cancel")
    if state in ("queued", "held", "retrying", "unanswered", "cancelled"):
        assert (response.status_code, response.json()["state"]) == (200, "cancelled")
        again = await messages.http.post(f"{URL}/{id}/cancel")
        assert (again.status_code, again.json()) == (200, response.json())
        assert await messages.state(id) == "cancelled"
    elif state == "sending":
        assert (response.status_code, response.json()["state"]) == (202, "sending")
        assert "may arrive" in response.json()["detail"]
        assert (await messages.explain(id))[0] == ["sending", "cancelling"]
        assert (await messages.http.get(f"{URL}/{id}")).json()["cancelled"] is True
    else:
        reported = "sent" if state == "watched" else state
        assert refused(response, 409)["state"] == reported
        assert await messages.state(id) == reported
    delivery = (await messages.http.get(f"{URL}/{id}")).json()["delivery"]
    assert delivery == ("cancelled" if state in ("queued", "held", "retrying", "unanswered") else "requested")


@pytest.mark.parametrize("resend", [None, False, True])
@pytest.mark.parametrize("state", STATES)
async def test_release(messages: Messages, state: str, resend: bool | None) -> None:
    """A held one goes at once; an unanswered one only where that is asked for; the audit names who did; no other goes."""
    id = await messages.new()
    await messages.set(id, state, LATER)
    body: dict[str, Any] = {} if resend is None else {"json": {"resend": resend}}
    response = await messages.http.post(f"{URL}/{id}/release", **body)
    if state == "held" or (state == "unanswered" and resend):
        assert (response.status_code, response.json()["state"]) == (200, "queued")
        (noted,) = await messages.served.store.audit("default")
        assert (noted["actor"], noted["action"], noted["subject"]) == ("key:test", "message.release", id)
        assert noted["detail"] == {"was": state}
        reported = (await messages.http.get(f"{URL}/{id}")).json()
        assert reported["state"] == "queued" and datetime.fromisoformat(reported["dueAt"]) < LATER
        refused(await messages.http.post(f"{URL}/{id}/release", **body), 409)
    else:
        problem = refused(response, 409)
        assert problem["state"] == ("sent" if state == "watched" else state)
        assert ("resend" in problem["detail"]) == (state == "unanswered")
        assert await messages.served.store.audit("default") == []


async def test_release_with_a_body_that_does_not_fit(messages: Messages) -> None:
    """It is refused, and nothing is released."""
    id = await messages.new()
    await messages.set(id, "unanswered")
    post = messages.http.post
    assert refused(await post(f"{URL}/{id}/release", json={"resend": "yes"}), 422)["path"] == "$.resend"
    refused(await post(f"{URL}/{id}/release", json=[True]), 422)
    refused(await post(f"{URL}/{id}/release", json={"again": True}), 422)
    refused(await post(f"{URL}/{id}/release", content=b"resend"), 415)
    assert await messages.state(id) == "unanswered"


async def test_a_window_is_explained(messages: Messages) -> None:
    """Until when, by which window, in whose zone and how that is known; released, it is due."""
    await messages.configure(zone="Europe/Lisbon", windows={"sms": NIGHT})
    id = await messages.new()
    await messages.set(id, "held", LATER)
    response = (await messages.http.get(f"{URL}/{id}/explain")).json()
    (reason,) = response["reasons"]
    assert (response["state"], reason["kind"]) == ("held", "window")
    assert "sms may be sent Monday 03:00 to 03:01; it is " in reason["words"]
    assert reason["words"].endswith("zone known from the client")
    assert datetime.fromisoformat(reason["until"]) > datetime.now(UTC)
    await messages.served.store.set_profile("default", Handle("phone", SMS["to"]), zone="Asia/Tokyo")
    assert (await messages.explain(id))[1].endswith("in Asia/Tokyo; zone known from the customer profile")
    await messages.configure()
    kinds, words = await messages.explain(id)
    assert kinds == ["ready"] and "release it to send it at once" in words
    assert (await messages.http.post(f"{URL}/{id}/release")).status_code == 200
    assert (await messages.explain(id))[0] == ["due"]


async def test_what_else_holds_is_explained(messages: Messages) -> None:
    """A zone that nobody knows, a notBefore, an end that is certain, and a client that cannot send any more."""
    id = await messages.new()
    await messages.configure(windows={"sms": NIGHT})
    kinds, words = await messages.explain(id)
    assert kinds == ["zone"] and "time zone is not known" in words
    late = await messages.new(notBefore="2099-01-01T00:00:00Z")
    kinds, words = await messages.explain(late)
    assert (kinds, words) == (["notBefore"], "held until 2099-01-01 00:00:00 UTC: its notBefore has not been reached")
    gone = Event("RecipientUnsubscribed", "twilio", "stop", channel="sms", handle=Handle("phone", SMS["to"]))
    await messages.served.append(gone)
    assert await messages.explain(id) == (
        ["ending"],
        "it will not be sent, and ends as failed: the recipient opted out of sms",
    )
    await messages.served.append(
        Event("RecipientSubscribed", "twilio", "start", channel="sms", handle=Handle("phone", SMS["to"])),
        at=datetime.now(UTC),
    )
    await messages.served.store.set_client("default", {"channels": [{"channel": "sms", "account": "removed"}]}, "test")
    messages.served.api.clients.forget("default")
    kinds, words = await messages.explain(id)
    assert kinds == ["configuration"] and "no account removed" in words


async def test_an_account_is_explained(messages: Messages) -> None:
    """Its rest and its trouble, its rate with the messages before it, and the next try with the last error."""
    first = await messages.new(priority="high")
    id = await messages.new()
    kinds, words = await messages.explain(id)
    assert kinds == ["queue"] and words == "1 is due before it by the account twilio"
    await messages.run("UPDATE lanes SET rate = 0.5")
    kinds, words = await messages.explain(id)
    assert kinds == ["rate"] and words.endswith("sends 0.5 a second, about 2 seconds")
    assert (await messages.explain(first))[0] == ["due"]
    await messages.run("UPDATE lanes SET trouble = '503: busy', open_until = %s", LATER)
    kinds, words = await messages.explain(first)
    assert kinds == ["resting", "due"] and f"rests until {LATER:%Y-%m-%d %H:%M:%S} UTC: 503: busy" in words
    await messages.run("UPDATE lanes SET open_until = NULL")
    assert (await messages.explain(first))[0] == ["trouble", "due"]
    await messages.run("UPDATE lanes SET trouble = NULL")
    error = Jsonb({"code": "503", "text": "Service unavailable", "reason": "unknown"})
    await messages.run("UPDATE messages SET tries = 3, error = %s WHERE message_id = %s", error, id)
    await messages.set(id, "retrying", LATER, "503: busy")
    kinds, words = await messages.explain(id)
    assert kinds == ["retry"] and words.endswith("after 3 tries by sms; the last error: Service unavailable")
    await messages.run("UPDATE messages SET doubted = true, checks = 1 WHERE message_id = %s", id)
    kinds, words = await messages.explain(id)
    assert (
        kinds == ["asking"] and f"its provider is asked whether it took it, at {LATER:%Y-%m-%d %H:%M:%S} UTC" in words
    )


async def test_the_count_of_those_before_is_bounded(messages: Messages) -> None:
    """Beyond a thousand the answer is that there are more, whatever the backlog."""
    id = await messages.new(priority="low")
    await messages.run(
        "INSERT INTO messages (id, client_id, message_id, lane, priority, due_at, channel, account, state, request, "
        "fingerprint) SELECT md5(n::text)::uuid, client_id, n::text, lane, 1, now(), channel, account, 'queued', request, "
        "fingerprint FROM messages, generate_series(1, 1500) AS n"
    )
    assert await messages.explain(id) == (["queue"], "more than 1000 are due before it by the account twilio")


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("unanswered", "release it or cancel it"),
        ("watched", "the next channel is tried"),
        ("sending", "a worker is sending it"),
        ("sent", "it was sent by sms, account twilio"),
        ("expired", "it expired"),
        ("cancelled", "its client cancelled it"),
    ],
)
async def test_other_states_are_explained(messages: Messages, state: str, words: str) -> None:
    """Each says what it is, and what can be done."""
    id = await messages.new()
    await messages.set(id, state, LATER, "nobody knows: release it or cancel it" if state == "unanswered" else None)
    kinds, reported = await messages.explain(id)
    assert kinds == [state] and words in reported


async def test_a_message_is_not_read_twice(messages: Messages) -> None:
    """Its ETag holds while nothing changed."""
    id = await messages.new()
    first: httpx.Response = await messages.http.get(f"{URL}/{id}")
    same = {"if-none-match": first.headers["etag"]}
    assert (await messages.http.get(f"{URL}/{id}", headers=same)).status_code == 304
    await messages.set(id, "held")
    assert (await messages.http.get(f"{URL}/{id}", headers=same)).status_code == 200
