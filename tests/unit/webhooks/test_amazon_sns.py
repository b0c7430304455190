"""What the door fetches for Amazon SNS's messages: only Amazon's, little, quickly, once; and that it judges anew then."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson
import pytest
from starlette.types import Message

from adapters.amazon_ses import simulator as simulated
from adapters.simulating import Post
from app.settings import Source
from tests.fixtures import accounts
from tests.unit.webhooks.doors import Noting
from webhooks.aggregate import Door
from webhooks.amazon_sns import MAX_BYTES, MOST_A_CALLER, MOST_A_MINUTE, AmazonSns, Unfetched
from webhooks.limits import Limits
from webhooks.recognise import Sources

HOST = "https://sns.us-east-1.amazonaws.com"
CERTIFICATE = f"{HOST}/SimpleNotificationService-0123456789abcdef.pem"
CONFIRM = f"{HOST}/?Action=ConfirmSubscription&TopicArn={simulated.TOPIC}&Token=2336412f37"
ACCOUNT = accounts("amazon_ses")
PEM = ACCOUNT.settings["certificate"].encode()

Answering = Callable[[httpx.Request], httpx.Response]


class Amazon:
    """Stands for Amazon: notes what is asked of it."""

    def __init__(self, answer: Answering | None = None, wait: float = 0) -> None:
        self.asked: list[str] = []
        self._answer = answer
        self._wait = wait

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(str(request.url))
        await asyncio.sleep(self._wait)
        return self._answer(request) if self._answer is not None else httpx.Response(200, content=PEM)

    def sns(self, timeout: float = 5) -> AmazonSns:
        return AmazonSns(httpx.AsyncClient(transport=httpx.MockTransport(self)), timeout=timeout)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/SimpleNotificationService-0123456789abcdef.pem",
        CERTIFICATE.replace("https:", "http:"),
        CERTIFICATE.replace(".com/", ".com.example.com/"),
        CERTIFICATE.replace("sns.", "sns.us-east-1.amazonaws.com@"),
        "https://169.254.169.254/latest/meta-data/",
        CONFIRM,
    ],
)
async def test_no_other_address_is_fetched(url: str) -> None:
    """Whatever a request names."""
    amazon = Amazon()
    with pytest.raises(Unfetched):
        await amazon.sns().certificate(url)
    with pytest.raises(Unfetched):
        await amazon.sns().confirm(url.replace("ConfirmSubscription", "DeleteTopic"))
    assert amazon.asked == []


async def test_a_certificate_is_fetched_once() -> None:
    """Many requests at once wait for the same; later ones have it at hand."""
    amazon = Amazon(wait=0.01)
    sns = amazon.sns()
    found = await asyncio.gather(*[sns.certificate(CERTIFICATE) for _ in range(20)])
    assert found == [PEM] * 20 and await sns.certificate(CERTIFICATE) == PEM
    assert amazon.asked == [CERTIFICATE]


async def test_made_up_addresses_do_not_put_out_the_certificate() -> None:
    """Of those that were found to have none, and of ever so many that have one, the one in use stays."""
    found = Amazon()
    sns = found.sns()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("webhooks.amazon_sns.MOST", 4)
        await sns.certificate(CERTIFICATE)
        for number in range(8):
            await sns.certificate(CERTIFICATE.replace("0123456789abcdef", f"{number:016x}"), str(number))
            await sns.certificate(CERTIFICATE)
    assert found.asked.count(CERTIFICATE) == 1


async def test_that_there_is_none_is_remembered_too() -> None:
    """So that a forger cannot have the same asked again and again."""
    amazon = Amazon(lambda request: httpx.Response(403))
    sns = amazon.sns()
    assert [await sns.certificate(CERTIFICATE) for _ in range(3)] == [None] * 3
    assert len(amazon.asked) == 1


async def test_not_too_many_are_fetched() -> None:
    """A forger can make up as many names as there are: from one address it gets a tenth of what is fetched in a minute,
    and from many of them all that is fetched of hosts which never had anything."""
    amazon = Amazon(lambda request: httpx.Response(404))
    sns = amazon.sns()
    made_up = (CERTIFICATE.replace("abcdef", f"{number:06d}") for number in range(1000))
    for number in range(MOST_A_MINUTE):
        assert await sns.certificate(next(made_up), f"198.51.100.{number // MOST_A_CALLER}") is None
        if (number + 1) % MOST_A_CALLER == 0:
            with pytest.raises(Unfetched, match="within a minute"):
                await sns.certificate(next(made_up), f"198.51.100.{number // MOST_A_CALLER}")
    with pytest.raises(Unfetched, match="within a minute"):
        await sns.certificate(CERTIFICATE, "192.0.2.1")
    assert len(amazon.asked) == MOST_A_MINUTE


async def test_made_up_addresses_do_not_use_up_what_real_ones_need(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that had a certificate has a budget of its own, of which a forger's address has a part; and a certificate
    that was there is good while it cannot be asked for again."""
    amazon = Amazon(
        lambda request: httpx.Response(200, content=PEM) if str(request.url) in real else httpx.Response(404)
    )
    new = CERTIFICATE.replace("abcdef", "fedcba")
    real = {CERTIFICATE, new}
    sns = amazon.sns()
    assert await sns.certificate(CERTIFICATE, "192.0.2.1") == PEM
    for region in ("eu-west-9", "us-east-1"):
        for number in range(100):
            with suppress(Unfetched):
                name = CERTIFICATE.replace("us-east-1", region).replace("abcdef", f"{number:06d}")
                await sns.certificate(name, f"198.51.100.{number // 50}")
    assert await sns.certificate(new, "192.0.2.2") == PEM
    now = time.monotonic()
    monkeypatch.setattr("webhooks.amazon_sns.time.monotonic", lambda: now + 7 * 3600)
    real.clear()
    down = Amazon(lambda request: httpx.Response(503))
    sns._client = httpx.AsyncClient(transport=httpx.MockTransport(down))
    assert await sns.certificate(CERTIFICATE, "192.0.2.1") == PEM
    assert down.asked == [CERTIFICATE]


