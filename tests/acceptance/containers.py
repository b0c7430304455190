"""Runs Threadline's processes in containers, locked down as a platform's policies would have them.

PostgreSQL and Kafka run beside them on the host, and the containers use the host's network. The image `IMAGE` has to be
there: `make image`.
"""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Mapping
from itertools import count
from typing import Any

import pytest

from tests.support.stack import Stack

IMAGE = "localhost/threadline"
#: runc, since crun refuses a host whose control groups are mounted in both versions. Limits are named, since an engine that
#: may not raise its own cannot start a container with the default ones.
LOCKED = (
    "--runtime=runc --rm --network=host --no-healthcheck --read-only --cap-drop=all --security-opt=no-new-privileges"
    " --memory=768m --ulimit=nofile=20000:20000 --ulimit=nproc=20000:20000"
).split()


def podman(*arguments: str, environment: Mapping[str, str] | None = None) -> str:
    """Run podman, with these variables too, and return its output. Fails the test if podman does, or takes two minutes."""
    done = subprocess.run(
        ["podman", *arguments], capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, **(environment or {})},
    )  # fmt: skip
    if done.returncode:
        pytest.fail(f"podman {' '.join(arguments)}: exit {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def require_image() -> None:
    """Fail the test, saying what to do, where there is no podman or no image."""
    if shutil.which("podman") is None:
        pytest.fail("podman is not installed (on Debian and Ubuntu: apt install podman buildah runc)")
    if subprocess.run(["podman", "image", "exists", IMAGE], check=False).returncode:
        pytest.fail(f"there is no image {IMAGE}: make image")


def _passed_on(environment: Mapping[str, str]) -> list[str]:
    """Return podman's options that pass our variables on by name, but for the data folder, which is the image's own."""
    return [f"--env={key}" for key in environment if key.startswith("THREADLINE_") and key != "THREADLINE_DATA"]


class ContainerStack(Stack):
    """A stack whose door and worker are containers. podman passes SIGTERM on to them."""

    _numbers = count()

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        #: The containers' names by the part that each runs, the last one started.
        self.containers: dict[str, str] = {}

    def program(self, name: str, environment: Mapping[str, str]) -> list[str]:
        """Return podman's command line. It names the variables, so that no secret stands in the list of processes."""
        container = self.containers[name] = f"threadline-{os.getpid()}-{next(self._numbers)}"
        data = self.folder / container
        data.mkdir()
        names = [f"--name={container}", f"--volume={data}:/data:U"]
        return ["podman", "run", *LOCKED, *_passed_on(environment), *names, IMAGE, name]

    def run(self, *command: str) -> str:
        """Run one command of the image to its end and return its output."""
        given = self.environment
        return podman("run", *LOCKED, *_passed_on(given), IMAGE, *command, environment=given)

    def kill(self, name: str) -> None:
        """End a container with SIGKILL."""
        podman("kill", "--signal=KILL", self.containers[name])

    async def __aexit__(self, *_: object) -> None:
        await super().__aexit__()
        if self.containers:
            await asyncio.to_thread(podman, "rm", "--force", "--ignore", *self.containers.values())
