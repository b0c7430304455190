"""A process whose settings file changes while it runs, and what it says of it."""

import hmac
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson

from app.embedded import ports
from app.embedded.process import Child
from tests.support.keys import VARIABLE
from tests.support.waiting import eventually

#: A webhook of WhatsApp's, about nothing.
BODY = orjson.dumps({"object": "whatsapp_business_account", "entry": []})


def section(name: str, secret: str | list[str], **more: Any) -> str:
    """A source of WhatsApp's as a section of the settings file."""
    values = {"adapter": "whatsapp_cloud", "app_secret": secret, **more}
    return f"[sources.{name}]\n" + "".join(f"{key} = {orjson.dumps(value).decode()}\n" for key, value in values.items())


@dataclass
class Process:
    """`threadline serve` or `threadline work`, with a settings file of its own. Ended with the test."""

    name: str
    folder: Path
    environment: dict[str, str]
    port: int = field(default_factory=ports.free)

    def __post_init__(self) -> None:
        self.file = self.folder / f"{self.name}.toml"
        self.http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", trust_env=False, timeout=30)
        given = {
            "THREADLINE_DATA": str(self.folder / "data"),
            "THREADLINE_CONFIG": str(self.file),
            f"THREADLINE_{'DOOR' if self.name == 'serve' else 'WORKER'}__PORT": str(self.port),
            "PYTHONUNBUFFERED": "1",
            **VARIABLE,
            **self.environment,
        }
        program = [sys.executable, "-m", *{"serve": ("app", "serve"), "work": ("agents",)}[self.name]]
        log = self.folder / f"{self.name}.log"
        self.child = Child(self.name, program, log, given, without="THREADLINE_", folder=Path.cwd())

    def write(self, *sections: str) -> None:
        """Put these sections into the file, in one step as an editor does."""
        new = self.file.with_suffix(".new")
        new.write_text("\n".join(sections))
        new.replace(self.file)

    async def start(self) -> None:
        """Start it, and wait until it answers."""
        self.child.start()

        async def answers() -> bool:
            assert self.child.alive, self.child.log.read_text()
            try:
                return (await self.http.get("/readyz")).status_code == 200
            except httpx.TransportError:
                return False

        await eventually(answers, within=90)

    async def published(self) -> dict[str, Any]:
        """What it says of its settings."""
        published: dict[str, Any] = (await self.http.get("/healthz")).json()["settings"]
        return published

    async def metric(self, name: str) -> float:
        """The value of a metric without labels."""
        page = (await self.http.get("/metrics")).text
        found = re.search(rf"^threadline_settings_{name} (\S+)$", page, re.MULTILINE)
        assert found, page
        return float(found[1])

    async def reach(self, reloads: int) -> None:
        """Wait until it has taken over changed settings so often."""
        await eventually(lambda: self.metric("reloads_total"), lambda found: found == reloads)

    async def post(self, source: str, secret: str, body: bytes = BODY) -> int:
        """Post a webhook that is signed by this secret; the status of the answer."""
        signature = f"sha256={hmac.new(secret.encode(), body, 'sha256').hexdigest()}"
        headers = {"content-type": "application/json", "x-hub-signature-256": signature}
        return (await self.http.post(f"/webhooks/aggregate/{source}", content=body, headers=headers)).status_code

    def hang_up(self) -> None:
        """Send it SIGHUP."""
        os.kill(self.child.pid, signal.SIGHUP)

    def logged(self, event: str) -> list[dict[str, Any]]:
        """The lines of its log with this event."""
        lines = [line for line in self.child.log.read_text().splitlines() if line.startswith("{")]
        return [found for line in lines if (found := orjson.loads(line)).get("event") == event]


@asynccontextmanager
async def running(process: Process) -> AsyncIterator[Process]:
    """The process, started, and ended at the end of the block."""
    try:
        await process.start()
        yield process
    finally:
        await process.http.aclose()
        await process.child.stop(within=30)
