"""Publications to a real broker, and to one that follows a script: each outcome is compared with what the broker
has."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client, MQTTMessage

from adapters.contract import Publish, Response, Values
from agents.transport import AddressRefused, NoAnswer, Transport
from app.embedded.ports import free
from tests.integration.mqtt_broker import device, packet, running
from tests.integration.scripted import tcp_server
from tests.support.certificate import certificate
from webhooks.mqtt.subscription import VERSIONS

# amqtt's own, of what it uses.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")

DOWN = Publish("devices/truck-7/down", b"turn left", properties={"messageId": "m-1"})
each_protocol = pytest.mark.parametrize("protocol", VERSIONS)


@asynccontextmanager
async def transport(seconds: float = 10.0, connect: float = 5.0) -> AsyncIterator[Transport]:
    """One that is closed after, and leaves no thread of paho's."""
    made = Transport(timeout=seconds, connect_timeout=connect)
    try:
        yield made
    finally:
        await made.close()
        assert not [each for each in threading.enumerate() if each.name.startswith("paho-mqtt-client-threadline-")]


def values(port: int, protocol: str = "5", **more: str) -> Values:
    given = {"broker": f"mqtt://localhost:{port}", "protocol": protocol, "username": "threadline", "password": "secret"}
    return {name: (value,) for name, value in (given | more).items()}


async def published(own: Transport, given: Values, publish: Publish = DOWN) -> Response:
    return await own.carry(publish, given, trusted=True)


async def failed(own: Transport, given: Values) -> NoAnswer:
    with pytest.raises(NoAnswer) as failure:
        await own.carry(DOWN, given, trusted=True)
    return failure.value


async def test_what_is_published_reaches_who_subscribes() -> None:
    """By a real broker, over one connection; each publication is acknowledged."""
    came, loop, subscribed = asyncio.Queue[bytes](), asyncio.get_running_loop(), asyncio.Event()
    async with running() as (broker, port), device(port) as truck:

        def on_message(client: Client, data: Any, message: MQTTMessage) -> None:
            loop.call_soon_threadsafe(came.put_nowait, bytes(message.payload))

        def on_subscribe(*_: Any) -> None:
            loop.call_soon_threadsafe(subscribed.set)

        truck.on_message, truck.on_subscribe = on_message, on_subscribe
        truck.subscribe("devices/truck-7/down", 1)
        await asyncio.wait_for(subscribed.wait(), 10)
        async with transport() as own:
            calls = [Publish(DOWN.topic, b"%d" % number) for number in range(50)]
            answers = await asyncio.gather(*(published(own, values(port, "3.1.1"), each) for each in calls))
            assert {answer.status for answer in answers} == {0}
            got = [await asyncio.wait_for(came.get(), 10) for _ in calls]
            assert sorted(got) == sorted(each.payload for each in calls)
            assert len([each for each in broker.sessions if each.startswith("threadline-")]) == 1


class Scripted:
    """As much of a broker as a publisher meets. `codes`: of CONNACK, then of each PUBACK; None ends the connection there,
    and what is beyond the last is met with silence."""

    def __init__(self, protocol: str, *codes: int | None) -> None:
        self._five, self._codes = protocol == "5", list(codes)
        self.published: list[bytes] = []
        self.connections = 0
        self.port = 0

    @asynccontextmanager
    async def open(self, tls: Any = None) -> AsyncIterator["Scripted"]:
        """Listen, until left."""
        async with tcp_server(self._serve, tls=tls) as (self.port, self._writers):
            yield self

    def end(self) -> None:
        """The connection, without a word."""
        self._writers[-1].transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                kind, body = await packet(reader)
                if kind == 3:
                    self.published.append(body)
                if kind not in (1, 3) or not self._codes:
                    continue
                if (code := self._codes.pop(0)) is None:
                    return
                if kind == 1:
                    writer.write(bytes([0x20, 3, 0, code, 0] if self._five else [0x20, 2, 0, code]))
                else:
                    mid = body[2 + len(DOWN.topic) : 4 + len(DOWN.topic)]
                    writer.write(bytes([0x40, 3, *mid, code] if self._five else [0x40, 2, *mid]))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.transport.abort()


