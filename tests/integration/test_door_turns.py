"""Pages and webhooks share a process: those who ask for many pages, or post much that nobody signed, do not hold up a webhook."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from app.embedded import ports
from tests.integration.test_door_http import BODY, PATH, Serving

#: Connections that ask, as many requests ahead as they may.
CONNECTIONS, AHEAD = 200, 16
#: Answers that all of them may get while most webhooks wait. It is no time, which the machine decides. Without turns each connection got
#: ten.
MEANWHILE = 6 * CONNECTIONS


class Asking(asyncio.Protocol):
    """Makes a request again and again, without waiting for the answers."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self.answers = 0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.write(self._request * AHEAD)

    def data_received(self, data: bytes) -> None:
        answers = data.count(b"HTTP/1.1 ")
        self.answers += answers
        self._transport.write(self._request * answers)


def post(path: str, body: bytes) -> bytes:
    """A webhook that nobody signed."""
    fields = f"host: a\r\nx-twilio-signature: none\r\ncontent-length: {len(body)}"
    return (
        f"POST {path} HTTP/1.1\r\n{fields}\r\ncontent-type: application/x-www-form-urlencoded\r\n\r\n".encode() + body
    )


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /openapi.json HTTP/1.1\r\nhost: a\r\n\r\n",
        post(PATH, BODY),
        post(f"{PATH}/twilio", BODY),
        post(PATH, b"&".join(b"a%d=%%41%%42" % number for number in range(990))),
    ],
    ids=["a page", "a form", "a form at a source", "a large form"],
)
async def test_many_requests_do_not_hold_up_webhooks(request_: bytes, tmp_path: Path) -> None:
    """Each waits for a few of their answers, not for all that they ask for."""
    process = Serving(tmp_path, f"127.0.0.1:{ports.free()}")
    await process.start()
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(lambda: Asking(request_), "127.0.0.1", process.port) for _ in range(CONNECTIONS)
    ]

    def given() -> int:
        """Return the number of answers so far."""
        return sum(asking.answers for _, asking in made)

    try:
        meanwhile = []
        for number in range(5):
            before = given()
            assert await process.post(BODY + f"&Number={number}".encode()) == 200
            meanwhile.append(given() - before)
        assert sorted(meanwhile)[2] < MEANWHILE, meanwhile
        assert given() > 0
    finally:
        for transport, _ in made:
            transport.abort()
        await process.child.stop()
