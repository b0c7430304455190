"""/v1/messages on a real database: what is taken, what is refused, and that one Idempotency-Key means one answer."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import pytest_asyncio

from app.settings import Sending, Settings, Source
from schemas.events import CHANNELS
from sql.keyed_requests import keyed_name
from tests.conftest import Dsns
from tests.integration.serving import Served, refused, serving
from tests.support.waiting import until

URL = "/v1/messages"
SMS: dict[str, Any] = {"channel": "sms", "to": "+15551234567", "body": "Hello"}
MAIL: dict[str, Any] = {"to": "ana@example.com", "content": {"subject": "Hi", "text": "Hello"}}


def settings(accepting: int = 200) -> Settings:
    """Two sources of the client `default`, which send SMS (and WhatsApp and voice) and email."""
    sources = {
        "twilio": Source.model_validate({"account_sid": "AC1", "auth_token": "hidden", "sender": "+15550001111"}),
        "sendgrid": Source.model_validate({"api_key": "hidden", "sender": "shop@example.com", "basic_auth": "u:p"}),
    }
    return Settings(sources=sources, sending=Sending(accepting=accepting))


@pytest_asyncio.fixture
async def served(postgres_dsn: Dsns) -> AsyncIterator[Served]:
    """The API on a fresh database, asked with a key that may write and read messages."""
    async with serving(postgres_dsn.service, settings(), ("messages:read", "messages:write", "personal:read")) as api:
        yield api


async def count(dsns: Dsns, table: str = "messages") -> int:
    """How many rows a table has."""
    async with await psycopg.AsyncConnection.connect(dsns.owner) as connection:
        row = await (await connection.execute(f"SELECT count(*) FROM threadline.{table}")).fetchone()
        assert row is not None
        return int(row[0])


async def test_one_message_is_taken_and_found_at_once(served: Served) -> None:
    """202 with its id, its channel and where it is; the answer to the next request knows it."""
    response = await served.http.post(URL, json=SMS | {"messageId": "order/1", "reference": "r-1", "priority": "high"})
    assert (response.status_code, response.json()) == (
        202,
        {"messageId": "order/1", "state": "accepted", "channel": "sms", "links": {"self": "/v1/messages/order%2F1"}},
    )
    reported = (await served.http.get(response.json()["links"]["self"])).json()
    assert (reported["messageId"], reported["state"], reported["delivery"]) == ("order/1", "queued", "requested")
    assert (reported["account"], reported["priority"], reported["to"], reported["reference"]) == (
        "twilio",
        "high",
        SMS["to"],
        "r-1",
    )
    assert reported["attempts"] == [] and reported["dueAt"] is not None and reported["error"] is None
    id = (await served.http.post(URL, json=SMS)).json()["messageId"]
    assert (await served.http.get(f"{URL}/{id}")).status_code == 200


async def test_the_channel_of_the_path_is_the_channel(served: Served) -> None:
    """For each channel that there is; another in the body is refused, and a path of none is not found."""
    response = await served.http.post("/v1/email/messages", json=MAIL)
    assert (response.status_code, response.json()["channel"]) == (202, "email")
    assert refused(await served.http.post("/v1/email/messages", json=SMS), 422)["path"] == "$.channel"
    for channel in CHANNELS:
        assert (await served.http.post(f"/v1/{channel}/messages", json={})).status_code == 422
    refused(await served.http.post("/v1/pigeon/messages", json=SMS), 404)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"to": "nobody"}, "$.to"),
        ({"to": None}, "$.to"),
        ({"channel": "pigeon"}, "$.channel"),
        ({"channel": "rcs"}, "$.channel"),
        ({"channels": ["sms"]}, "$.channel"),
        ({"body": ""}, "$.body"),
        ({"content": {"text": "x"}}, "$.body"),
        ({"clientId": "another"}, "$.clientId"),
        ({"zone": "Mars/Olympus"}, "$.zone"),
        ({"sendBefore": "tomorrow"}, "$.sendBefore"),
        ({"messageId": "a b"}, "$.messageId"),
        ({"surprise": 1}, "$.surprise"),
    ],
)
async def test_a_bad_message_is_refused_with_its_path(served: Served, change: dict[str, Any], path: str) -> None:
    """422, with the place and the reason; the value is not repeated."""
    problem = refused(await served.http.post(URL, json=SMS | change), 422)
    assert problem["path"] == path
    assert problem["detail"].startswith(f"{path}: ") and "hidden" not in problem["detail"]


async def test_what_no_channel_reaches_is_refused(served: Served) -> None:
    """An address that none of the client's channels reaches, and a client that is not configured."""
    assert (
        refused(await served.http.post(URL, json={"to": {"push": "a-device-token"}, "body": "x"}), 422)["path"]
        == "$.to"
    )
    await served.ask_as("messages:write", client="nobody")
    problem = refused(await served.http.post(URL, json=SMS), 422)
    assert "nobody" in problem["detail"] and problem["path"] == "$"


