"""A door without network, Kafka or disk: requests put to it as ASGI messages or, where `AT_ONCE` says so, whole; and a keeper that notes
what it is given."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson

from app.settings import Source
from tests.support.traffic import TWILIO_TOKEN, Post, twilio, whatsapp
from webhooks.admit import Authenticate
from webhooks.aggregate import Door
from webhooks.at_once import AtOnce
from webhooks.body import Message
from webhooks.limits import Limits
from webhooks.recognise import Sources
from webhooks.record import Webhook, decode
from webhooks.spool import Unkept

HOST = "hooks.example.com"
URL = f"http://{HOST}/webhooks/aggregate"
#: Whether a request that comes in one piece is offered to be taken at once, as the server does it. See the fixture `at_once`.
AT_ONCE = False
RELAY_SECRET = "relay-secret-of-some-length"

SOURCES: Mapping[str, Mapping[str, Any]] = {
    "twilio": {"auth_token": TWILIO_TOKEN},
    "whatsapp_cloud": {"app_secret": "test-app-secret", "verify_token": "test-verify-token"},
    "open": {"adapter": "sendgrid", "accept_unsigned": True},
    "closed": {"adapter": "twilio"},
    "relay": {"adapter": "envelope", "secret": RELAY_SECRET, "client": "acme"},
}


class Noting:
    """Stands for `webhooks.keep.Keep`: keeps in a list, or, where `full` is set, says that it cannot."""

    def __init__(self) -> None:
        self.kept: list[tuple[Webhook, str | None]] = []
        self.full = False
        self.held_up: asyncio.Event | None = None

    def put(self, value: bytes, traceparent: str | None = None) -> "asyncio.Task[None]":
        return asyncio.ensure_future(self._put(value, traceparent))

    async def _put(self, value: bytes, traceparent: str | None) -> None:
        if self.held_up is not None:
            await self.held_up.wait()
        if self.full:
            raise Unkept("no room")
        self.kept.append((decode(value), traceparent))


@dataclass
class Answered:
    """What the caller got."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def problem(self) -> dict[str, Any]:
        """The body as a problem document."""
        assert self.headers["content-type"] == "application/problem+json"
        document: dict[str, Any] = orjson.loads(self.body)
        return document


class Whole:
    """A request that is offered whole. `left` is known once it is answered or left to the application."""

    def __init__(self, scope: Message, body: bytes) -> None:
        self.scope, self.body = scope, body
        self.sent: list[dict[str, Any]] = []
        self.left: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def answer(self, start: dict[str, Any], body: dict[str, Any]) -> None:
        """Note the answer."""
        self.sent += [start, body]
        self.left.set_result(False)

    def leave(self) -> None:
        """Note that it is left."""
        self.left.set_result(True)


class DoorUnderTest:
    """A started door, and what it kept."""

    def __init__(self, limits: Limits, authenticate: Authenticate | None) -> None:
        self.keep = Noting()
        #: Requests that were taken at once.
        self.taken = 0
        sources = Sources({name: Source(**given) for name, given in SOURCES.items()})
        self.door = Door(sources, self.keep, limits, authenticate)  # type: ignore[arg-type]
        self.at_once = AtOnce(self.door)

    async def ask(
        self,
        method: str = "POST",
        path: str = "/webhooks/aggregate",
        headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        body: bytes | Sequence[bytes] = b"",
        *,
        query: str = "",
        whole: bool = True,
        disconnect: bool = False,
        client: str = "127.0.0.1",
    ) -> Answered | None:
        """Put one request; None where it was not answered. `whole=False` leaves the caller silent after the body's parts."""
        pairs = [*(headers.items() if isinstance(headers, Mapping) else headers)]
        scope = {
            "type": "http", "method": method, "scheme": "http", "path": path, "raw_path": path.encode(),
            "query_string": query.encode(), "server": ("127.0.0.1", 8080), "client": (client, 1),
            "headers": [(b"host", HOST.encode()), *((k.lower().encode(), v.encode()) for k, v in pairs)],
        }  # fmt: skip
        parts = [body] if isinstance(body, bytes) else list(body)
        messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
        if whole:
            messages[-1]["more_body"] = False
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            if messages:
                return messages.pop(0)
            if disconnect:
                return {"type": "http.disconnect"}
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message: Any) -> None:
            sent.append(dict(message))

        if AT_ONCE and whole and len(parts) == 1:
            offered = Whole(scope, parts[0])
            self.at_once(offered)
            if await offered.left:
                await self.door(scope, receive, send)
            else:
                self.taken += 1
                sent += offered.sent
        else:
            await self.door(scope, receive, send)
        if not sent:
            return None
        assert sent[-1].get("more_body", False) is False
        reported = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        content = b"".join(message["body"] for message in sent[1:])
        assert sent[0]["status"] == 204 or int(reported["content-length"]) == len(content)
        return Answered(sent[0]["status"], reported, content)

    async def post(self, post: Post, path: str = "/webhooks/aggregate", **more: Any) -> Answered:
        """Put one provider's request, and have it answered."""
        answered = await self.ask("POST", path, post.headers, post.body, **more)
        assert answered is not None
        return answered


@asynccontextmanager
async def a_door(authenticate: Authenticate | None = None, **limits: Any) -> AsyncIterator[DoorUnderTest]:
    """A door with `SOURCES` and these limits."""
    under_test = DoorUnderTest(Limits(**limits), authenticate)
    yield under_test


def sms(url: str = URL, number: int = 1) -> Post:
    """A signed status callback of Twilio."""
    return twilio({"MessageSid": f"SM{number:032x}", "MessageStatus": "delivered", "To": "+15550001111"}, url)


def message(url: str = URL) -> Post:
    """A signed inbound message of Twilio, which wants TwiML for an answer."""
    return twilio({"MessageSid": "SM" + "1" * 32, "From": "+15550001111", "To": "+15550009999", "Body": "hello"}, url)


def status() -> Post:
    """A signed status of WhatsApp Cloud."""
    return whatsapp({"statuses": [{"id": "wamid.1", "status": "sent", "timestamp": "1760000000"}]})
