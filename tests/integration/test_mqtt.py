"""From a broker of MQTT to a door: nothing is acknowledged before it is kept, and nothing that was acknowledged is lost.

Once with a real broker, and once with one that follows a script, to see each acknowledgement and end connections at will.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from adapters import contract, interpret, mqtt
from app.embedded.ports import free
from tests.integration import mqtt_broker
from tests.integration.mqtt_broker import packet
from tests.integration.scripted import tcp_server
from tests.support.waiting import until
from webhooks.mqtt.subscriber import Subscriber
from webhooks.mqtt.subscription import VERSIONS, subscription_of

# amqtt's own, of what it uses.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")

SECRET = "a-secret-of-the-tests"


@dataclass
class Door:
    """An HTTP server in the place of the door. `answer` gives the status to each publication, by its message's id."""

    port: int
    answer: Callable[[str], int] = lambda id: 202
    came: list[tuple[str, str]] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Listen, until left: at once and with no answer to who waits, as a killed process would."""
        app = Starlette(routes=[Route("/webhooks/aggregate/{source}", self._take, methods=["POST"])])
        server = uvicorn.Server(
            uvicorn.Config(
                app, host="127.0.0.1", port=self.port, log_config=None, lifespan="off", timeout_graceful_shutdown=0
            )
        )
        serving = asyncio.create_task(server.serve())
        await until(lambda: server.started)
        try:
            yield
        finally:
            server.should_exit = server.force_exit = True
            await serving

    async def _take(self, request: Request) -> Response:
        now = datetime.now(UTC)
        reported = contract.Request("POST", str(request.url), dict(request.headers), await request.body(), now, "mqtt")
        assert mqtt.recognise(reported) and mqtt.verify(reported, {"url_secret": (SECRET,)}) is True
        (event,) = interpret(reported, "mqtt").events
        assert event.handle is not None and event.handle.value == "mqtt:truck-7"
        id = str(event.provider_message_id).removeprefix("truck-7:")
        self.came.append((id, reported.headers["x-mqtt-id"]))
        status = self.answer(id)
        if status == 202:
            self.kept.append(id)
        return Response(status_code=status)


@asynccontextmanager
async def subscribed(port: int, door: Door, protocol: str = "3.1.1") -> AsyncIterator[None]:
    """A subscriber that runs, until left: stopped, as by SIGTERM."""
    values = {
        "broker": (f"mqtt://127.0.0.1:{port}",),
        "subscribe": ("devices/+/up",),
        "protocol": (protocol,),
        "username": ("threadline",),
        "password": ("x",),
        "url_secret": (SECRET,),
    }
    stop = asyncio.Event()
    running = asyncio.create_task(
        Subscriber(subscription_of("mqtt", values, f"http://127.0.0.1:{door.port}")).run(stop)
    )
    try:
        yield
    finally:
        stop.set()
        await running


def payload(id: str) -> bytes:
    return json.dumps({"messageId": id, "text": "Grüße"}).encode()


@asynccontextmanager
async def device(port: int) -> AsyncIterator[Callable[[str], None]]:
    """A device that publishes under an id, at QoS 1."""
    async with mqtt_broker.device(port) as client:
        yield lambda id: None if client.publish("devices/truck-7/up", payload(id), qos=1).rc == 0 else pytest.fail(id)


async def test_what_is_published_arrives_though_the_door_is_away_for_a_while() -> None:
    """A real broker. The door is killed midway and comes back; then the subscriber is away, and comes back."""
    door = Door(free())
    async with mqtt_broker.running() as (broker, port):
        async with device(port) as publish:
            async with subscribed(port, door):
                async with door.open():
                    await until(lambda: broker._subscriptions)
                    for number in range(10):
                        publish(f"first-{number}")
                    await until(lambda: len(door.kept) == 10)
                for number in range(20):
                    publish(f"away-{number}")
                await asyncio.sleep(0.5)
                assert len(door.kept) == 10
                async with door.open():
                    await until(lambda: len(door.kept) == 30)
            for number in range(10):
                publish(f"later-{number}")
            await asyncio.sleep(0.3)
            async with subscribed(port, door), door.open():
                await until(lambda: len(door.kept) == 40)
        assert len(set(door.kept)) == 40


class Scripted:
    """As much of a broker as one subscriber meets: it sends what the test says, and notes what is acknowledged, and
    over which connection."""

    def __init__(self, protocol: str) -> None:
        self._none = b"\0" if protocol == "5" else b""  # no properties
        self.acknowledged: list[tuple[int, int]] = []
        self.connections = 0
        self.port = 0
        self._ready = asyncio.Event()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        async with tcp_server(self._serve) as (self.port, self._writers):
            yield

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        mine = self.connections
        try:
            while True:
                kind, body = await packet(reader)
                if kind == 1:
                    assert not body[7] & 2, "a session that the broker keeps is wanted"
                    assert body[6] == (5 if self._none else 4)
                    writer.write(bytes([0x20, 2 + len(self._none), int(mine > 1), 0]) + self._none)
                elif kind == 8:
                    assert body[-1] & 3 == 1, "QoS 1 is wanted"
                    writer.write(bytes([0x90, 3 + len(self._none), *body[:2], *self._none, 1]))
                    self._ready.set()
                elif kind == 4:
                    self.acknowledged.append((mine, int.from_bytes(body[:2], "big")))
                elif kind == 12:
                    writer.write(bytes([0xD0, 0]))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass

    async def send(self, mid: int, *, again: bool = False) -> None:
        await self._ready.wait()
        topic = b"devices/truck-7/up"
        body = len(topic).to_bytes(2, "big") + topic + mid.to_bytes(2, "big") + self._none + payload(f"m-{mid}")
        assert len(body) < 128
        self._writers[-1].write(bytes([0x3A if again else 0x32, len(body)]) + body)

    def end(self) -> None:
        """The connection, without a word."""
        self._ready.clear()
        self._writers[-1].transport.abort()


each_protocol = pytest.mark.parametrize("protocol", VERSIONS)


@each_protocol
async def test_it_is_acknowledged_once_the_door_has_it_and_in_order(protocol: str) -> None:
    """The first is refused for a while; the others, which are kept at once, wait for it. What can never be kept does not
    hold up the rest."""
    broker, refusing = Scripted(protocol), True
    door = Door(free(), lambda id: 413 if id == "m-4" else 503 if id == "m-1" and refusing else 202)
    async with door.open(), broker.open(), subscribed(broker.port, door, protocol):
        for mid in (1, 2, 3, 4, 5):
            await broker.send(mid)
        await until(lambda: set(door.kept) == {"m-2", "m-3", "m-5"} and len(door.came) > 5)
        assert broker.acknowledged == []
        refusing = False
        await until(lambda: len(broker.acknowledged) == 5)
        assert broker.acknowledged == [(1, mid) for mid in (1, 2, 3, 4, 5)]
        assert len(door.kept) == 4


@each_protocol
async def test_what_the_broker_gives_again_is_the_same_fact_and_acknowledged_where_it_came(protocol: str) -> None:
    """The connection ends between the post and its acknowledgement: that is made over the next one alone, once the door
    has it, under the id that it had. A number that means another message by then is another fact."""
    broker, refusing = Scripted(protocol), True
    door = Door(free(), lambda id: 503 if refusing else 202)
    async with door.open(), broker.open(), subscribed(broker.port, door, protocol):
        await broker.send(7)
        await until(lambda: len(door.came) >= 2)
        broker.end()
        await until(lambda: broker.connections == 2)
        refusing = False
        await asyncio.sleep(0.5)
        assert broker.acknowledged == []
        await broker.send(7, again=True)
        await until(lambda: broker.acknowledged == [(2, 7)])
        assert len(set(door.came)) == 1
        await broker.send(7)
        await until(lambda: broker.acknowledged == [(2, 7), (2, 7)])
        assert len(set(door.came)) == 2
