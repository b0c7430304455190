"""`threadline doctor`: is everything reachable, configured and in step?"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.cli.doctor import clients, dead_letters, log, servers, sources
from app.cli.doctor import settings as settings_file
from app.cli.doctor.finding import Finding
from app.embedded.running import NotRunning, resolve
from app.settings import Settings

#: What needs a system that runs, then what does not.
RUNNING: tuple[Callable[[Settings], AsyncIterator[Finding]], ...] = (
    servers.postgres,
    servers.kafka,
    servers.programs,
    settings_file.in_use,
    dead_letters.dead_letters,
    log.horizon,
    clients.clients,
)
ALWAYS: tuple[Callable[[Settings], AsyncIterator[Finding]], ...] = (sources.sources, servers.machine)

MARKS = {"ok": ("✓", "green"), "look": ("!", "yellow"), "wrong": ("✗", "red")}


def doctor() -> int:
    """Check that everything is reachable, configured and up to date, and print what to do where it is not.

    Exit code 1 where something is wrong.
    """
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what it would say is a row of the table
    findings = asyncio.run(_examine(Settings()))
    Console().print(_table(findings))
    return 1 if any(finding.state == "wrong" for finding in findings) else 0


async def _examine(settings: Settings) -> list[Finding]:
    findings: list[Finding] = []
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


def _table(findings: list[Finding]) -> Table:
    table = Table("", "what", "found", "what to do")
    for finding in findings:
        mark, colour = MARKS[finding.state]
        table.add_row(Text(mark, colour), Text(finding.what), Text(finding.found), Text(finding.todo))
    return table
