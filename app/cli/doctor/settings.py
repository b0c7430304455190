"""The check of `threadline doctor` on the settings: whether the running processes work with those that the file has now."""

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx

from app.cli.doctor.finding import Finding
from app.embedded import addresses
from app.settings import Settings, settings_file
from app.settings.digest import digest
from app.settings.reloading import EVERY
from app.settings.stamp import stamp_of

#: Seconds after which a process should have read a changed file.
LATE = 5 * EVERY
READ = "send it SIGHUP (under threadline up: that process), or restart it"


async def in_use(settings: Settings) -> AsyncIterator[Finding]:
    """Compare the settings in force in the HTTP process and the worker with the files and with those of this command. Where a
    process does not answer, its own check reports it."""
    file = settings_file()
    compared, found = 0, []
    for who, server in (("the HTTP process", settings.door), ("the worker", settings.worker)):
        async with httpx.AsyncClient(trust_env=False, timeout=5, verify=addresses.trust(server)) as client:
            try:
                published = (await client.get(addresses.url(server) + "/healthz")).json()["settings"]
                found += compare(who, published, settings, time.time())
                compared += 1
            except (httpx.HTTPError, ValueError, KeyError, TypeError):
                continue
    for each in found:
        yield each
    if compared and not found:
        yield Finding(
            "Settings", "ok", f"those of {file} are in force" if file.is_file() else "no file, none is needed"
        )


def compare(who: str, published: dict[str, Any], settings: Settings, now: float) -> list[Finding]:
    """Return what is to be said of one process. `published`: what it publishes (`Reloading.state`); `now`: Unix seconds."""
    file, read_at = settings_file(), published["readAt"]
    changed = file.stat().st_mtime if file.is_file() else 0.0
    when = f"; {file} was changed at {_time(changed)}" if changed else f"; {file} is not there"
    runs = f"{who} runs with the settings read at {read_at}"
    if published["refused"]:
        todo = "threadline settings check prints the fault; mend it, and the file is read again"
        return [Finding("Settings", "wrong", f"{runs}{when}, and refused since it has a fault", todo)]
    found = []
    if published["files"] != stamp_of(settings).text and changed > datetime.fromisoformat(read_at).timestamp():
        late = now - changed > LATE
        found.append(Finding("Settings", "wrong" if late else "look", f"{runs}{when}", READ))
    elif published["digest"] != digest(settings):
        why = "it reads another file, or the variables of its environment are not those of this command"
        todo = "threadline settings show, in the environment of the process"
        found.append(
            Finding("Settings", "look", f"{who} runs with other settings than this command finds: {why}", todo)
        )
    if names := published["needRestart"]:
        needs = f"{', '.join(f'`{name}`' for name in names)} {'needs' if len(names) == 1 else 'need'} a restart"
        found.append(Finding("Settings", "wrong", f"{runs}{when}, and {needs}", f"restart {who}"))
    return found


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
