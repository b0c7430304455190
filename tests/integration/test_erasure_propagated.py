"""Providers are asked to erase what they keep of a customer: simulated ones, with faults, a kill -9 and a refusal."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest
import pytest_asyncio
from aiohttp import web

from adapters.sendgrid.simulator import erase as erase_at_sendgrid
from adapters.sendgrid.simulator import refuse as refuse_at_sendgrid
from adapters.simulating import Call, Refused
from adapters.twilio.simulator import erase as erase_at_twilio
from adapters.twilio.simulator import refuse as refuse_at_twilio
from agents.process.erasures import _carry
from agents.transport import Transport
from app.erasing.steps import Eraser, Waits
from app.settings import Settings
from schemas.events import Event
from sql import EventStore
from tests.conftest import Dsns
from tests.integration.erasures import ANA, ANA_MAIL, BO, START, customer, places, read, said, settings
from tests.support.keys import SEAL

SECRETS = {"account_sid": "AC1", "auth_token": "token", "api_key": "SG.key"}
CONFIGURED: dict[str, Any] = {
    "channels": [{"channel": "sms", "account": "twilio"}, {"channel": "email", "account": "sendgrid"}],
    "retry": {"attempts": 3, "first": 0.1, "longest": 0.2},
    "erasure": {"propagate": True},
}
Fault = Callable[[Call], web.Response | None]


@pytest_asyncio.fixture
async def store(postgres_dsn: Dsns) -> AsyncIterator[EventStore]:
    """A store as the service has it."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=4) as opened:
        yield opened


@asynccontextmanager
async def providers(fault: Fault = lambda _: None) -> AsyncIterator[tuple[str, list[tuple[str, str, bytes]]]]:
    """Both providers' simulators on one port; gives the URL and what they were asked. A `fault` answers instead."""
    asked: list[tuple[str, str, bytes]] = []

    async def answer(request: web.Request) -> web.Response:
        call = Call(
            request.method, request.path, {k.lower(): v for k, v in request.headers.items()}, await request.read()
        )
        asked.append((call.method, call.path, call.body))
        if (instead := fault(call)) is not None:
            return instead
        ours = (
            (erase_at_twilio, refuse_at_twilio) if "Accounts" in call.path else (erase_at_sendgrid, refuse_at_sendgrid)
        )
        try:
            reply = ours[0](call, SECRETS)
        except Refused as refused:
            reply = ours[1](refused.why)
        assert reply is not None
        return web.Response(status=reply.status, body=reply.body, headers=reply.headers if reply.body else None)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", asked
    finally:
        await runner.cleanup()


def reaching(folder: Path, url: str) -> Settings:
    """Settings with both accounts at a URL."""
    twilio = {"account_sid": "AC1", "auth_token": "token", "sender": "+15550000000", "api_url": url}
    sendgrid = {"api_key": "SG.key", "sender": "shop@example.com", "api_url": url}
    sources = {"twilio": {"client": "shop", **twilio}, "sendgrid": {"client": "shop", **sendgrid}}
    return settings(folder, sources=sources)


async def filled(store: EventStore, document: dict[str, Any] | None = None) -> UUID:
    """Append what Ana was told by two providers, and Bo by one; return Ana's customer id."""
    link = {"handles": [{"kind": each.kind, "value": each.value} for each in (ANA, ANA_MAIL)]}
    rows = [said(n, ANA, provider_message_id=f"SM{n:032}") for n in range(1, 4)]
    rows += [said(4, ANA, "CallCompleted", channel="voice", provider_message_id=f"CA{4:032}")]
    rows += [said(5, BO, provider_message_id=f"SM{5:032}")]
    rows += [said(6, ANA_MAIL, "MessageDelivered", channel="email", source="sendgrid")]
    rows.append((Event("HandleLinked", "twilio", "link", payload=link), "shop", START, None))
    await store.append(rows)
    await store.set_client("shop", document or CONFIGURED, "test")
    return await customer(store, ANA)


