"""`threadline demo` on a machine where nothing runs: it starts everything, posts its webhooks, prints the timelines,
and leaves nothing running."""

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from app.embedded import ports


@pytest.fixture
def data(servers_folder: Path) -> Iterator[Path]:
    """A data folder that nothing was started in."""
    folder = Path(tempfile.mkdtemp(dir=servers_folder))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


async def test_demo_tells_a_customers_day(data: Path) -> None:
    """Every request is accepted, all of it is seen through the API, both of Ana's timelines are printed as tables that fit 80 columns, and
    no process is left."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("THREADLINE_")} | {
        "THREADLINE_DATA": str(data),
        "THREADLINE_DOOR__PORT": str(ports.free()),
        "THREADLINE_WORKER__PORT": str(ports.free()),
        "COLUMNS": "80",
    }
    pipe, both = asyncio.subprocess.PIPE, asyncio.subprocess.STDOUT
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app", "demo", stdout=pipe, stderr=both, env=environment
    )
    async with asyncio.timeout(150):
        output = (await process.communicate())[0].decode()
    assert process.returncode == 0, output
    assert not [line for line in output.splitlines() if len(line) > 80 and str(data) not in line], output
    words = " ".join(output.split())
    for part in (
        "All of it is in the timelines",
        "+15551234567",
        "Gate code is 4711#",
        "30003 Unreachable",
        "It came like this.",
        "ana@example.com",
        "Your order 4711",
        "clicked",
        "recording",
    ):
        assert part in words, output
    left = [one.pid for one in psutil.process_iter(["cmdline"]) if str(data) in " ".join(one.info["cmdline"] or ())]
    assert left == []
