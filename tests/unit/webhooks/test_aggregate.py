"""The door: what is kept, what is refused, and what each caller hears; the same where it gets messages and where it gets whole requests."""

import asyncio
import base64
import hashlib
import hmac
import time
from typing import Any

import orjson
import pytest
import structlog
from structlog.testing import capture_logs

from tests.unit.webhooks.doors import RELAY_SECRET, URL, a_door, message, sms, status
from webhooks.admit import KeysUnavailable, Unauthorized, Unscoped
from webhooks.aggregate import at_door

pytestmark = pytest.mark.usefixtures("at_once")

ENVELOPE = orjson.dumps(
    {
        "source": "twilio",
        "eventType": "message.delivered",
        "data": {"messageId": "m1", "timestamp": "2026-02-03T04:05:06Z"},
    }
)


def standard(body: bytes, secret: str = RELAY_SECRET) -> dict[str, str]:
    """The headers of https://www.standardwebhooks.com over a body."""
    stamp = str(int(time.time()))
    digest = hmac.digest(secret.encode(), f"msg_1.{stamp}.".encode() + body, hashlib.sha256)
    signature = f"v1,{base64.b64encode(digest).decode()}"
    return {
        "webhook-id": "msg_1", "webhook-timestamp": stamp, "webhook-signature": signature, "content-type": "application/json"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "at"),
    [
        ("/webhooks/aggregate", True),
        ("/webhooks/aggregate/", True),
        ("/webhooks/aggregate/twilio", True),
        ("/webhooks/aggregated", False),
        ("/webhooks", False),
        ("/api/customers", False),
    ],
)
def test_at_door(path: str, at: bool) -> None:
    """The door's path and what is under it are the door's, and nothing else."""
    assert at_door(path) is at


async def test_keeps_a_recognised_request() -> None:
    """A signed request that names no source is recognised, verified and kept byte for byte, with how it came."""
    async with a_door() as door:
        post = sms()
        answered = await door.post(post)
        assert (answered.status, answered.body) == (200, b"")
        [(webhook, traceparent)] = door.keep.kept
        assert (webhook.source, webhook.adapter, webhook.client, webhook.authentic) == (
            "twilio",
            "twilio",
            "default",
            True,
        )
        assert (webhook.method, webhook.url, webhook.body) == ("POST", URL, post.body)
        assert webhook.headers["x-twilio-signature"] == post.headers["x-twilio-signature"]
        assert traceparent is None


@pytest.mark.parametrize(
    ("path", "query"), [("/webhooks/aggregate/twilio", ""), ("/webhooks/aggregate", "source=twilio")]
)
async def test_keeps_a_named_source(path: str, query: str) -> None:
    """The source may be named by the path or by the query, which are parts of the URL that is signed."""
    async with a_door() as door:
        url = f"http://hooks.example.com{path}" + (f"?{query}" if query else "")
        assert (await door.post(sms(url), path, query=query)).status == 200
        assert door.keep.kept[0][0].url == url


async def test_answers_as_the_provider_expects() -> None:
    """Twilio hears TwiML for a message that came in, and nothing for a status."""
    async with a_door() as door:
        answered = await door.post(message())
        assert answered.headers["content-type"].startswith("text/xml")
        assert answered.body.endswith(b"<Response/>")


async def test_drops_credentials() -> None:
    """What authenticates a caller does not go into the record."""
    async with a_door() as door:
        post = sms()
        post.headers |= {"authorization": "Basic c2VjcmV0", "cookie": "a=b"}
        await door.post(post)
        assert not {"authorization", "cookie"} & set(door.keep.kept[0][0].headers)


async def test_joins_repeated_headers() -> None:
    """A header that is given several times counts as one, its values joined by commas (RFC 9110 section 5.2)."""
    async with a_door() as door:
        post = sms()
        await door.ask("POST", headers=[*post.headers.items(), ("x-a", "1"), ("x-a", "2")], body=post.body)
        assert door.keep.kept[0][0].headers["x-a"] == "1, 2"


async def test_never_trusts_forwarded_headers() -> None:
    """`X-Forwarded-*` does not change the URL that a signature is checked against."""
    async with a_door() as door:
        post = sms("https://elsewhere.example.com/webhooks/aggregate")
        post.headers |= {"x-forwarded-host": "elsewhere.example.com", "x-forwarded-proto": "https"}
        assert (await door.post(post)).status == 401


