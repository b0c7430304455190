"""Measures the door: acknowledged webhooks/s (recognised, signature verified, in Kafka) of one process, beside a bare
Starlette route that reads the body and answers 202, under the same server and the same load; with a broker that syncs
each batch to disk before it acknowledges, and with one that does not.

The two take turns, and each figure is the median of the turns, since a single turn is noisy on a shared machine.
"""

import asyncio
import statistics
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.embedded import ports
from app.embedded.process import Child
from bench import alone
from bench.progress import say
from tests.support import load, traffic
from tests.support.stack import ROOT, Stack

CONNECTIONS = 128
PATH = "/webhooks/aggregate"


@dataclass(slots=True)
class Turn:
    """Responses/s of the bare route and of the door, measured one after the other."""

    bare: float
    door: load.Result

    @property
    def ratio(self) -> float:
        """The door's rate as a fraction of the bare route's."""
        return self.door.per_second / self.bare


async def bare(request: Request) -> Response:
    """Answer 202: the limit, since all that the door does beyond this is its own cost."""
    await request.body()
    return Response(status_code=202)


def serve_bare(port: int) -> None:
    """Serve the bare route by uvicorn with the door's arguments (`app.http.server`)."""
    app = Starlette(routes=[Route(PATH, bare, methods=["POST"])])
    uvicorn.run(
        app, port=port, loop="uvloop", http="httptools", ws="none", log_config=None, access_log=False, lifespan="off",
        proxy_headers=False, server_header=False, date_header=False, backlog=4096,
    )  # fmt: skip


async def answers(port: int) -> None:
    """Wait until something listens on the port. Raises TimeoutError."""
    for _ in range(600):
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(0.05)
    raise TimeoutError(f"nothing listens on port {port}")


async def take_turns(stack: Stack, turns: int, seconds: float) -> list[Turn]:
    """Load the bare route and the door in turn. Raises RuntimeError if any response was not 2xx."""
    file = stack.folder / "requests.bin"
    load.write(file, traffic.callbacks(5000, f"127.0.0.1:{stack.door}"))
    port = ports.free()
    limit = Child("bare", [sys.executable, "-m", "bench.door", str(port)], stack.folder / "bare.log", folder=ROOT)
    limit.start()
    await asyncio.gather(stack.start("serve"), answers(port))
    taken = []
    try:
        # The first turn does not count: connections, caches and the broker's compiler warm up.
        for turn in range(turns + 1):
            of_bare = await load.start(port, file, seconds=seconds, connections=CONNECTIONS)
            of_door = await load.start(stack.door, file, seconds=seconds, connections=CONNECTIONS)
            if set(of_bare.statuses) != {"202"} or set(of_door.statuses) != {"200"} or of_door.broken:
                raise RuntimeError(f"not all were acknowledged: {of_bare.statuses}, {of_door.statuses}")
            if turn:
                taken.append(Turn(of_bare.per_second, of_door))
    finally:
        await limit.stop()
    return taken


async def measure(folder: Path, turns: int = 5, seconds: float = 3) -> dict[str, Any]:
    """Return `{"plain": {"rate", "limit", "ratio", "least", "most", "p50", "p99"}, "synced": {…}}`: webhooks/s, and milliseconds of the
    door."""
    found: dict[str, Any] = {}
    for name, synced in (("plain", False), ("synced", True)):
        say(f"the door and a bare route in turn, the broker {'syncing' if synced else 'not syncing'}")
        async with Stack(folder / name, kafka={"flush_every_message": synced}) as stack:
            taken = await take_turns(stack, turns, seconds)
        found[name] = {
            "rate": statistics.median(turn.door.per_second for turn in taken),
            "limit": statistics.median(turn.bare for turn in taken),
            "ratio": round(statistics.median(turn.ratio for turn in taken), 3),
            "least": round(min(turn.ratio for turn in taken), 3),
            "most": round(max(turn.ratio for turn in taken), 3),
            "p50": statistics.median(turn.door.p50 for turn in taken),
            "p99": statistics.median(turn.door.p99 for turn in taken),
        }
    return found


if __name__ == "__main__":
    parser = alone.parser_of("door", __doc__)
    words = "serve the bare route at this port of 127.0.0.1; if left out: measure, and print the figures as JSON"
    parser.add_argument("port", type=int, nargs="?", help=words)
    if (given := parser.parse_args()).port is not None:
        serve_bare(given.port)
    else:
        import json
        import tempfile

        with tempfile.TemporaryDirectory(prefix="threadline-bench-") as folder:
            Path(folder).chmod(0o711)
            print(json.dumps(uvloop.run(measure(Path(folder))), indent=2))
