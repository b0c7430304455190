"""Pages and webhooks share a process: those who ask for many pages do not hold up a webhook."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from app.embedded import ports
from tests.integration.test_door_http import BODY, Serving

#: Connections that ask for pages, as many ahead as they may, and the seconds in which most webhooks are answered meanwhile.
CONNECTIONS, AHEAD, WITHIN = 200, 16, 0.6


class Asking(asyncio.Protocol):
    """Asks for a page again and again, without waiting for the answers."""

    def __init__(self, path: str) -> None:
        self._request = f"GET {path} HTTP/1.1\r\nhost: a\r\n\r\n".encode()
        self.answers = 0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.write(self._request * AHEAD)

    def data_received(self, data: bytes) -> None:
        answers = data.count(b"HTTP/1.1 200")
        self.answers += answers
        self._transport.write(self._request * answers)


@pytest.mark.parametrize("path", ["/openapi.json", "/docs/scalar.js"])
async def test_pages_do_not_hold_up_webhooks(path: str, tmp_path: Path) -> None:
    """Without turns each of them waited for seconds."""
    process = Serving(tmp_path, f"127.0.0.1:{ports.free()}")
    await process.start()
    loop = asyncio.get_running_loop()
    made = [await loop.create_connection(lambda: Asking(path), "127.0.0.1", process.port) for _ in range(CONNECTIONS)]
    try:
        took = []
        for number in range(5):
            began = time.monotonic()
            assert await process.post(BODY + f"&Number={number}".encode()) == 200
            took.append(time.monotonic() - began)
        assert sorted(took)[2] < WITHIN, took
        assert sum(asking.answers for _, asking in made) > 0
    finally:
        for transport, _ in made:
            transport.abort()
        await process.child.stop()
