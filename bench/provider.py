"""A provider to send to, in a process of its own: it accepts calls of Resend's API over TLS, as real providers do, answers at
once, and records arrivals.

`python -m bench.provider FOLDER` makes a certificate in the folder, prints its address, and serves until its standard input
ends. `GET /arrivals` returns each message's text and the time of its arrival (monotonic clock of the machine, in seconds);
`DELETE /arrivals` returns and removes them.
"""

import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import orjson
import uvloop

from adapters.simulating import Call, Refused, Reply
from app.simulator import api_of
from bench import alone
from tests.fixtures import accounts
from tests.support.certificate import certificate
from tests.support.plain_http import read_call, written

NAME = "resend"
#: The variable that names the file of trusted certificates (OpenSSL).
TRUSTED = "SSL_CERT_FILE"
SETTINGS: Mapping[str, str] = accounts(NAME).settings
#: The members of a request beside its address and text.
REQUEST: Mapping[str, Any] = {"channel": "email", "sender": "shop@example.com"}


class Provider:
    """The server. It numbers the messages in the order of their arrival."""

    def __init__(self) -> None:
        self.arrivals: list[tuple[str, float]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until it ends."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                writer.write(written(self._answer(await read_call(reader))))
        writer.close()

    def _answer(self, call: Call) -> Reply:
        if call.path == "/arrivals":
            found = orjson.dumps(self.arrivals)
            if call.method == "DELETE":
                self.arrivals = []
            return Reply(200, found)
        simulated = api_of(NAME)
        try:
            sent = simulated.accept(call, SETTINGS, f"{len(self.arrivals):032x}")
        except Refused as refused:
            refusal = simulated.refuse(refused.why)
            return refusal
        self.arrivals.append((sent[0].text or "", time.monotonic()))
        reply = simulated.reply(sent)
        return reply


async def main(folder: Path) -> None:
    """Serve until the end of standard input, with a certificate made in the folder."""
    _, context = certificate(folder)
    server = await asyncio.start_server(Provider().serve, "127.0.0.1", 0, backlog=1024, ssl=context)
    address = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    print(address, flush=True)  # read by the process that started this one
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


@asynccontextmanager
async def running() -> AsyncIterator[str]:
    """Run a provider within the context; yield its URL. This process, and those that it starts meanwhile, trust its
    certificate and no other."""
    folder = Path(tempfile.mkdtemp(prefix="threadline-bench-provider-"))
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.provider",
        str(folder),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert child.stdin is not None and child.stdout is not None
    trusted = os.environ.get(TRUSTED)
    try:
        url = (await child.stdout.readline()).decode().strip()
        os.environ[TRUSTED] = str(folder / "certificate.pem")
        yield url
    finally:
        if trusted is None:
            os.environ.pop(TRUSTED, None)
        else:
            os.environ[TRUSTED] = trusted
        shutil.rmtree(folder)
        child.stdin.close()
        await child.wait()


async def arrivals(url: str, *, forget: bool = True) -> list[tuple[str, float]]:
    """Return the messages that have arrived: text and time. `forget`: remove them."""
    async with httpx.AsyncClient(timeout=60) as client:
        answer = await client.request("DELETE" if forget else "GET", f"{url}/arrivals")
        return [(text, at) for text, at in answer.json()]


def post(number: int) -> dict[str, Any]:
    """Return the body of a call of its API."""
    return {
        "from": "shop@example.com",
        "to": [f"a{number % 1000}@example.com"],
        "subject": "Hello",
        "text": f"number {number}",
        "tags": [{"name": "messageId", "value": f"m{number}"}],
    }


if __name__ == "__main__":
    parser = alone.parser_of("provider", __doc__)
    parser.add_argument("folder", type=Path, help="where the certificate is made; it is there already")
    uvloop.run(main(parser.parse_args().folder))
