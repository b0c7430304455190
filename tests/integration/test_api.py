"""The API on a real database: what it answers, to whom, and how it refuses."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from app.http.tokens import mint
from app.linking import linked
from schemas.events import Handle
from sql import EventStore
from tests.conftest import Dsns
from tests.integration.serving import ANA, NOON, Served, event, failed, refused, serving


@pytest_asyncio.fixture
async def served(postgres_dsn: Dsns) -> AsyncIterator[Served]:
    """The API on a fresh database, asked with a key of the client `default`."""
    async with serving(postgres_dsn.service) as api:
        yield api


async def read(served: Served, **query: Any) -> list[str]:
    """The provider's ids on the first page."""
    response = await served.http.get(await served.path(), params=query)
    assert response.status_code == 200, response.text
    return [one["providerMessageId"] for one in response.json()["interactions"]]


async def test_interaction_is_shown_with_all_its_members(served: Served) -> None:
    """One message with its facts, state, address, content and error, as the contract names them."""
    await served.append(
        event("UserMessageSent", "SM1", payload={"content": {"text": "Hello"}}),
        failed("SM1", 2),
    )
    response = await served.http.get(await served.path())
    customer = str(await served.customer())
    body = response.json()
    (reported,) = body.pop("interactions")
    assert body == {"customerId": customer, "next": None}
    assert UUID(reported.pop("interactionId"))
    assert reported == {
        "customerId": customer,
        "channel": "sms",
        "messageId": None,
        "providerMessageId": "SM1",
        "timestamp": "2026-02-03T12:00:00Z",
        "direction": "outbound",
        "provider": "twilio",
        "address": {"kind": "phone", "value": "+15551234567"},
        "content": {"text": "Hello"},
        "status": "completed",
        "delivery": "failed",
        "facts": {"UserMessageSent": "2026-02-03T12:00:00Z", "MessageFailed": "2026-02-03T12:02:00Z"},
        "error": {"code": "30003", "text": "Unreachable destination handset", "reason": "unreachable"},
        "contradiction": False,
    }