async def test_refuses_what_is_not_authentic() -> None:
    """One changed byte is a 401 that shows the caller nothing and the operator the reason; neither body nor secret is
    logged."""
    async with a_door() as door:
        post = sms()
        with structlog.testing.capture_logs() as logs:
            answered = await door.post(type(post)(post.source, post.headers, post.body + b"1"))
        assert answered.status == 401
        assert answered.problem == {"type": "about:blank", "title": "Unauthorized", "status": 401}
        assert (logs[0]["source"], logs[0]["status"]) == ("twilio", 401)
        assert "auth_token" in logs[0]["reason"]
        assert "5550001111" not in str(logs)
        assert "test-auth-token" not in str(logs)
        assert not door.keep.kept
        assert door.door.counters.refused["twilio", 401] == 1


async def test_refuses_a_source_without_secret() -> None:
    """A source that has no secret and does not accept unsigned requests is refused, and the operator shown what to
    set."""
    async with a_door() as door:
        with structlog.testing.capture_logs() as logs:
            assert (await door.post(sms(), "/webhooks/aggregate/closed")).status == 401
        assert "accept_unsigned" in logs[0]["reason"]


async def test_keeps_unsigned_where_accepted() -> None:
    """A source that accepts unsigned requests keeps them, marked as not verified; but not a GET, which any link makes."""
    async with a_door() as door:
        assert (await door.ask("POST", "/webhooks/aggregate/open", body=b"MessageSid=SM1")).status == 200  # type: ignore[union-attr]
        assert door.keep.kept[0][0].authentic is None
        assert (await door.ask("GET", "/webhooks/aggregate/open", query="MessageSid=SM1")).status == 401  # type: ignore[union-attr]
        assert len(door.keep.kept) == 1


async def test_a_flood_of_refusals_is_counted_not_logged() -> None:
    """Of many refusals within a second one is logged; all are counted."""
    async with a_door() as door:
        with structlog.testing.capture_logs() as logs:
            for _ in range(20):
                await door.post(sms("http://wrong.example.com/"))
        assert len(logs) == 1
        assert door.door.counters.refused["twilio", 401] == 20


@pytest.mark.parametrize("path", ["/webhooks/aggregate/nobody", "/webhooks/aggregate"])
async def test_unknown_source(path: str) -> None:
    """A source that does not exist, and a request that nobody recognises, are a 404; the made-up name is not repeated."""
    async with a_door() as door:
        answered = await door.ask("POST", path, body=b"{}")
        assert answered is not None
        assert answered.problem["status"] == 404
        assert set(door.door.counters.refused) == {("-", 404)}


async def test_other_methods() -> None:
    """HEAD finds the door, OPTIONS says what is allowed, the rest is a 405 that says it too."""
    async with a_door() as door:
        head = await door.ask("HEAD")
        options = await door.ask("OPTIONS")
        put = await door.ask("PUT")
        assert head and options and put
        assert (head.status, options.status, put.status) == (200, 204, 405)
        assert options.headers["allow"] == put.headers["allow"] == "GET, HEAD, POST, OPTIONS"


async def test_handshake() -> None:
    """Meta's challenge is echoed to who knows our token, and kept nowhere; another token is a 401."""
    async with a_door() as door:
        query = "hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token="
        path = "/webhooks/aggregate/whatsapp_cloud"
        good = await door.ask("GET", path, query=f"{query}test-verify-token")
        bad = await door.ask("GET", path, query=f"{query}guess")
        assert good and bad
        assert (good.status, good.body) == (200, b"1158201444")
        assert bad.status == 401
        assert not door.keep.kept


async def test_unkept_is_a_503() -> None:
    """What cannot be kept is not acknowledged: 503, and when to come again."""
    async with a_door() as door:
        door.keep.full = True
        answered = await door.post(sms())
        assert answered.status == 503
        assert int(answered.headers["retry-after"]) > 0


async def test_the_answer_waits_for_the_keeping() -> None:
    """No answer leaves before the webhook is kept."""
    async with a_door() as door:
        door.keep.held_up = asyncio.Event()
        asked = asyncio.create_task(door.post(sms()))
        done, _ = await asyncio.wait((asked,), timeout=0.05)
        assert not done
        door.keep.held_up.set()
        assert (await asked).status == 200


