"""A rolling upgrade under load, as docs/upgrade.md says: migrate, replace the door, replace the worker."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from app.embedded import ports
from tests.acceptance.loading import Load, loaded_sources, note
from tests.support.stack import ROOT, Stack

#: What is upgraded from while no release has a tag: a state of the tree after migration 0032, which cannot be reached from before it
#: (docs/upgrade.md), whose migrations are those of today, and more have followed.
BEFORE = "9cdcaae1"
#: Configures a client: the database's DSN, the client, its providers.
PREPARE = """
import asyncio, sys
from types import SimpleNamespace
from tests.faults.outbound import prepare
print(asyncio.run(prepare(SimpleNamespace(dsn=lambda role: sys.argv[1]), sys.argv[2], tuple(sys.argv[3:]))))
"""


def git(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run git in this checkout."""
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, timeout=60, check=False)


def older() -> str:
    """Return the newest tag before this commit, else BEFORE. Fails the test, saying what to do, where history lacks it."""
    described = git("describe", "--tags", "--abbrev=0", "HEAD^")
    revision = described.stdout.decode().strip() if described.returncode == 0 else BEFORE
    if git("cat-file", "-e", f"{revision}^{{commit}}").returncode:
        pytest.fail(f"this checkout has no commit {revision} to upgrade from: git fetch --unshallow --tags")
    return revision


def extract(revision: str, folder: Path) -> None:
    """Write the files of a revision into a new folder."""
    folder.mkdir()
    packed = git("archive", revision)
    assert packed.returncode == 0, packed.stderr
    subprocess.run(["tar", "--extract", "--directory", folder], input=packed.stdout, timeout=60, check=True)


class Upgraded(Stack):
    """A stack whose schema an older tree makes. `listening` is the port of the door to which webhooks go."""

    old: Path
    listening: int

    @property
    def url(self) -> str:
        """The URL of the door that takes webhooks now."""
        return f"http://127.0.0.1:{self.listening}"

    async def migrate(self) -> None:
        """Make the schema of the older tree."""
        environment = {**os.environ, **self.environment, "PYTHONPATH": str(self.old)}
        command = [sys.executable, "-m", "app", "migrate"]
        done = await asyncio.to_thread(
            subprocess.run, command, cwd=self.old, env=environment, capture_output=True, text=True, timeout=120,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr

    async def prepare(self, client: str, providers: Sequence[str]) -> str:
        """Configure the client by the older tree, whose tables they are; return an API key."""
        command = [sys.executable, "-c", PREPARE, self.dsn("service"), client, *providers]
        done = await asyncio.to_thread(
            subprocess.run, command, cwd=self.old, env={**os.environ, "PYTHONPATH": str(self.old)}, capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()


async def test_rolling_upgrade_under_load(open_folder: Path) -> None:
    """An older door and worker work on with the newer schema, then are replaced by this revision's, under load: no request is
    refused, and nothing is lost, doubled or sent twice."""
    revision = older()
    async with loaded_sources(seed=35, sends=200) as (moody, sources):
        stack = Upgraded(open_folder / "stack", sources, api={"metrics": "open"})
        stack.old, stack.listening = open_folder / "old", stack.door
        extract(revision, stack.old)
        async with stack:
            from_old = {"PYTHONPATH": str(stack.old)}
            door, worker = await asyncio.gather(stack.start("serve", **from_old), stack.start("work", **from_old))
            async with Load(stack, moody, sends=200, seed=35, email=False, prepare=stack.prepare) as load:
                await asyncio.sleep(8)
                older_schema = await stack.rows("SELECT count(*) FROM threadline.migrations")
                await Stack.migrate(stack)
                newer_schema = await stack.rows("SELECT count(*) FROM threadline.migrations")
                await asyncio.sleep(10)  # the older ones work on the newer schema
                stack.door = ports.free()
                await stack.start("serve")
                stack.listening = stack.door
                await asyncio.sleep(2)
                await door.stop()
                await worker.stop()
                await stack.start("work")
                await asyncio.sleep(10)
                figures = await load.end()
        # uvicorn ends itself by the signal that it got, once its requests are finished.
        assert (door.exit_code, worker.exit_code) == (-signal.SIGTERM, 0)
        assert older_schema < newer_schema or revision != BEFORE  # a release may follow another without a migration
        assert load.provider.refused == 0
    note("upgrade", figures | {"from": revision})