async def test_pages_are_newest_first_and_stable_while_rows_arrive(served: Served) -> None:
    """Following `next` gives every row once, newest first, though newer ones and others of the same time arrive."""
    await served.append(*(event("MessageReceived", f"SM{n:02}", n // 3) for n in range(20)))
    path, seen, cursor = await served.path(), [], None
    for page in range(50):
        query = {"limit": 3} | ({"cursor": cursor} if cursor else {})
        body = (await served.http.get(path, params=query)).json()
        seen += [(one["timestamp"], one["interactionId"]) for one in body["interactions"]]
        await served.append(event("MessageReceived", f"newer{page}", 100 + page))
        if (cursor := body["next"]) is None:
            break
    assert len(seen) == 20
    assert seen == sorted(set(seen), reverse=True)


async def test_last_full_page_has_no_next(served: Served) -> None:
    """A page that ends with the oldest row says so, even where it is full."""
    await served.append(*(event("MessageReceived", f"SM{n}", n) for n in range(4)))
    body = (await served.http.get(await served.path(), params={"limit": 4})).json()
    assert len(body["interactions"]) == 4
    assert body["next"] is None


FILTERS: list[tuple[dict[str, str], list[str]]] = [
    ({"channel": "whatsapp"}, ["chat"]),
    ({"direction": "inbound"}, ["in", "chat"]),
    ({"status": "received"}, ["in", "chat"]),
    ({"status": "processing"}, ["sent"]),
    ({"status": "completed"}, ["failed", "delivered"]),
    ({"status": "delivered"}, ["delivered"]),
    ({"status": "failed"}, ["failed"]),
    ({"status": "failed", "channel": "whatsapp"}, []),
    ({"since": "2026-02-03T12:03:00Z"}, ["sent", "failed"]),
    ({"since": "2026-02-03T13:03:00+01:00"}, ["sent", "failed"]),
    ({"until": "2026-02-03T12:01:00Z"}, ["chat"]),
    ({"since": "2026-02-03t12:01:00z", "until": "2026-02-03T12:02:00.000001Z"}, ["delivered", "in"]),
]


async def test_filters(served: Served) -> None:
    """Each filter, and several at once; `since` is inclusive, `until` is not."""
    await served.append(
        event("MessageReceived", "chat", 0, channel="whatsapp"),
        event("MessageReceived", "in", 1),
        event("MessageDelivered", "delivered", 2),
        failed("failed", 3),
        event("UserMessageSent", "sent", 4),
    )
    for query, expected in FILTERS:
        assert (query, await read(served, **query)) == (query, expected)


async def test_filters_hold_on_every_page(served: Served) -> None:
    """A cursor goes on with its filters, and refuses others."""
    await served.append(*(event("MessageReceived", f"SM{n}", n) for n in range(6)), failed("failed", 3.5))
    path = await served.path()
    first = (await served.http.get(path, params={"limit": 3, "direction": "inbound"})).json()
    after = {"limit": 5, "direction": "inbound", "cursor": first["next"]}
    second = (await served.http.get(path, params=after)).json()
    reported = [one["providerMessageId"] for one in first["interactions"] + second["interactions"]]
    assert reported == ["SM5", "SM4", "SM3", "SM2", "SM1", "SM0"]
    other = await served.http.get(path, params={"cursor": first["next"]})
    assert refused(other, 400)["parameter"] == "cursor"


UNFIT = [
    ("limit=0", "limit"),
    ("limit=201", "limit"),
    ("limit=-1", "limit"),
    ("limit=1e1", "limit"),
    ("limit=", "limit"),
    ("limit=%D9%A3", "limit"),
    ("limit=5&limit=6", "limit"),
    ("channel=fax", "channel"),
    ("direction=both", "direction"),
    ("status=done", "status"),
    ("since=yesterday", "since"),
    ("since=2026-02-03", "since"),
    ("since=2026-02-03T12:00:00", "since"),
    ("since=2026-02-30T12:00:00Z", "since"),
    ("until=0001-01-01T00:00:00%2B23:59", "until"),
    ("cursor=x", "cursor"),
    ("cursor=" + "A" * 44, "cursor"),
    ("cursor=%00", "cursor"),
    ("cursor=%ff%fe", "cursor"),
    ("offset=10", "offset"),
]


async def test_parameter_that_does_not_fit_is_named(served: Served) -> None:
    """400 with the parameter at fault; the error of an unknown one lists the known ones."""
    for query, parameter in UNFIT:
        problem = refused(await served.http.get(f"/api/customers/{uuid4()}/interactions?{query}"), 400)
        assert (query, problem["parameter"]) == (query, parameter)
    assert "channel, direction, status, since, until, limit, cursor" in problem["detail"]


async def test_plus_of_a_zone_that_became_a_space_is_understood(served: Served) -> None:
    """`+02:00` unencoded in a query arrives as ` 02:00`."""
    await served.append(event("MessageReceived", "SM1"))
    response = await served.http.get(f"{await served.path()}?since=2026-02-03T13:59:59+02:00")
    assert len(response.json()["interactions"]) == 1


async def test_etag_holds_until_a_row_changes(served: Served) -> None:
    """The same state is 304 to who has it; a changed row changes the tag."""
    await served.append(event("UserMessageSent", "SM1"))
    path = await served.path()
    first = await served.http.get(path)
    tag = first.headers["etag"]
    assert tag.startswith('"')
    for header in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = await served.http.get(path, headers={"if-none-match": header})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    await served.append(event("MessageDelivered", "SM1", 1))
    changed = await served.http.get(path, headers={"if-none-match": tag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag


async def test_customer_that_no_event_named_is_not_found(served: Served) -> None:
    """An unknown id is 404, one that is no id is 404 with a word on how to find one, a known one's empty page is 200."""
    await served.append(event("MessageReceived", "SM1"))
    refused(await served.http.get(f"/api/customers/{uuid4()}/interactions"), 404)
    problem = refused(await served.http.get("/api/customers/+15551234567/interactions"), 404)
    assert "/api/customers?handle=" in problem["detail"]
    assert await read(served, channel="push") == []


async def test_a_customer_is_read_by_any_id_and_handle_he_ever_had(served: Served) -> None:
    """Two customers that a provider's word joins: each id that was given out reads the one timeline, with the present id."""
    await served.append(event("MessageReceived", "SM1"))
    user = Handle("whatsapp_user_id", "US.7")
    await served.append(event("MessageReceived", "WA1", handle=user, channel="whatsapp"))
    paths = ("/api/customers?handle=%2B15551234567", "/api/customers?handle=whatsapp_user_id:US.7")
    ids = [(await served.http.get(path)).json()["customerId"] for path in paths]
    assert ids[0] != ids[1]
    stated = event("MessageReceived", "SM2", 1, payload={"handles": [{"kind": user.kind, "value": user.value}]})
    await served.append(stated)
    await served.append(*linked(stated))
    for path in paths:
        found = (await served.http.get(path)).json()
        assert found["customerId"] == min(ids) and len(found["handles"]) == 2
    for id in ids:
        page = (await served.http.get(f"/api/customers/{id}/interactions")).json()
        assert page["customerId"] == min(ids)
        assert page["interactions"][0]["providerMessageId"] == "SM2"  # the others have one time
        assert {one["providerMessageId"] for one in page["interactions"]} == {"SM2", "WA1", "SM1"}
        empty = (await served.http.get(f"/api/customers/{id}/interactions?channel=push")).json()
        assert empty == {"customerId": min(ids), "interactions": [], "next": None}


async def test_a_key_sees_its_own_client_only(served: Served) -> None:
    """Another client's key finds neither the customer, nor his timeline, his interaction or his stream."""
    await served.append(event("MessageReceived", "SM1"))
    path = await served.path()
    id = (await served.http.get(path)).json()["interactions"][0]["interactionId"]
    await served.ask_as("timeline:read", client="other")
    for refusable in (path, f"{path}/stream", f"/api/interactions/{id}", "/api/customers?handle=%2B15551234567"):
        refused(await served.http.get(refusable), 404)
    await served.append(event("MessageReceived", "SM2"), client="other")
    theirs = (await served.http.get("/api/customers?handle=%2B15551234567")).json()["customerId"]
    assert theirs not in path
    assert (await served.http.get(path)).status_code == 404


async def test_customer_is_found_by_the_phone_as_people_write_it(served: Served) -> None:
    """Encoded, with the plus turned into a space, with marks, with its kind."""
    await served.append(event("MessageReceived", "SM1"))
    found = {
        "customerId": str(await served.customer()),
        "handles": [{"kind": "phone", "value": "+15551234567"}],
        "linksNotApplied": [],
    }
    for text in (
        "%2B15551234567",
        "+15551234567",
        "%2B1%20(555)%20123-4567",
        "phone:%2B15551234567",
        "tel:%2B15551234567",
    ):
        response = await served.http.get(f"/api/customers?handle={text}")
        assert (text, response.json()) == (text, found)


async def test_customer_is_found_by_other_handles(served: Served) -> None:
    """An e-mail address in any case, and a service's own id by its kind."""
    mail, user = Handle("email", "ana@example.com"), Handle("user_id", "42")
    await served.append(
        event("MessageReceived", "m1", handle=mail, channel="email"),
        event("MessageReceived", "m2", handle=user, channel="chat"),
    )
    for text, handle in (("Ana@Example.com", mail), ("user_id:42", user)):
        found = (await served.http.get("/api/customers", params={"handle": text})).json()
        assert found["customerId"] == str(await served.customer(handle))
        assert found["handles"] == [{"kind": handle.kind, "value": handle.value}]


async def test_handle_that_is_none_is_a_bad_request(served: Served) -> None:
    """No handle, an empty one, a damaged one, another parameter, a NUL."""
    for query in ("", "?handle=", "?handle=a@b@c", "?handle=x&q=1", "?handle=a%00b"):
        problem = refused(await served.http.get(f"/api/customers{query}"), 400)
        assert problem["parameter"] == ("q" if "q=" in query else "handle")


async def test_unknown_handle_is_not_found(served: Served) -> None:
    """Nobody was ever reached there."""
    refused(await served.http.get("/api/customers?handle=nobody@example.com"), 404)


async def test_interaction_has_its_history(served: Served) -> None:
    """The events of one message in the order of the log, each with its times, its source and its payload."""
    webhook = str(uuid4())
    await served.store.append([(event("MessageDelivered", "SM1", 2), "default", NOON, webhook)])
    await served.append(event("UserMessageSent", "SM1", payload={"content": {"text": "Hello"}}), failed("other"))
    reported = (await served.http.get(await served.path())).json()["interactions"]
    one = next(one for one in reported if one["providerMessageId"] == "SM1")
    body = (await served.http.get(f"/api/interactions/{one['interactionId']}")).json()
    events = body.pop("events")
    assert body == one
    assert [one["type"] for one in events] == ["MessageDelivered", "UserMessageSent"]
    assert events[0]["position"] < events[1]["position"]
    assert events[0]["webhookId"] == webhook
    assert (events[0]["occurredAt"], events[0]["receivedAt"]) == ("2026-02-03T12:02:00Z", "2026-02-03T12:00:00Z")
    assert events[1]["payload"] == {"content": {"text": "Hello"}, "providerMessageId": "SM1"}
    assert (events[1]["source"], events[1]["sourceEventId"]) == ("twilio", "UserMessageSent SM1")


async def test_interaction_that_was_joined_answers_under_both_ids(served: Served) -> None:
    """A provider's status and our request are two, until an event names both ids; then either id gives the one."""
    await served.append(event("MessageDelivered", "SM1", 1))
    await served.append(event("MessageRequested", "x", provider_message_id=None, message_id="m1"))
    before = (await served.http.get(await served.path())).json()["interactions"]
    assert len(before) == 2
    await served.append(event("UserMessageSent", "SM1", message_id="m1"))
    (after,) = (await served.http.get(await served.path())).json()["interactions"]
    for one in before:
        found = (await served.http.get(f"/api/interactions/{one['interactionId']}")).json()
        assert found["interactionId"] == after["interactionId"]
        assert len(found["events"]) == 3


async def test_unknown_interaction_is_not_found(served: Served) -> None:
    """An id of nothing, and no id at all."""
    for id in ("x", "00000000-0000-0000-0000-000000000000", "%00", "a" * 5000):
        refused(await served.http.get(f"/api/interactions/{id}"), 404)


PATHS = [
    "/api/customers?handle=x",
    f"/api/customers/{UUID(int=1)}/interactions",
    f"/api/customers/{UUID(int=1)}/interactions/stream",
    f"/api/interactions/{UUID(int=1)}",
]


async def test_no_route_answers_without_a_good_key(served: Served) -> None:
    """401 with a challenge where there is no key, or an unknown one; 403 where it lacks the scope."""
    writer = await served.key("webhooks:write")
    for path in PATHS:
        none = await served.http.get(path, headers={"authorization": ""})
        refused(none, 401)
        assert none.headers["www-authenticate"] == 'Bearer realm="threadline"'
        bad = await served.http.get(path, headers={"authorization": f"Bearer {mint()[1]}"})
        refused(bad, 401)
        assert 'error="invalid_token"' in bad.headers["www-authenticate"]
        other = await served.http.get(path, headers={"authorization": f"Bearer {writer}"})
        assert refused(other, 403)["scope"] == "timeline:read"
        assert 'error="insufficient_scope"' in other.headers["www-authenticate"]


async def test_other_methods_are_refused(served: Served) -> None:
    """405 as a problem document that names what is allowed."""
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        response = await served.http.request(method, PATHS[1])
        refused(response, 405)
        assert set(response.headers["allow"].split(", ")) == {"GET", "HEAD"}


async def test_head_is_get_without_the_body(served: Served) -> None:
    """The same status and tag; of a stream, an answer that ends."""
    await served.append(event("MessageReceived", "SM1"))
    path = await served.path()
    reported, headed = await served.http.get(path), await served.http.head(path)
    assert headed.status_code == 200
    assert headed.headers["etag"] == reported.headers["etag"]
    stream = await served.http.head(f"{path}/stream")
    assert stream.status_code == 200
    assert stream.headers["content-type"].startswith("text/event-stream")
    refused(await served.http.get("/nowhere"), 404)


async def test_page_costs_one_query(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its key known, a page asks the database once."""
    await served.append(event("MessageReceived", "SM1"))
    path = await served.path()
    await served.http.get(path)
    asked = []
    run = EventStore._run

    async def counted(self: EventStore, name: str, *given: Any) -> Any:
        asked.append(name)
        return await run(self, name, *given)

    monkeypatch.setattr(EventStore, "_run", counted)
    assert (await served.http.get(path)).status_code == 200
    assert asked == ["timeline"]


async def test_database_away_is_a_503(monkeypatch: pytest.MonkeyPatch, postgres_dsn: Dsns) -> None:
    """With PostgreSQL gone, every question is answered with a problem that says to come again."""
    monkeypatch.setattr("sql.pool.WAIT", 0.2)
    async with serving(postgres_dsn.service) as served:
        await served.append(event("MessageReceived", "SM1"))
        path = await served.path()
        await served.http.get(path)
        # As it is while the database is away: no connection is to be had in time.
        connections = [await served.store._pool.getconn() for _ in range(4)]
        for other in (path, "/api/customers?handle=x", f"/api/interactions/{uuid4()}", f"{path}/stream"):
            response = await served.http.get(other)
            refused(response, 503)
            assert response.headers["retry-after"] == "1"
        for connection in connections:
            await served.store._pool.putconn(connection)


async def test_content_of_strangers_stays_data(served: Served) -> None:
    """What a customer wrote comes back as it was, whatever it looks like."""
    text = "</script><script>alert(1)</script>\u2028\u202e \U0001f642 \ud83d".encode("utf-8", "replace").decode()
    await served.append(event("MessageReceived", "SM1", payload={"content": {"text": text}}))
    (one,) = (await served.http.get(await served.path())).json()["interactions"]
    assert one["content"] == {"text": text}
    assert one["address"] == {"kind": ANA.kind, "value": ANA.value}


async def test_a_redelivery_that_was_received_before_is_no_second_event(served: Served) -> None:
    """Two doors, or two partitions: what was received first may be appended last. Its receipt counts if the provider
    gives no time, and whoever reads the interaction sees the event once."""
    first = event("MessageDelivered", "SM1", occurred_at=None)
    for minute in (5, 1, 3):
        await served.append(first, at=NOON + timedelta(minutes=minute))
    (one,) = (await served.http.get(await served.path())).json()["interactions"]
    assert datetime.fromisoformat(one["facts"]["MessageDelivered"]) == NOON + timedelta(minutes=1)
    detail = (await served.http.get(f"/api/interactions/{one['interactionId']}")).json()
    assert [each["type"] for each in detail["events"]] == ["MessageDelivered"]