async def test_too_many_in_flight() -> None:
    """Beyond the number in flight a caller gets Retry-After, and after it there is room again."""
    async with a_door(max_in_flight=2) as door:
        door.keep.held_up = asyncio.Event()
        two = [asyncio.create_task(door.post(sms(number=n))) for n in range(2)]
        await asyncio.sleep(0.02)
        third = await door.post(sms(number=3))
        assert (third.status, third.headers["retry-after"]) == (429, "1")
        door.keep.held_up.set()
        assert [answered.status for answered in await asyncio.gather(*two)] == [200, 200]
        assert (await door.post(sms(number=4))).status == 200
        assert door.door.in_flight == door.door.held == 0


async def test_too_many_bytes_in_flight() -> None:
    """Bodies that wait to be kept are bounded in bytes too."""
    async with a_door(max_bytes=150) as door:
        door.keep.held_up = asyncio.Event()
        one = asyncio.create_task(door.post(sms()))
        await asyncio.sleep(0.02)
        assert (await door.post(sms(number=2))).status == 429
        door.keep.held_up.set()
        assert (await one).status == 200
        assert door.door.held == 0


async def test_a_record_that_fits_nowhere() -> None:
    """What is too large for Kafka is refused before it is acknowledged: for its body, or for its headers."""
    async with a_door(max_record=100_000) as door:
        path = "/webhooks/aggregate/open"
        large = await door.ask("POST", path, body=b"x" * 100_000)
        headed = await door.ask("POST", path, headers={"x-much": '"' * 60_000}, body=b"x")
        assert (large and large.status, headed and headed.status) == (413, 431)
        assert door.keep.kept == []
        fits = await door.ask("POST", path, headers={"x-much": '"' * 1000}, body=b"x" * 90_000)
        assert fits and fits.status == 200


async def test_one_source_does_not_shut_out_another() -> None:
    """A source that has used up what may be in flight leaves the others their part of it."""
    async with a_door(max_in_flight=10) as door:
        door.keep.held_up = asyncio.Event()
        flood = [asyncio.create_task(door.ask("POST", "/webhooks/aggregate/open", body=b"[]")) for _ in range(30)]
        await asyncio.sleep(0.02)
        kept = [asyncio.create_task(door.post(sms(number=n))) for n in range(5)]
        await asyncio.sleep(0.02)
        assert (await door.post(sms(number=9))).status == 429  # its part is used up as well
        door.keep.held_up.set()
        assert [(await each).status for each in kept] == [200] * 5
        assert (
            sorted(reported.status for reported in await asyncio.gather(*flood) if reported) == [200] * 10 + [429] * 20
        )
        assert door.door.in_flight == door.door.held == 0


async def test_keys_in_doubt_are_bounded_by_caller() -> None:
    """Keys that take long to look up: who has brought too many of them waits, another is served."""
    wait = asyncio.Event()

    async def authenticate(authorization: str, _: str) -> str:
        await wait.wait()
        return "globex"

    async with a_door(authenticate, max_in_flight=40) as door:
        headers = {"authorization": "Bearer x", "content-type": "application/json"}

        def ask(caller: str) -> "asyncio.Task[Any]":
            return asyncio.create_task(door.ask("POST", headers=headers, body=ENVELOPE, client=caller))

        flood = [ask("198.51.100.1") for _ in range(30)]
        await asyncio.sleep(0.02)
        others = [ask("192.0.2.1") for _ in range(3)]
        assert (await door.post(sms())).status == 200
        wait.set()
        assert {reported.status for reported in await asyncio.gather(*others)} == {202}
        statuses = [reported.status for reported in await asyncio.gather(*flood)]
        assert (statuses.count(202), statuses.count(429)) == (10, 20)


async def test_envelope_by_signature() -> None:
    """A relay's envelope, signed as Standard Webhooks has it, is kept for the relay's client."""
    async with a_door() as door:
        answered = await door.ask("POST", "/webhooks/aggregate/relay", standard(ENVELOPE), ENVELOPE)
        assert answered is not None
        assert answered.status in (200, 202)
        [(webhook, _)] = door.keep.kept
        assert (webhook.source, webhook.adapter, webhook.client, webhook.authentic) == (
            "relay",
            "envelope",
            "acme",
            True,
        )
        forged = await door.ask("POST", "/webhooks/aggregate/relay", standard(ENVELOPE, "another"), ENVELOPE)
        assert forged is not None
        assert forged.status == 401


