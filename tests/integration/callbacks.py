"""A callback's receiver over a real socket, and the store of a client that has it as its callback."""

import asyncio
import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import orjson
from pydantic import SecretStr

from agents.health import WorkerHealth
from agents.telling.deliver import Deliverer
from agents.telling.metrics import NotificationMetrics
from agents.transport import Transport
from app.clients.callbacks import ClientCallbacks
from app.clients.configured import Clients
from app.keys import seal_of
from app.settings import Secrets, Settings
from sql import EventStore
from tests.integration.scripted import tcp_server
from tests.support.keys import KEY
from tests.support.waiting import eventually
from webhooks.subscribers import shown

CLIENT = "shop"
LOOPBACK = (ip_network("127.0.0.0/8"),)


def verified(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """Whether one of the signatures is the secret's, by the words of the specification's section "Signature scheme"."""
    key = b64decode(secret.removeprefix("whsec_"))
    content = b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body])
    expected = b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return any(one == f"v1,{expected}" for one in headers["webhook-signature"].split(" "))


@dataclass
class Posted:
    """One request as it came."""

    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        """The body."""
        found: dict[str, Any] = orjson.loads(self.body)
        return found


@dataclass
class Receiver:
    """An HTTP/1.1 server that answers every POST with `answer`, and keeps what it was posted."""

    answer: str = "204 No Content"
    #: What is refused with 500, whatever the answer: bodies with this in them.
    refuses: bytes | None = None
    posted: list[Posted] = field(default_factory=list)
    port: int = 0
    came: asyncio.Event = field(default_factory=asyncio.Event)
    #: How many requests were under way at once, at the most.
    most: int = 0
    hold: asyncio.Event = field(default_factory=asyncio.Event)
    _under_way: int = 0

    def __post_init__(self) -> None:
        self.hold.set()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/events"

    async def until(self, count: int) -> list[Posted]:
        """What was posted, once it is so many."""
        async with asyncio.timeout(30):
            while len(self.posted) < count:
                self.came.clear()
                await self.came.wait()
        return self.posted

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode("latin-1"):
                lines = [line.partition(":") for line in head.split("\r\n")[1:] if line]
                headers = {name.strip().lower(): value.strip() for name, _, value in lines}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                self._under_way += 1
                self.most = max(self.most, self._under_way)
                self.posted.append(Posted(headers, body))
                self.came.set()
                await self.hold.wait()
                self._under_way -= 1
                refused = self.refuses is not None and self.refuses in body
                answer = "500 Internal Server Error" if refused else self.answer
                writer.write(f"HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n".encode())
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def receiving(receiver: Receiver) -> AsyncIterator[Receiver]:
    """The receiver, listening: on a port of its own, or again on the one it had."""
    async with tcp_server(receiver.serve, receiver.port) as (receiver.port, _):
        yield receiver


@dataclass
class Office:
    """The parts that notify clients, on one store."""

    store: EventStore
    settings: Settings
    callbacks: ClientCallbacks
    telling: NotificationMetrics
    health: WorkerHealth

    @classmethod
    def of(cls, store: EventStore, data: Path) -> "Office":
        """With a key of its own to seal with, and configurations that are read anew each time."""
        settings = Settings(data=data, secrets=Secrets(keys=[SecretStr(KEY)]))
        health = WorkerHealth()
        callbacks = ClientCallbacks(store, Clients(store, settings, ttl=0), seal_of(settings))
        return cls(store, settings, callbacks, NotificationMetrics(health), health)

    async def configure(self, url: str | None, types: Sequence[str] = (), client: str = CLIENT, **more: Any) -> None:
        """Make this URL the client's callback, or let it have none."""
        document: dict[str, Any] = {"channels": [{"channel": "sms", "account": "twilio"}]}
        if url is not None:
            document["callback"] = {"url": url, "types": list(types)} | more
        await self.store.set_client(client, document, "test")

    async def secret(self, client: str = CLIENT) -> str:
        """The newest of the client's secrets, as it is shown it."""
        return shown((await self.callbacks.secrets(client))[0][1])

    async def callback(self) -> dict[str, Any]:
        """The client's callback, as the store has it."""
        found = await self.store.callback(CLIENT)
        assert found is not None
        return found

    async def failed(self) -> list[dict[str, Any]]:
        """The latest deliveries, once one has failed."""

        async def look() -> list[dict[str, Any]]:
            rows = await self.store.deliveries(CLIENT, None, 10)
            return rows if any(row["last_error"] for row in rows) else []

        return await eventually(look)

    async def failing(self) -> bool:
        """True, once the callback is failing."""

        async def look() -> bool:
            return ((await self.store.callback(CLIENT)) or {}).get("failing_since") is not None

        return await eventually(look)

    async def disabled(self) -> dict[str, Any]:
        """The callback, once it is disabled."""

        async def look() -> dict[str, Any] | None:
            found = await self.store.callback(CLIENT)
            return found if found and found["disabled_at"] else None

        found = await eventually(look)
        assert found is not None
        return found

    @asynccontextmanager
    async def delivering(self, allowed: Any = LOOPBACK) -> AsyncIterator[Deliverer]:
        """A deliverer at work."""
        transport = Transport(timeout=5, allowed=allowed)
        deliverer = Deliverer(self.store, self.callbacks, transport, self.telling, timedelta(days=30))
        task = asyncio.create_task(deliverer.run())
        try:
            yield deliverer
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await transport.close()