async def test_bodies_that_are_no_request(served: Served) -> None:
    """No JSON, too large, of another type, with a NUL, too deep, and lists that are too short or too long."""
    json = {"content-type": "application/json"}
    post = served.http.post
    refused(await post(URL, content=b"{", headers=json), 400)
    refused(await post(URL, content=b" " * (1 << 20) + b"{}", headers=json), 413)
    refused(await post(URL, content=b"to=x", headers={"content-type": "application/x-www-form-urlencoded"}), 415)
    assert refused(await post(URL, json=SMS | {"body": "a\0b"}), 422)["path"] == "$.body"
    deep = b"[" * 500 + b"]" * 500
    assert refused(await post(URL, content=deep, headers=json), 422)["path"] == "$"
    assert refused(await post(URL, json=[]), 422)["path"] == "$"
    assert refused(await post(URL, json=[SMS] * 51), 422)["path"] == "$"
    assert refused(await post(URL, json={"messages": [SMS], "to": "x"}), 422)["path"] == "$.messages"
    assert refused(await post(URL, json="Hello"), 422)["path"] == "$"
    assert refused(await post(f"{URL}?wait=1", json=SMS), 400)["parameter"] == "wait"


async def test_scopes(served: Served) -> None:
    """Who may only read writes nothing, and the reverse."""
    id = (await served.http.post(URL, json=SMS)).json()["messageId"]
    await served.ask_as("messages:read")
    for path in (URL, f"{URL}/{id}/cancel", f"{URL}/{id}/release"):
        assert refused(await served.http.post(path, json=SMS), 403)["scope"] == "messages:write"
    await served.ask_as("messages:write")
    for path in (f"{URL}/{id}", f"{URL}/{id}/explain"):
        assert refused(await served.http.get(path), 403)["scope"] == "messages:read"


async def test_a_batch_takes_what_is_good(served: Served, postgres_dsn: Dsns) -> None:
    """Each by itself, in order, as a list or under `messages`; what is bad has its problem and its path."""
    items = [SMS, SMS | {"to": "x"}, MAIL, 5, SMS | {"clientId": "another"}]
    for body, at in ((items, "$"), ({"messages": items}, "$.messages")):
        response = await served.http.post(URL, json=body)
        assert response.status_code == 202
        reported = response.json()["messages"]
        assert [one.get("channel") for one in reported] == ["sms", None, "email", None, None]
        paths = [one["error"]["path"] for one in reported if "error" in one]
        assert paths == [f"{at}[1].to", f"{at}[3]", f"{at}[4].clientId"]
        assert all(one["error"]["status"] == 422 and one["error"]["detail"] for one in reported if "error" in one)
    assert await count(postgres_dsn) == 4
    problem = refused(await served.http.post(URL, json=[{}, SMS | {"to": "x"}]), 422)
    assert [one["error"]["path"] for one in problem["messages"]] == ["$[0].to", "$[1].to"]
    assert await count(postgres_dsn) == 4


async def test_fifty_at_once(served: Served, postgres_dsn: Dsns) -> None:
    """The most that one call takes."""
    response = await served.http.post(URL, json=[SMS | {"messageId": f"m-{number}"} for number in range(50)])
    assert [one["messageId"] for one in response.json()["messages"]] == [f"m-{number}" for number in range(50)]
    assert await count(postgres_dsn) == 50