async def test_envelope_by_key() -> None:
    """An API key with the scope admits an envelope too, for the key's client; the key is not kept."""

    async def authenticate(authorization: str, _: str) -> str:
        if authorization == "Bearer good":
            return "globex"
        if authorization == "Bearer unknown":
            raise KeysUnavailable("PostgreSQL is away")
        raise Unauthorized("not known")

    async with a_door(authenticate) as door:
        statuses = []
        for key in ("good", "bad", "unknown"):
            headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
            answered = await door.ask("POST", headers=headers, body=ENVELOPE)
            assert answered is not None
            statuses.append(answered.status)
        assert statuses[0] in (200, 202)
        assert statuses[1:] == [401, 503]
        [(webhook, _)] = door.keep.kept
        assert (webhook.client, webhook.authentic) == ("globex", True)
        assert "authorization" not in webhook.headers


@pytest.mark.parametrize("path", ["", "/envelope"])
@pytest.mark.parametrize(
    ("body", "kind", "status", "says"),
    [
        (b'{"source": "x", ', "application/json", 400, "no JSON"),
        (b"", "application/json", 400, "no JSON"),
        (b"[]", "application/json", 422, "empty list"),
        (b'"x"', "application/json", 422, "must be an envelope"),
        (b'{"source": "x", "data": {}}', "application/json", 422, "$.eventType"),
        (b'{"source": "x", "eventType": "message.lost", "data": {}}', "application/json", 422, "message.lost"),
        (b'{"source": "x", "eventType": "message.delivered"}', "application/json", 422, "$.data"),
        (b'[{"source": "x", "eventType": "message.delivered", "data": 1}]', "application/json", 422, "$[0].data"),
        (b"a=1", "application/x-www-form-urlencoded", 415, "application/json"),
    ],
)
async def test_what_is_wrong_with_an_envelope(path: str, body: bytes, kind: str, status: int, says: str) -> None:
    """Who has shown an API key hears what is wrong; who has not hears nothing; the log has nothing of what came."""

    async def authenticate(authorization: str, _: str) -> str:
        if authorization == "Bearer good":
            return "globex"
        if authorization == "Bearer other":
            raise Unscoped("The API key has no scope webhooks:write.")
        raise Unauthorized("not known")

    async with a_door(authenticate) as door:
        reported = {}
        with capture_logs() as logs:
            for key in ("good", "other", "bad", None):
                headers = {"content-type": kind} | ({"authorization": f"Bearer {key}"} if key else {})
                reported[key] = await door.ask("POST", f"/webhooks/aggregate{path}", headers, body)
        good, other, bad, none = reported.values()
        assert good and other and bad and none
        assert (good.status, good.problem["status"]) == (status, status)
        assert says in good.problem["detail"]
        assert (other.status, other.problem["detail"]) == (403, "The API key has no scope webhooks:write.")
        assert bad.status == none.status and bad.status in (401, 404)
        assert "detail" not in bad.problem and "detail" not in none.problem
        assert {log["status"] for log in logs} == {status, 403, bad.status}
        assert "message.lost" not in str(logs)
        assert [log["reason"] for log in logs if log["status"] == 403] == ["The API key has no scope webhooks:write."]
        assert door.keep.kept == []


async def test_a_good_envelope_between_bad_ones() -> None:
    """Is kept with them: a bad one holds up no other."""

    async def authenticate(authorization: str, _: str) -> str:
        return "globex"

    async with a_door(authenticate) as door:
        body = b'[{"source": "x"}, ' + ENVELOPE + b"]"
        headers = {"authorization": "Bearer good", "content-type": "application/json"}
        answered = await door.ask("POST", "/webhooks/aggregate/envelope", headers, body)
        assert answered and answered.status == 202
        assert door.keep.kept[0][0].body == body


async def test_a_key_opens_no_providers_source() -> None:
    """An API key admits envelopes only: a provider's request must be signed by the provider."""

    async def authenticate(authorization: str, _: str) -> str:
        return "globex"

    async with a_door(authenticate) as door:
        answered = await door.ask(
            "POST", "/webhooks/aggregate/twilio", {"authorization": "Bearer good"}, b"MessageSid=SM1"
        )
        assert answered is not None
        assert answered.status == 401


async def test_counts() -> None:
    """What was kept, how large, how long it took, and each answer are counted."""
    async with a_door() as door:
        await door.post(sms())
        await door.post(status())
        await door.post(sms("http://wrong.example.com/"))
        counters = door.door.counters
        assert counters.kept == {"twilio": 1, "whatsapp_cloud": 1}
        assert counters.answered == {200: 2, 401: 1}
        assert sum(counters.size.counts) == 2
        assert sum(counters.latency.counts) == 3