@each_protocol
async def test_the_acknowledgement_is_the_answer(protocol: str) -> None:
    """Its reason code, 0 where the protocol has none; the payload and what goes with it are there."""
    async with Scripted(protocol, 0, 0, 0x10).open() as broker, transport() as own:
        assert (await published(own, values(broker.port, protocol))).status == 0
        assert (await published(own, values(broker.port, protocol))).status == (0x10 if protocol == "5" else 0)
        assert (broker.connections, len(broker.published)) == (1, 2)
        assert broker.published[0].endswith(b"turn left")
        assert (b"messageId" in broker.published[0]) is (protocol == "5")


async def test_a_refusal_is_an_answer() -> None:
    """Of the publication, and of us: then nothing was published."""
    async with Scripted("5", 0, 0x97).open() as broker, transport() as own:
        assert (await published(own, values(broker.port))).status == 0x97
    async with Scripted("5", 0x87).open() as broker, transport() as own:
        assert (await published(own, values(broker.port))).status == 0x87
        assert broker.published == []


@each_protocol
@pytest.mark.parametrize("codes", [(None,), ()])
async def test_before_the_welcome_nothing_arrived(protocol: str, codes: tuple[None, ...]) -> None:
    """The broker ends the connection, or is silent."""
    async with Scripted(protocol, *codes).open() as broker, transport(5, 0.5) as own:
        assert not (await failed(own, values(broker.port, protocol))).may_have_arrived
        assert broker.published == []


@each_protocol
@pytest.mark.parametrize("codes", [(0, None), (0,)])
async def test_without_the_acknowledgement_it_may_have_arrived(protocol: str, codes: tuple[int | None, ...]) -> None:
    """The broker has it once, and ends the connection or is silent. It is not sent again by itself, not over the next
    connection either, which is well."""
    async with Scripted(protocol, *codes).open() as broker, transport(0.7) as own:
        assert (await failed(own, values(broker.port, protocol))).may_have_arrived
        assert len(broker.published) == 1
        broker._codes = [0, 0]
        assert (await published(own, values(broker.port, protocol))).status == 0
        assert (broker.connections, len(broker.published)) == (2, 2)


async def test_a_connection_that_ended_while_idle_is_replaced() -> None:
    """The next publication opens another, and arrives once."""
    async with Scripted("5", 0, 0, 0, 0).open() as broker, transport() as own:
        assert (await published(own, values(broker.port))).status == 0
        broker.end()
        await asyncio.sleep(0.3)
        assert (await published(own, values(broker.port))).status == 0
        assert (broker.connections, len(broker.published)) == (2, 2)


async def test_tls_is_spoken_with_who_is_trusted(tmp_path: Path) -> None:
    """By the authority that the settings name, which only the operator may; nothing is sent to another."""
    file, context = certificate(tmp_path)
    async with Scripted("5", 0, 0).open(context) as broker, transport() as own:
        secure = values(broker.port, broker=f"mqtts://localhost:{broker.port}")
        assert not (await failed(own, secure)).may_have_arrived
        named = {**secure, "ca_file": (str(file),)}
        assert (await published(own, named)).status == 0
        with pytest.raises(NoAnswer, match="only the operator"):
            await own.carry(DOWN, named, trusted=False)
        assert len(broker.published) == 1


async def test_a_private_broker_is_refused_to_who_is_not_trusted() -> None:
    """And settings that cannot be meant, and topics that none can publish to, to all."""
    async with Scripted("5", 0).open() as broker, transport() as own:
        with pytest.raises(AddressRefused):
            await own.carry(DOWN, values(broker.port), trusted=False)
        assert (await failed(own, values(broker.port, broker="http://localhost"))).kind == "setting"
        assert broker.connections == 0
        with pytest.raises(NoAnswer) as failure:
            await published(own, values(broker.port), Publish("devices/+/down", b"x"))
        assert (failure.value.may_have_arrived, failure.value.kind, broker.published) == (False, "request", [])


async def test_where_nothing_listens_nothing_arrived() -> None:
    """A refused connection; each who waits gets that error."""
    async with transport() as own:
        given = values(free())
        failures = await asyncio.gather(*(published(own, given) for _ in range(5)), return_exceptions=True)
        assert all(isinstance(each, NoAnswer) and not each.may_have_arrived for each in failures)
