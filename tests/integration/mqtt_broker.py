"""A real broker of MQTT with a device at it, and the packets of its protocol for brokers that follow a script."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from amqtt.broker import Broker
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from app.embedded.ports import free


@asynccontextmanager
async def running() -> AsyncIterator[tuple[Broker, int]]:
    """A broker on a free port, which lets in whoever names an account."""
    port = free()
    listener = {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}}
    plugins = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": False}}
    broker = Broker({"listeners": listener, "plugins": plugins})
    await broker.start()
    try:
        yield broker, port
    finally:
        await broker.shutdown()


@asynccontextmanager
async def device(port: int) -> AsyncIterator[Client]:
    """A device that is connected, until left."""
    client = Client(CallbackAPIVersion.VERSION2, "truck-7", protocol=MQTTProtocolVersion.MQTTv311)
    client.username_pw_set("truck-7", "x")
    await asyncio.to_thread(client.connect, "127.0.0.1", port)
    client.loop_start()
    try:
        yield client
    finally:
        client.disconnect()
        await asyncio.to_thread(client.loop_stop)


async def packet(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """The next packet: its type, and what is behind its length."""
    kind = (await reader.readexactly(1))[0] >> 4
    length = shift = 0
    while True:
        byte = (await reader.readexactly(1))[0]
        length, shift = length | (byte & 127) << shift, shift + 7
        if byte < 128:
            return kind, await reader.readexactly(length)
