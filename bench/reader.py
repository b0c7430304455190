"""A client of the read API with hardly any cost of its own, so that the API is measured."""

import asyncio
import statistics
from collections.abc import Sequence
from typing import Self
from uuid import UUID

import psycopg

from app.http.tokens import mint
from sql import EventStore
from tests.support.keys import SEAL


async def customers(dsn: str) -> list[UUID]:
    """Return the ids of the customers of all handles, in an order of their own."""
    async with await psycopg.AsyncConnection.connect(dsn) as db:
        found = await db.execute("SELECT customer_id FROM threadline.handles WHERE kind <> 'nobody' ORDER BY id")
        return [row[0] for row in await found.fetchall()]


class Reader:
    """One keep-alive connection to the API; no HTTP library, so that it measures the API and not itself."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: str) -> None:
        self.reader, self.writer, self.head = reader, writer, head

    @classmethod
    async def open(cls, port: int, token: str) -> Self:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        return cls(reader, writer, f"host: 127.0.0.1:{port}\r\nauthorization: Bearer {token}\r\n\r\n")

    async def get(self, path: str) -> tuple[int, bytes]:
        """Get a path; return status and body."""
        self.writer.write(f"GET {path} HTTP/1.1\r\n{self.head}".encode())
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        return int(head.split()[1]), await self.reader.readexactly(length)


async def key(dsn: str) -> str:
    """Create an API key that may read timelines, and ask for addresses that are not known yet as often as it likes; return it."""
    key_id, token, fingerprint = mint()
    async with await EventStore.open(dsn, SEAL, pool=1) as store:
        await store.create_api_key(key_id, "bench", "default", ["timeline:read", "personal:read"], fingerprint)
    return token


def at(share: float, times: Sequence[float]) -> float:
    """Return the quantile `share` (0 to 1) of times in seconds, in milliseconds."""
    return round(statistics.quantiles(times, n=1000, method="inclusive")[round(share * 1000) - 1] * 1000, 2)