async def test_the_same_message_again_is_that_message(served: Served, postgres_dsn: Dsns) -> None:
    """The same id or idempotency key with the same content is a duplicate, in one batch too; another content is 409."""
    for name in ("messageId", "idempotencyKey"):
        first = (await served.http.post(URL, json=SMS | {name: "m-1"})).json()
        again = await served.http.post(URL, json=SMS | {name: "m-1"})
        assert (again.status_code, again.json()) == (202, first | {"duplicate": True})
        problem = refused(await served.http.post(URL, json=SMS | {name: "m-1", "body": "Another"}), 409)
        assert problem["path"] == f"$.{name}"
    twice = [SMS | {"messageId": "m-2"}, SMS | {"messageId": "m-2"}, SMS | {"messageId": "m-2", "body": "Another"}]
    reported = (await served.http.post(URL, json=twice)).json()["messages"]
    assert [one.get("duplicate") for one in reported] == [None, True, None] and reported[2]["error"]["status"] == 409
    assert await count(postgres_dsn) == 3


async def test_a_message_taken_before_outlives_its_channel(served: Served) -> None:
    """What was taken is still a duplicate where the client has no channel for it any more; what is new is refused."""
    await served.http.post(URL, json=SMS | {"messageId": "m-1"})
    await served.store.set_client("default", {"channels": [{"channel": "email", "account": "sendgrid"}]}, "test")
    served.api.clients.forget("default")
    assert (await served.http.post(URL, json=SMS | {"messageId": "m-1"})).json()["duplicate"] is True
    assert refused(await served.http.post(URL, json=SMS | {"messageId": "m-2"}), 422)["path"] == "$.channel"


def keyed(key: str) -> dict[str, str]:
    """The header."""
    return {"idempotency-key": key}


@pytest.mark.parametrize("body", [SMS, [SMS, SMS | {"to": "x"}]])
async def test_a_key_replays_its_answer(served: Served, postgres_dsn: Dsns, body: Any) -> None:
    """The same status and bytes, however the body is written, with or without quotes around the key; nothing is taken."""
    key = str(uuid4())
    first = await served.http.post(URL, json=body, headers=keyed(key))
    assert first.status_code == 202 and "idempotency-replayed" not in first.headers
    turned = dict(reversed(body.items())) if isinstance(body, dict) else body
    for again in (keyed(key), keyed(f'"{key}"')):
        response = await served.http.post(URL, json=turned, headers=again)
        assert (response.status_code, response.content) == (202, first.content)
        assert response.headers["idempotency-replayed"] == "true"
        assert response.headers["content-type"] == first.headers["content-type"]
    assert await count(postgres_dsn) == 1
    other = await served.key("messages:write", client="other")
    theirs = await served.http.post(URL, json=SMS, headers=keyed(key) | {"authorization": f"Bearer {other}"})
    assert theirs.status_code == 422 and "other" in theirs.json()["detail"]  # another client's key is another key


async def test_a_key_is_for_one_request(served: Served) -> None:
    """Another body or path under it is 422, and what was answered is not lost by that."""
    first = await served.http.post(URL, json=SMS, headers=keyed("k"))
    for path, body in ((URL, SMS | {"body": "Another"}), ("/v1/sms/messages", SMS)):
        problem = refused(await served.http.post(path, json=body, headers=keyed("k")), 422)
        assert problem["parameter"] == "Idempotency-Key"
    assert (await served.http.post(URL, json=SMS, headers=keyed("k"))).content == first.content


async def test_what_failed_as_a_whole_can_be_mended_under_its_key(served: Served) -> None:
    """No answer is kept that took nothing: neither a refusal of one, nor of many, nor of what is no request."""
    for wrong in (SMS | {"to": "x"}, [SMS | {"to": "x"}], []):
        assert (await served.http.post(URL, json=wrong, headers=keyed("k"))).status_code == 422
    assert (await served.http.post(URL, json=SMS, headers=keyed("k"))).status_code == 202


@pytest.mark.parametrize("key", ["", '""', "two words", '"open', "a,b\u0001", "x" * 256, '"a";b'])
async def test_malformed_keys(served: Served, key: str) -> None:
    """400, and nothing is taken."""
    problem = refused(await served.http.post(URL, json=SMS, headers={b"idempotency-key": key.encode("latin-1")}), 400)
    assert problem["parameter"] == "Idempotency-Key"


async def test_two_keys_in_one_request(served: Served) -> None:
    """Which one would it be? 400."""
    headers = [("idempotency-key", "a"), ("idempotency-key", "b")]
    refused(await served.http.post(URL, json=SMS, headers=headers), 400)