async def test_a_redirect_is_not_followed() -> None:
    """It is no certificate, and confirms nothing."""
    amazon = Amazon(lambda request: httpx.Response(302, headers={"location": "https://example.com/"}))
    assert await amazon.sns().certificate(CERTIFICATE) is None
    with pytest.raises(Unfetched):
        await amazon.sns().confirm(CONFIRM)
    assert amazon.asked == [CERTIFICATE, CONFIRM]


@pytest.mark.parametrize(
    "amazon",
    [
        Amazon(lambda request: httpx.Response(200, content=b"x" * (MAX_BYTES + 1))),
        Amazon(lambda request: httpx.Response(200, content=PEM), wait=1),
        Amazon(lambda request: httpx.Response(503)),
        Amazon(lambda request: httpx.Response(429)),
    ],
    ids=["too large", "too slow", "a fault", "too many"],
)
async def test_what_may_pass_later_is_not_remembered(amazon: Amazon) -> None:
    """Too large, too slow, a fault of Amazon's."""
    sns = amazon.sns(timeout=0.05)
    for _ in range(2):
        with pytest.raises(Unfetched):
            await sns.certificate(CERTIFICATE)
    assert len(amazon.asked) == 2


async def test_a_network_that_is_away_is_distinguished() -> None:
    """It raises what the door makes a 503 of."""

    def broken(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no route")

    with pytest.raises(Unfetched, match="cannot be reached"):
        await Amazon(broken).sns().certificate(CERTIFICATE)


def signed(type_: str) -> bytes:
    message = {"Type": type_, "MessageId": "1", "TopicArn": simulated.TOPIC, "Message": '{"mail":{"messageId":"1"}}'}
    message |= {
        "Timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "SignatureVersion": "2",
        "Signature": "",
    }
    message |= {"SigningCertURL": CERTIFICATE, "SubscribeURL": CONFIRM, "Token": "2336412f37"}
    settings = ACCOUNT.settings | {"private_key": ACCOUNT.private_key}
    return simulated.sign(Post("", orjson.dumps(message)), settings, datetime.now(UTC)).body


async def ask(amazon: Amazon, type_: str, body: bytes, *, pinned: bool = False) -> tuple[int, int]:
    """The status that the door answers, and how many webhooks it kept, each for the source that the path names."""
    topic = {"adapter": "amazon_ses", "topic_arn": simulated.TOPIC}
    settings = topic | {"url": "https://example.com/ses"} | ({"certificate": PEM.decode()} if pinned else {})
    keep, output = Noting(), []
    sources = Sources({"another": Source.model_validate(topic), "amazon_ses": Source.model_validate(settings)})
    door = Door(sources, keep, Limits(), sns=amazon.sns())  # type: ignore[arg-type]
    headers = [(b"content-type", b"text/plain"), (b"x-amz-sns-message-type", type_.encode()), (b"host", b"h")]
    scope: dict[str, Any] = {
        "type": "http",
        "method": "POST",
        "scheme": "https",
        "path": "/webhooks/aggregate/amazon_ses",
    }
    scope |= {"raw_path": b"/webhooks/aggregate/amazon_ses", "query_string": b"", "headers": headers}
    scope |= {"server": ("127.0.0.1", 8080), "client": ("127.0.0.1", 1), "http_version": "1.1", "root_path": ""}
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        output.append(message)

    await door(scope, receive, send)
    assert all(webhook.source == "amazon_ses" for webhook, _ in keep.kept)
    return int(str(output[0]["status"])), len(keep.kept)


async def test_the_door_fetches_what_a_message_needs_and_keeps_it() -> None:
    """And does not, where a certificate is pinned."""
    amazon = Amazon()
    assert await ask(amazon, "Notification", signed("Notification")) == (200, 1)
    assert amazon.asked == [CERTIFICATE]
    assert await ask(amazon, "Notification", signed("Notification"), pinned=True) == (200, 1)
    assert amazon.asked == [CERTIFICATE]


async def test_the_door_confirms_a_subscription_after_its_signature() -> None:
    """The confirmation is visited, and not kept."""
    amazon = Amazon()
    assert await ask(amazon, "SubscriptionConfirmation", signed("SubscriptionConfirmation")) == (200, 0)
    assert amazon.asked == [CERTIFICATE, CONFIRM]


async def test_the_door_fetches_and_visits_nothing_for_a_forgery() -> None:
    """Another's topic is refused before anything is fetched, a bad signature before anything is visited."""
    amazon, body = Amazon(), signed("SubscriptionConfirmation")
    theirs = body.replace(b"123456789012", b"999999999999")
    assert await ask(amazon, "SubscriptionConfirmation", theirs) == (401, 0) and amazon.asked == []
    forged = body.replace(b"Token=2336412f37", b"Token=2336412f38")
    assert await ask(amazon, "SubscriptionConfirmation", forged) == (401, 0) and amazon.asked == [CERTIFICATE]


async def test_the_door_says_503_where_amazon_is_away() -> None:
    """So that SNS tries again, which it does not after a 401."""
    amazon = Amazon(lambda request: httpx.Response(500))
    assert await ask(amazon, "Notification", signed("Notification")) == (503, 0)
    certificate_only = Amazon(lambda request: httpx.Response(200 if "pem" in str(request.url) else 500, content=PEM))
    assert await ask(certificate_only, "SubscriptionConfirmation", signed("SubscriptionConfirmation")) == (503, 0)
