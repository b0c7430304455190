"""A simulated provider over real HTTP: what it accepts it reports, until that is acknowledged."""

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from adapters import ADAPTERS, interpret
from adapters.contract import Found, HttpCall, Message
from adapters.contract import Request as Webhook
from adapters.contract import Response as Answer
from adapters.postmark.send import build_batch, build_lookup, build_request, read_batch, read_lookup
from adapters.twilio import send as twilio_send
from app.simulator import SIMULATED
from app.simulator.faults import Faults
from app.simulator.server import Plan, Server
from schemas.events import Event, Handle
from schemas.handles import handle_of
from tests.fixtures import accounts
from tests.support.waiting import until


class Door:
    """Takes webhooks at a URL, every third time with a 503, verifies them, and keeps their events."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.came = 0

    async def take(self, request: Request) -> Response:
        self.came += 1
        if self.came % 3 == 0:
            return Response(status_code=503)
        body = await request.body()
        webhook = Webhook("POST", str(request.url), dict(request.headers), body, datetime.now(UTC), "twilio")
        assert ADAPTERS["twilio"].verify(webhook, accounts("twilio").values) is True
        self.events += interpret(webhook, "twilio").events
        return Response(status_code=200)


@asynccontextmanager
async def serving(app: Starlette) -> AsyncIterator[str]:
    """The app at a free port; its URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
    task = asyncio.create_task(server.serve([listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


async def test_a_send_is_taken_and_reported_until_acknowledged() -> None:
    """Each of twenty messages that the adapter sends is taken under its id, and all that becomes of it arrives, though
    every third post is refused and a third is doubled: no state is missing, and twice is once by its event's id."""
    door = Door()
    async with serving(Starlette(routes=[Route("/hook", door.take, methods=["POST"])])) as url:
        settings = accounts("twilio").settings
        plan = Plan(f"{url}/hook", f"{url}/hook", Faults(duplicates=0.3, shuffle=0.2), failing=0.0, seed=3)
        server = Server(SIMULATED["twilio"], settings, plan)
        posting = asyncio.create_task(server.posting.run())
        api = Starlette(routes=[Route("/{path:path}", server.api, methods=["POST"])])
        async with serving(api) as base, httpx.AsyncClient() as http:
            sent = {await send(http, base, number) for number in range(20)}
            await until(lambda: not server.posting.waiting)
        posting.cancel()
        await asyncio.gather(posting, return_exceptions=True)
    assert {event.provider_message_id for event in door.events} == sent and len(sent) == 20
    facts = {event.source_event_id: event for event in door.events}
    assert len(facts) < len(door.events)
    states = Counter(event.type for event in facts.values())
    assert states["MessageQueued"] == states["UserMessageSent"] == states["MessageDelivered"] == 20
    counts = server.tally.counts
    assert counts["acknowledged"] == counts["webhooks"] + counts["doubled"] == sum(states.values()) + counts["doubled"]
    assert server.tally.statuses["503"] == counts["tried again"] > 5


async def test_the_api_refuses_as_asked() -> None:
    """Beyond its rate it says too many, with the seconds to wait; and fails at the share asked for."""
    settings = accounts("twilio").settings
    server = Server(SIMULATED["twilio"], settings, Plan("http://x/", "http://x/", throttle=3, seed=1))
    api = Starlette(routes=[Route("/{path:path}", server.api, methods=["POST"])])
    async with serving(api) as base, httpx.AsyncClient() as http:
        outcomes = [twilio_send.read_response(await answer(http, base, number)) for number in range(6)]
    assert [outcome.state for outcome in outcomes] == ["accepted"] * 3 + ["retryable"] * 3
    assert outcomes[-1].retry_after == 1.0


async def answer(http: httpx.AsyncClient, base: str, number: int) -> Answer:
    """What the API says to a message that the adapter builds."""
    values = accounts("twilio").values | {"api_url": (base,), "sender": ("+15550001111",)}
    message = Message(f"m{number}", "sms", Handle("phone", f"+1555123{number:04d}"), text="Hello!")
    call = twilio_send.build_request(message, values, datetime.now(UTC))
    answer = await http.request(call.method, call.url, headers=call.headers, content=call.body)
    return Answer(answer.status_code, answer.headers, answer.content)


async def send(http: httpx.AsyncClient, base: str, number: int) -> str:
    """The id under which the provider took it."""
    outcome = twilio_send.read_response(await answer(http, base, number))
    assert outcome.state == "accepted" and outcome.provider_message_id
    return outcome.provider_message_id


@pytest.mark.parametrize(
    ("name", "channel", "to"),
    [
        ("resend", "email", "ana@example.com"),
        ("brevo", "email", "ana@example.com"),
        ("onesignal", "push", "0b0c7bd6-6c7e-4f5e-9d1f-0e9c5f1f6a10"),
        ("line", "chat", "line:U4af4980629b1a5c3d8e7f60123456789"),
    ],
)
async def test_a_repeat_under_its_key_is_taken_once(name: str, channel: str, to: str) -> None:
    """As the provider does that has idempotency keys: nothing is sent, and the adapter reads that it was taken."""
    account, send = accounts(name), ADAPTERS[name].send
    assert send is not None and send.idempotent_for > 0
    server = Server(
        SIMULATED[name], account.settings, Plan(to="http://127.0.0.1:9/", public_url="http://127.0.0.1:9/", seed=1)
    )
    async with serving(Starlette(routes=[Route("/{path:path}", server.api, methods=["POST"])])) as url:
        values = account.values | {"api_url": (url,), "sender": ("shop@example.com",)}
        message = Message("m1", channel, handle_of(to, channel), text="Hello", subject="Hello")
        call = send.build_request(message, values, datetime.now(UTC))
        assert isinstance(call, HttpCall)
        async with httpx.AsyncClient() as client:
            answers = [
                await client.request(call.method, call.url, content=call.body, headers=call.headers) for _ in range(3)
            ]
    read = [Answer(answer.status_code, answer.headers, answer.content) for answer in answers]
    outcomes = [send.read_response(each) for each in read]
    assert {outcome.state for outcome in outcomes} == {"accepted"}
    assert outcomes[0].provider_message_id and len(server._accepted) == 1


async def test_it_answers_what_it_took() -> None:
    """A message that was sent is found by our id, one that was not is not, and a look-up is no send."""
    account = accounts("postmark")
    server = Server(
        SIMULATED["postmark"],
        account.settings,
        Plan(to="http://127.0.0.1:9/", public_url="http://127.0.0.1:9/", seed=1),
    )
    methods = ["GET", "POST"]
    async with serving(Starlette(routes=[Route("/{path:path}", server.api, methods=methods)])) as url:
        values = account.values | {"api_url": (url,)}
        sent, other = (Message(f"m{n}", "email", handle_of("ana@example.com", "email"), text="Hello") for n in (1, 2))
        calls = [build_batch([build_request(sent, values, datetime.now(UTC))])]
        calls += [build_lookup(message, values, datetime.now(UTC)) for message in (sent, other)]
        async with httpx.AsyncClient() as client:
            answers = [
                await client.request(call.method, call.url, content=call.body, headers=call.headers) for call in calls
            ]
    batch, found, absent = (Answer(each.status_code, each.headers, each.content) for each in answers)
    (outcome,) = read_batch(batch, 1)
    assert outcome.provider_message_id is not None
    assert read_lookup(found, sent) == Found(True, outcome.provider_message_id)
    assert read_lookup(absent, other) == Found(False)
    assert (server.tally.counts["sends taken"], server.tally.counts["look-ups"]) == (1, 2)
