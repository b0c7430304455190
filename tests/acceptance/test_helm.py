"""The chart on a real Kubernetes of two nodes: nothing is refused and nothing lost while it is upgraded, rolled back, drained,
evicted and killed under load, and what was acknowledged while Kafka was away outlives its pod."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.kubernetes.cluster import Cluster
from tests.acceptance.kubernetes.release import CHART, RELEASE, Release
from tests.acceptance.kubernetes.servers import Beside
from tests.faults.faults import Outcome, settle, verify
from tests.faults.providers import Signed
from tests.support import traffic

RATE = 50  # webhooks a second
MOST = 60_000  # webhooks; the steps end before
#: More processes than a worker's memory has room for. Each is smaller than the worker, which the kernel therefore ends.
CROWD = """
import os, time
for _ in range(40):
    if os.fork() == 0:
        held = bytearray(24 << 20)
        time.sleep(30)
        os._exit(0)
    time.sleep(0.05)
time.sleep(30)
"""


class Load:
    """Posts webhooks at a steady rate while it is open, each on a connection of its own, as callers from outside do."""

    def __init__(self, url: str, posts: Iterator[traffic.Post]) -> None:
        self.sent: list[traffic.Post] = []
        self.answers: Counter[str] = Counter()
        self._url = url
        self._posts = posts

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Post until the context ends, and wait for the last answers."""
        async with asyncio.TaskGroup() as tasks:
            posting = tasks.create_task(self._run(tasks))
            try:
                yield
            finally:
                posting.cancel()

    async def _run(self, tasks: asyncio.TaskGroup) -> None:
        began = time.monotonic()
        for number, post in enumerate(self._posts):
            await asyncio.sleep(began + number / RATE - time.monotonic())
            self.sent.append(post)
            tasks.create_task(self._post(post))

    async def _post(self, post: traffic.Post) -> None:
        try:
            async with httpx.AsyncClient(trust_env=False, verify=False, timeout=20) as client:
                answer = await client.post(f"{self._url}/webhooks/aggregate", content=post.body, headers=post.headers)
            self.answers[str(answer.status_code)] += 1
        except httpx.TransportError as error:
            self.answers[type(error).__name__] += 1


@pytest.fixture
async def installed(open_folder: Path) -> AsyncIterator[tuple[Cluster, Beside, Release]]:
    """A cluster with the chart installed, its pods ready."""
    async with Cluster(open_folder / "k") as cluster, Beside(open_folder / "s", api={"metrics": "open"}) as stack:
        release = Release(cluster, stack)
        release.prepare()
        await asyncio.to_thread(release.helm, "install", CHART, f"--values={release.values()}")
        yield cluster, stack, release