@asynccontextmanager
async def eraser(store: EventStore, given: Settings) -> AsyncIterator[Eraser]:
    """An eraser that calls, as the worker's does."""
    transport = Transport(timeout=5)
    try:
        yield Eraser(store, given, None, partial(_carry, transport))
    finally:
        await transport.close()


async def requested(store: EventStore, whose: UUID) -> UUID:
    """Request the erasure."""
    id = await store.request_erasure("shop", whose, "asked for it")
    assert id is not None
    return id


async def finished(erasing: Eraser, id: UUID) -> dict[str, Any]:
    """Run it as the worker does, again and again."""
    for _ in range(200):
        try:
            return await erasing.run(id)
        except Waits:
            await asyncio.sleep(0.05)
    raise AssertionError("it does not end")


def told(done: dict[str, Any]) -> dict[str, Any]:
    """What the receipt says of each provider."""
    return {each["source"]: each["asked"] for each in done["receipt"]["providers"]}


async def test_both_are_asked_before_the_addresses_go(store: EventStore, postgres_dsn: Dsns, tmp_path: Path) -> None:
    """SendGrid for the address, Twilio for each message and call, and for nobody else's; the receipt counts it, and nothing that was
    to be asked is kept."""
    whose = await filled(store)
    async with providers() as (url, asked), eraser(store, reaching(tmp_path, url)) as erasing:
        done = await finished(erasing, await requested(store, whose))
    base = "/2010-04-01/Accounts/AC1"
    paths = {f"{base}/Messages/SM{n:032}.json" for n in range(1, 4)} | {f"{base}/Calls/CA{4:032}.json"}
    assert {(method, path) for method, path, _ in asked if method == "DELETE"} == {("DELETE", path) for path in paths}
    (mail,) = [(path, orjson.loads(body)) for method, path, body in asked if method == "POST"]
    assert mail == ("/v3/recipients/erasejob", {"email_addresses": [ANA_MAIL.value]})
    assert len(asked) == 5
    assert told(done) == {
        "sendgrid": {"done": 1, "refused": 0, "answer": None},
        "twilio": {"done": 4, "refused": 0, "answer": None},
    }
    assert await read(postgres_dsn.owner, "SELECT count(*) FROM provider_erasures") == [0]
    assert await places(postgres_dsn, ANA.value, ANA_MAIL.value, f"SM{1:032}") == {}


async def test_off_by_default(store: EventStore, tmp_path: Path) -> None:
    """A client that did not ask for it: nobody is called, and the receipt says what to ask."""
    document = {name: value for name, value in CONFIGURED.items() if name != "erasure"}
    whose = await filled(store, document)
    async with providers() as (url, asked), eraser(store, reaching(tmp_path, url)) as erasing:
        done = await erasing.run(await requested(store, whose))
    assert asked == [] and told(done) == {"sendgrid": None, "twilio": None}


async def test_faults_are_tried_again_and_a_refusal_is_shown(store: EventStore, tmp_path: Path) -> None:
    """429, 503 and an answer that never came: asked again until it is taken. 400: refused for good, without the text that quotes the
    address; the erasure goes on."""
    whose, tries = await filled(store), {"n": 0}

    def fault(call: Call) -> web.Response | None:
        tries["n"] += 1
        if "erasejob" in call.path:
            return web.json_response({"errors": [{"message": f"{ANA_MAIL.value} is wrong"}]}, status=400)
        return web.Response(status=(503, 429)[tries["n"] % 2]) if tries["n"] < 9 else None

    async with providers(fault) as (url, asked), eraser(store, reaching(tmp_path, url)) as erasing:
        id = await requested(store, whose)
        with pytest.raises(Waits, match="twilio is asked again at"):
            await erasing.run(id)
        stood = await store.erasure(id)
        assert stood is not None and stood["state"] == "searched" and "asked again" in stood["waits"]
        (sendgrid, twilio) = stood["asked"]
        assert sendgrid == {"source": "sendgrid", "due": 0, "done": 0, "refused": 1, "answer": "400 unknown"}
        assert twilio["due"] == 4
        done = await finished(erasing, id)
    assert told(done) == {
        "sendgrid": {"done": 0, "refused": 1, "answer": "400 unknown"},
        "twilio": {"done": 4, "refused": 0, "answer": None},
    }
    assert len(asked) > 8 and ANA_MAIL.value not in str(done["receipt"])