@pytest.mark.parametrize("named", [{}, {"messageId": "m-1"}])
async def test_two_at_once_under_one_key_are_one(served: Served, postgres_dsn: Dsns, named: dict[str, str]) -> None:
    """However many come at once, one is taken, and the others get its answer, or a 409 while it is in progress."""
    for number in range(5):
        tries = (served.http.post(URL, json=[SMS | named], headers=keyed(f"k{number}")) for _ in range(8))
        answers = await asyncio.gather(*tries)
        assert {answer.status_code for answer in answers} <= {202, 409}
        taken = {answer.content for answer in answers if answer.status_code == 202}
        assert len(taken) == 1
        assert all(answer.headers["retry-after"] for answer in answers if answer.status_code == 409)
        again = await served.http.post(URL, json=[SMS | named], headers=keyed(f"k{number}"))
        assert {again.content} == taken and again.headers["idempotency-replayed"] == "true"
    assert await count(postgres_dsn) == (1 if named else 5)
    assert await count(postgres_dsn, "idempotency_keys") == 5


async def test_two_bodies_at_once_under_one_key(served: Served, postgres_dsn: Dsns) -> None:
    """One of them is taken; the other leaves nothing behind."""
    for number in range(10):
        bodies = [SMS | {"messageId": f"{side}-{number}", "body": side} for side in ("left", "right")]
        answers = await asyncio.gather(
            *(served.http.post(URL, json=one, headers=keyed(f"k{number}")) for one in bodies)
        )
        assert sorted(answer.status_code for answer in answers) in ([202, 409], [202, 422])
    assert await count(postgres_dsn) == await count(postgres_dsn, "idempotency_keys") == 10


async def test_a_key_that_another_answers_is_in_flight(served: Served, postgres_dsn: Dsns) -> None:
    """409 with Retry-After while the transaction of the first is open; once it is undone, the key is free."""
    lock = "SELECT pg_advisory_xact_lock(29797, hashtext('default' || E'\\x1f' || %s))"
    root = (await served.store._secrets_of({"default"}))["default"].root
    async with await psycopg.AsyncConnection.connect(postgres_dsn.owner) as connection:
        await connection.execute(lock, [keyed_name("k", root)])
        response = await served.http.post(URL, json=SMS, headers=keyed("k"))
        assert refused(response, 409)["parameter"] == "Idempotency-Key" and response.headers["retry-after"] == "1"
        assert await count(postgres_dsn) == 0
    assert (await served.http.post(URL, json=SMS, headers=keyed("k"))).status_code == 202


async def test_too_many_at_once_have_to_wait(postgres_dsn: Dsns) -> None:
    """429 with Retry-After above the setting, and room again afterwards."""
    async with serving(postgres_dsn.service, settings(accepting=2), ["messages:write"]) as served:
        async with await psycopg.AsyncConnection.connect(postgres_dsn.owner) as connection:
            await connection.execute("LOCK TABLE threadline.messages")
            waiting = [asyncio.create_task(served.http.post(URL, json=SMS)) for _ in range(2)]
            await until(lambda: served.api.accepting >= 2)
            response = await served.http.post(URL, json=SMS)
            assert refused(response, 429) and response.headers["retry-after"] == "1"
        assert [answer.status_code for answer in await asyncio.gather(*waiting)] == [202, 202]
        assert (await served.http.post(URL, json=SMS)).status_code == 202


async def test_without_postgresql_it_is_503(postgres_dsn: Dsns) -> None:
    """With Retry-After: nothing was kept, so nothing is acknowledged."""
    async with serving(postgres_dsn.service, settings(), ["messages:write"]) as served:
        assert (await served.http.post(URL, json=SMS)).status_code == 202
        await served.store._pool.close()
        response = await served.http.post(URL, json=SMS)
        assert refused(response, 503) and response.headers["retry-after"] == "1"


async def test_a_large_body_does_not_stop_the_others(served: Served) -> None:
    """Finding the words for a fault among fifty thousand takes seconds; meanwhile the process answers others."""
    wrong = asyncio.create_task(served.http.post(URL, json=SMS | {"channels": ["sms"] * 50_000}))
    answered = 0
    while not wrong.done():
        assert (await served.http.get("/v1/messages/none")).status_code == 404
        answered += 1
    assert refused(await wrong, 422)["path"] in ("$.channels", "$.channel") and answered > 5
