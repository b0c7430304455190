"""The check of `threadline doctor` on the settings file: whether the running processes have read it as it is."""

import time
from collections.abc import AsyncIterator

import httpx

from app.cli.doctor.finding import Finding
from app.embedded import addresses
from app.settings import Settings, settings_file


async def in_use(settings: Settings) -> AsyncIterator[Finding]:
    """Check that the file was not changed since the HTTP process and the worker read it, at their start. Where one does not
    answer, its own check reports it."""
    file = settings_file()
    try:
        changed = file.stat().st_mtime
    except OSError:
        return
    late = []
    async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
        for what, server in (("the door", settings.door), ("the worker", settings.worker)):
            try:
                health = (await client.get(addresses.url(server) + "/healthz")).json()
                if time.time() - float(health["uptime"]) < changed:
                    late.append(what)
            except (httpx.HTTPError, ValueError, KeyError, TypeError):
                continue
    if late:
        found = f"{file} was changed after {' and '.join(late)} started, and is not in use yet"
        yield Finding("Settings", "wrong", found, "restart threadline up (or serve and work)")
    else:
        yield Finding("Settings", "ok", f"{file} is in use")