async def test_a_provider_that_never_answers_holds_it_for_days_and_no_longer(
    store: EventStore, postgres_dsn: Dsns, tmp_path: Path
) -> None:
    """The addresses stay until then, and the receipt says that there was no answer."""
    whose = await filled(store)
    async with eraser(store, reaching(tmp_path, "http://127.0.0.1:9")) as erasing:
        id = await requested(store, whose)
        with pytest.raises(Waits, match="asked again"):
            await erasing.run(id)
        assert await read(
            postgres_dsn.owner, "SELECT count(*) FROM handles WHERE erased_at IS NOT NULL AND sealed IS NOT NULL"
        ) == [2]
        await read(postgres_dsn.owner, "UPDATE erasures SET fenced_at = fenced_at - interval '73 hours' RETURNING id")
        done = await erasing.run(id)
    no = "no final answer in time"
    assert told(done) == {
        "sendgrid": {"done": 0, "refused": 1, "answer": no},
        "twilio": {"done": 0, "refused": 4, "answer": no},
    }


async def test_without_a_network_it_waits_for_a_worker(store: EventStore, tmp_path: Path) -> None:
    """The command line asks nobody; a worker goes on."""
    whose = await filled(store)
    async with providers() as (url, asked):
        given = reaching(tmp_path, url)
        id = await requested(store, whose)
        with pytest.raises(Waits, match="a worker asks"):
            await Eraser(store, given).run(id)
        assert asked == []
        async with eraser(store, given) as erasing:
            assert (await finished(erasing, id))["state"] == "completed" and len(asked) == 5


_CHILD = """
import asyncio, os, signal, sys
from pathlib import Path
from uuid import UUID
from sql import EventStore
from tests.integration.test_erasure_propagated import eraser, reaching
from tests.support.keys import SEAL

dsn, id, when, folder, url = sys.argv[1:]
answered = EventStore.answered

async def killed(self, *arguments):
    if when == "after":
        await answered(self, *arguments)
    os.kill(os.getpid(), signal.SIGKILL)

async def planned(self, *arguments):
    await ask(self, *arguments)
    os.kill(os.getpid(), signal.SIGKILL)

ask = EventStore.ask
if when == "planned":
    EventStore.ask = planned
else:
    EventStore.answered = killed

async def main():
    async with await EventStore.open(dsn, SEAL, pool=2) as store, eraser(store, reaching(Path(folder), url)) as erasing:
        await erasing.run(UUID(id))

asyncio.run(main())
"""


@pytest.mark.parametrize(("when", "calls"), [("planned", 5), ("before", 10), ("after", 5)])
async def test_killed_while_it_asks(
    store: EventStore, postgres_dsn: Dsns, tmp_path: Path, when: str, calls: int
) -> None:
    """kill -9 once all is noted, before the answers are, and after: nothing is left out, and only what has no noted answer is asked
    twice."""
    whose = await filled(store)
    async with providers() as (url, asked):
        id = await requested(store, whose)
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _CHILD, postgres_dsn.service, str(id), when, str(tmp_path), url),
            stderr=asyncio.subprocess.PIPE,
        )
        _, err = await child.communicate()
        assert child.returncode == -signal.SIGKILL, err.decode()
        async with eraser(store, reaching(tmp_path, url)) as erasing:
            done = await finished(erasing, id)
    assert len({path for _, path, _ in asked}) == 5 and len(asked) == calls
    assert {each["done"] for each in told(done).values()} == {1, 4}
