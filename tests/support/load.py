"""Load generator: replays pre-built HTTP/1.1 requests over keep-alive connections, and counts the responses.

`python -m tests.support.load --port 8080 --requests FILE --seconds 10 --connections 64` prints a `Result` as JSON.
`FILE` holds requests as on the wire, each after its length (4 bytes, big-endian): see `write`. It runs beside what it
measures on the same cores, so it does as little as it can: no HTTP library, one write and one read a request.
"""

import argparse
import asyncio
import contextlib
import json
import sys
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import uvloop


@dataclass(slots=True)
class Result:
    """`statuses` counts answers by status, `broken` connections lost with a request unanswered; `seconds` is from the
    first request to the last answer; latencies in milliseconds, of all answers."""

    answered: int
    seconds: float
    per_second: float
    p50: float
    p99: float
    worst: float
    broken: int
    statuses: dict[str, int] = field(default_factory=dict)


class Load:
    """The state that all connections share: the requests, the next one, and the counts."""

    def __init__(self, requests: list[bytes], *, seconds: float, once: bool, rate: float) -> None:
        self.requests = requests
        self.times: list[float] = []
        self.statuses: Counter[bytes] = Counter()
        self.broken = 0
        self.sent = 0
        self.open = 0
        self.done = asyncio.get_running_loop().create_future()
        #: The one that has waited longest sends next, so that none is idle until the other end closes it.
        self.waiting: deque[Connection] = deque()
        self.rate = rate
        self.began = self.last = perf_counter()
        self._until = self.began + seconds
        self._most = len(requests) if once else sys.maxsize

    def next(self) -> bytes | None:
        """Return the next request, or None at the end of the run."""
        if self.sent >= self._most or perf_counter() > self._until:
            return None
        request = self.requests[self.sent % len(self.requests)]
        self.sent += 1
        return request

    async def pace(self) -> None:
        """Let waiting connections send, `rate` times a second, however long responses take."""
        while not self.done.done():
            due = int((perf_counter() - self.began) * self.rate) - self.sent
            while due > 0 and self.waiting:
                self.waiting.popleft().send()
                due -= 1
            await asyncio.sleep(0.001)

    def closed(self) -> None:
        """Count a closed connection; the last one ends the run."""
        self.open -= 1
        if not self.open and not self.done.done():
            self.done.set_result(None)


class Connection(asyncio.Protocol):
    """One connection: sends a request, waits for its response, sends the next."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.began = 0.0
        self.partial = b""
        self.busy = False

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._go()

    def _go(self) -> None:
        if self.load.rate:
            self.load.waiting.append(self)
            if perf_counter() > self.load._until:
                self.transport.close()
        else:
            self.send()

    def send(self) -> None:
        request = self.load.next()
        if request is None:
            self.transport.close()
            return
        self.busy = True
        self.began = perf_counter()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        if self.partial:
            data = self.partial + data
        head = data.find(b"\r\n\r\n")
        if head < 0:
            self.partial = data
            return
        length = data.find(b"content-length: ", 0, head)
        size = int(data[length + 16 : data.index(b"\r", length)]) if length > 0 else 0
        if len(data) < head + 4 + size:
            self.partial = data
            return
        self.partial = b""
        self.busy = False
        load = self.load
        load.last = now = perf_counter()
        load.times.append(now - self.began)
        load.statuses[data[9:12]] += 1
        self._go()

    def connection_lost(self, error: Exception | None) -> None:
        if self.busy:
            self.load.broken += 1
        with contextlib.suppress(ValueError):
            self.load.waiting.remove(self)
        self.load.closed()


async def run(
    port: int, requests: list[bytes], *, seconds: float, connections: int, once: bool = False, rate: float = 0
) -> Result:
    """Put load on 127.0.0.1:`port` for `seconds`, or until each request was sent `once`; at `rate` a second, or as
    fast as it answers (0). A broken connection is not opened again."""
    load = Load(requests, seconds=seconds, once=once, rate=rate)
    loop = asyncio.get_running_loop()
    load.open = connections
    for _ in range(connections):
        await loop.create_connection(lambda: Connection(load), "127.0.0.1", port)
    pacing = asyncio.create_task(load.pace()) if rate else None
    await load.done
    if pacing is not None:
        await pacing
    took = load.last - load.began
    times = sorted(load.times) or [0.0]

    def milliseconds(share: float) -> float:
        return round(1000 * times[min(len(times) - 1, int(share * len(times)))], 3)

    return Result(
        answered=len(load.times),
        seconds=round(took, 3),
        per_second=round(len(load.times) / took, 1) if took > 0 else 0.0,
        p50=milliseconds(0.5),
        p99=milliseconds(0.99),
        worst=milliseconds(1),
        broken=load.broken,
        statuses={status.decode(): n for status, n in load.statuses.items()},
    )


def write(file: Path, requests: Iterable[bytes]) -> None:
    """Write requests to a file, for a generator process to read."""
    file.write_bytes(b"".join(len(request).to_bytes(4, "big") + request for request in requests))


def read(file: Path) -> list[bytes]:
    """Return the requests that `write` stored."""
    data, at, requests = file.read_bytes(), 0, []
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        requests.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    return requests


async def start(
    port: int, file: Path, *, seconds: float, connections: int, once: bool = False, rate: float = 0
) -> Result:
    """Do as `run` does, in a process of its own. Raises RuntimeError if that fails."""
    arguments = [f"--port={port}", f"--requests={file}", f"--seconds={seconds}", f"--connections={connections}"]
    arguments += [f"--rate={rate}", *(["--once"] if once else [])]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.load", *arguments, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"the load generator ended with {process.returncode}")
    return Result(**json.loads(out))


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="tests.support.load")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--requests", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--rate", type=float, default=0)
    parser.add_argument("--once", action="store_true")
    given = parser.parse_args()
    result = uvloop.run(
        run(
            given.port,
            read(given.requests),
            seconds=given.seconds,
            connections=given.connections,
            once=given.once,
            rate=given.rate,
        )
    )
    print(json.dumps(asdict(result)))


if __name__ == "__main__":
    main()