class Steps:
    """What is done to the release under load, one after the other. kubectl and helm run in threads, so that the load goes on."""

    def __init__(self, cluster: Cluster, release: Release, load: Load) -> None:
        self._cluster = cluster
        self._release = release
        self._load = load

    async def settled(self, what: str) -> None:
        """Wait until both components have two ready pods and no other, and print the count of answers."""
        await self._cluster.wait(lambda: self._release.ready("door") and self._release.ready("worker"), what)
        print(f"{what}: {len(self._load.sent)} posted, {dict(self._load.answers)}")

    async def helm(self, command: str, *arguments: str | Path, check: bool = True) -> str:
        """Run a command of helm on the release, and return its output."""
        return await asyncio.to_thread(self._release.helm, command, *arguments, check=check)

    async def pods(self, *components: str) -> list[dict[str, Any]]:
        """Return the components' pods."""
        return [pod for name in components for pod in await asyncio.to_thread(self._release.pods, name)]

    async def upgrade(self) -> None:
        """Change a setting: every pod is replaced. Then roll back."""
        before = {pod["metadata"]["uid"] for pod in await self.pods("door", "worker")}
        changed = self._release.values('telemetry.log_level = "warning"')
        await self.helm("upgrade", CHART, f"--values={changed}")
        await self.settled("upgraded")
        assert not before & {pod["metadata"]["uid"] for pod in await self.pods("door", "worker")}
        await self.helm("rollback", "1")
        await self.settled("rolled back")

    async def mistake(self) -> None:
        """Upgrade with a setting that does not exist: the hook `topics` refuses it, and no pod is replaced."""
        before = {pod["metadata"]["uid"] for pod in await self.pods("door", "worker")}
        wrong = self._release.values("door.prot = 1")
        assert "Job" in await self.helm("upgrade", CHART, f"--values={wrong}", check=False)
        log = await asyncio.to_thread(self._release.kubectl, "logs", f"job/{RELEASE}-topics")
        assert "door.prot" in log and "port" in log
        assert before == {pod["metadata"]["uid"] for pod in await self.pods("door", "worker")}
        await self.settled("refused a wrong setting")

    async def drain(self) -> None:
        """Drain a node: its pods go to the other."""
        kept, drained = (node.name for node in self._cluster.nodes)
        line = ("drain", drained, "--delete-emptydir-data", "--timeout=180s")
        await asyncio.to_thread(self._cluster.kubectl, *line)
        await self.settled("drained")
        assert {pod["spec"]["nodeName"] for pod in await self.pods("door", "worker")} == {kept}
        await asyncio.to_thread(self._cluster.kubectl, "uncordon", drained)

    async def evict(self) -> None:
        """Evict both pods of a component at once: the disruption budget allows one."""
        for component in ("door", "worker"):
            first, second = [pod["metadata"]["name"] for pod in await self.pods(component)]
            assert "disruption budget" not in await asyncio.to_thread(self._release.evict, first)
            assert "disruption budget" in await asyncio.to_thread(self._release.evict, second)
            await self.settled(f"evicted a {component}")

    async def exhaust(self) -> None:
        """Fill a worker's memory: the kernel kills it, and it is started again."""
        worker = (await self.pods("worker"))[0]["metadata"]["name"]
        line = ("exec", worker, "--", "python", "-c", CROWD)
        await asyncio.to_thread(self._release.kubectl, *line, check=False)

        def killed() -> bool:
            (pod,) = (pod for pod in self._release.pods("worker") if pod["metadata"]["name"] == worker)
            (container,) = pod["status"]["containerStatuses"]
            return "OOMKilled" in str(container["lastState"])

        await self._cluster.wait(killed, "out of memory")
        await self.settled("out of memory, and back")


async def check(stack: Beside, release: Release, load: Load) -> None:
    """Compare what was acknowledged with the log and the timelines, once every door's spool is empty and all is read."""
    for pod in release.pods("door"):
        stack.at = f"http://{pod['status']['podIP']}:8080"
        await settle(stack)
    outcome = Outcome()
    await verify(stack, [Signed(post) for post in load.sent], set(range(len(load.sent))), outcome)
    print(f"{len(load.sent)} posted, {outcome}")
    assert outcome.good, outcome


async def test_changes_under_load(installed: tuple[Cluster, Beside, Release]) -> None:
    """Under load the release is upgraded and rolled back, an upgrade with a wrong setting is refused, a node is drained, pods are
    evicted, and a worker runs out of memory: each webhook is answered 200 and is in the log, once."""
    cluster, stack, release = installed
    load = Load(release.service(), traffic.posts(MOST, seed=14, email=True))
    steps = Steps(cluster, release, load)
    async with load.running():
        await steps.settled("installed")
        for step in (steps.upgrade, steps.mistake, steps.drain, steps.evict, steps.exhaust):
            await step()
    assert load.answers == {"200": len(load.sent)}
    await check(stack, release, load)


async def test_spool_outlives_its_pod(installed: tuple[Cluster, Beside, Release]) -> None:
    """While Kafka is away webhooks are acknowledged and spooled, and each door's pod is deleted: the next pod takes the spool over,
    and once Kafka is back each webhook is in the log, once."""
    cluster, stack, release = installed
    load = Load(release.service(), traffic.posts(MOST, seed=15, email=True))
    await stack.kafka.stop()
    spooled = {}
    async with load.running():
        await asyncio.sleep(10)
        async with httpx.AsyncClient(trust_env=False, verify=False) as client:
            for pod in await asyncio.to_thread(release.pods, "door"):
                page = (await client.get(f"http://{pod['status']['podIP']}:8080/readyz")).json()
                spooled[pod["metadata"]["name"]] = page["spool"]["records"]
        for name in spooled:
            await asyncio.to_thread(release.kubectl, "delete", "pod", name, "--wait")
            await cluster.wait(lambda: release.ready("door"), "a door without Kafka")
        print(f"spooled {spooled}, pods replaced: {len(load.sent)} posted, {dict(load.answers)}")
        await stack.kafka.start()
        await cluster.wait(lambda: release.ready("worker"), "a worker with Kafka")
    assert len(spooled) == 2 and all(spooled.values())
    assert load.answers == {"200": len(load.sent)}
    await check(stack, release, load)
