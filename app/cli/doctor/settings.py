"""What `threadline doctor` looks at in the file of settings: whether what runs has read it as it is now."""

import time
from collections.abc import AsyncIterator

import httpx

from app.cli.doctor.finding import Finding
from app.embedded import addresses
from app.settings import Settings, settings_file


async def in_use(settings: Settings) -> AsyncIterator[Finding]:
    """The file was not changed since the door and the worker started: they read it then, and not again. What does not
    answer is another check's to say."""
    file = settings_file()
    try:
        changed = file.stat().st_mtime
    except OSError:
        return
    late = []
    async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
        for what, server in (("the door", settings.door), ("the worker", settings.worker)):
            try:
                said = (await client.get(addresses.url(server) + "/healthz")).json()
                if time.time() - float(said["uptime"]) < changed:
                    late.append(what)
            except (httpx.HTTPError, ValueError, KeyError, TypeError):
                continue
    if late:
        found = f"{file} was changed after {' and '.join(late)} started, which do not know of it yet"
        yield Finding(
            "Settings", "wrong", found, "start them again: stop threadline up (or serve and work), and start it"
        )
    else:
        yield Finding("Settings", "ok", f"{file} is in use as it is")
