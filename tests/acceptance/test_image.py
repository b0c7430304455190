"""The image runs every part with a read-only root, without capabilities, as nobody, in little memory, and loses nothing when
a door is replaced and a worker is killed under load."""

import asyncio
import json
from collections import Counter
from pathlib import Path

import httpx

from tests.acceptance.containers import IMAGE, LOCKED, ContainerStack, podman, require_image
from tests.faults.faults import Outcome, settle, verify
from tests.faults.providers import Signed
from tests.support import traffic

POSTS, RATE = 1500, 50  # webhooks, and how many of them a second


async def test_replaced_and_killed_under_load(open_folder: Path) -> None:
    """While webhooks come in, another door takes over from the first, which is stopped, and the worker is killed and started
    again: no request is refused or left without an answer, and every webhook is in the log, once."""
    require_image()
    posts = list(traffic.posts(POSTS, seed=14, email=True))
    answers: Counter[str] = Counter()
    async with ContainerStack(open_folder / "stack", api={"metrics": "open"}) as stack:
        stack.run("migrate")
        assert "webhooks.received" in stack.run("topics")
        old = await stack.start("serve")
        await stack.start("work")
        doors = [stack.url]

        async def replace_and_kill() -> None:
            await asyncio.sleep(POSTS / RATE / 4)
            stack.move()
            await stack.start("serve")
            doors.append(stack.url)
            await old.stop()
            stack.kill("work")
            assert await stack.children["work"].wait(20)
            await stack.start("work")

        async with httpx.AsyncClient(trust_env=False, verify=False, timeout=20) as client, asyncio.TaskGroup() as tasks:
            tasks.create_task(replace_and_kill())
            for post in posts:
                tasks.create_task(_send(client, doors, post, answers))
                await asyncio.sleep(1 / RATE)
        assert old.exit_code == 0
        assert answers == {"200": POSTS}
        await settle(stack)
        outcome = Outcome()
        await verify(stack, [Signed(post) for post in posts], set(range(POSTS)), outcome)
        assert outcome.good, outcome


async def _send(client: httpx.AsyncClient, doors: list[str], post: traffic.Post, answers: Counter[str]) -> None:
    """Post to the newest door, and where nobody listens there, and so nothing was sent, to the one before, as a proxy does."""
    for door in reversed(doors):
        try:
            answer = await client.post(f"{door}/webhooks/aggregate", content=post.body, headers=post.headers)
        except httpx.ConnectError:
            continue
        answers[str(answer.status_code)] += 1
        return
    answers["nobody listens"] += 1


def test_image_says_what_it_is() -> None:
    """It runs as nobody, in the folder of its data, and has its licence, version and health check."""
    require_image()
    (image,) = json.loads(podman("image", "inspect", IMAGE))
    config = image["Config"]
    assert (config["User"], config["WorkingDir"], list(config["Volumes"])) == ("10001:10001", "/data", ["/data"])
    assert config["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0"
    version = config["Labels"]["org.opencontainers.image.version"]
    assert podman("run", *LOCKED, IMAGE, "--version").split() == ["threadline", version]
    assert image["Healthcheck"]["Test"] == ["CMD", "python", "/opt/threadline/healthcheck.py", "8080"]
