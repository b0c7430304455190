"""`threadline doctor`: check that everything is reachable, configured and up to date."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator

from rich.console import Console
from rich.text import Text

from app.cli.doctor import anchors, blobs, clients, dead_letters, exposure, keys, log, servers, sources, standby
from app.cli.doctor import settings as settings_file
from app.cli.doctor.finding import Finding
from app.cli.support.connecting import attempts
from app.cli.support.json_output import AsJson, print_json
from app.cli.support.kafka import quiet
from app.cli.support.terminal import entry
from app.embedded.running import NotRunning, resolve
from app.settings import Settings
from app.settings.loading import load

#: The checks of a system that runs, then those that need none.
RUNNING: tuple[Callable[[Settings], AsyncIterator[Finding]], ...] = (
    settings_file.in_use,
    servers.postgres,
    servers.kafka,
    servers.programs,
    dead_letters.dead_letters,
    log.horizon,
    standby.standby,
    clients.clients,
)
ALWAYS: tuple[Callable[[Settings], AsyncIterator[Finding]], ...] = (
    sources.sources,
    exposure.exposure,
    servers.machine,
    blobs.bucket,
    anchors.bucket,
)

MARKS = {"ok": ("✓", "green"), "note": ("i", "blue"), "look": ("!", "yellow"), "wrong": ("✗", "red")}


def doctor(as_json: AsJson = False) -> int:
    """Check that everything is reachable, configured and up to date, and print what to do where it is not.

    Exit code 1 where something is wrong.
    """
    quiet()
    with attempts():  # the check of PostgreSQL prints what it would log
        findings = asyncio.run(_examine(load()))
    if as_json:
        print_json(findings)
    else:
        console = Console(soft_wrap=True)
        for line in _lines(findings):
            console.print(line)
    return 1 if any(finding.state == "wrong" for finding in findings) else 0


async def _examine(settings: Settings) -> list[Finding]:
    """Run the checks, and return their findings in order."""
    settings, findings = keys.examined(settings)
    try:
        settings = resolve(settings)
        examinations = RUNNING + ALWAYS
    except NotRunning:
        found = f"nothing runs from {settings.data.absolute()}, and nothing outside is configured"
        findings.append(Finding("Threadline", "wrong", found, "threadline up"))
        examinations = ALWAYS
    for examine in examinations:
        findings += [finding async for finding in examine(settings)]
    return findings


def _lines(findings: list[Finding]) -> Iterator[Text]:
    """Return a line for each finding that is well, then an entry with what to do for each other, and the count of these."""
    notes = [finding for finding in findings if finding.state == "note"]
    problems = [finding for finding in findings if finding.state in ("look", "wrong")]
    for finding in findings:
        if finding.state == "ok":
            mark, colour = MARKS[finding.state]
            yield Text.assemble((mark, colour), " ", entry(f"{finding.what}: {finding.found}"))
    # Settings that are not in use yet explain other findings, so that they come first.
    for finding in sorted(notes + problems, key=lambda one: one.what != "Settings"):
        mark, colour = MARKS[finding.state]
        todo = f"to do: {finding.todo}" if finding.todo else ""
        yield Text.assemble((mark, colour), " ", entry(finding.what, finding.found, todo))
    wrong = sum(1 for finding in problems if finding.state == "wrong")
    noted = f", {len(notes)} noted" if notes else ""
    found = f"{wrong} wrong, {len(problems) - wrong} to look at" if problems else "All is well"
    yield Text(f"{found}{noted}.", "bold")
