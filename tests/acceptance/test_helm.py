"""The chart on a real Kubernetes of two nodes: nothing is refused and nothing lost while it is upgraded, rolled back, drained,
evicted and killed under load, and what was acknowledged while Kafka was away outlives its pod."""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.acceptance.kubernetes.cluster import Cluster
from tests.acceptance.kubernetes.release import CHART, NAMESPACE, Release
from tests.acceptance.kubernetes.servers import Beside
from tests.faults.faults import Outcome, settle, verify
from tests.faults.providers import Signed
from tests.support import traffic

RATE = 50  # webhooks a second
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
        for post in self._posts:
            self.sent.append(post)
            tasks.create_task(self._post(post))
            await asyncio.sleep(1 / RATE)

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


async def check(stack: Beside, release: Release, load: Load) -> None:
    """Compare what was acknowledged with the log and the timelines, once every door's spool is empty and all is read."""
    for pod in release.pods("door"):
        stack.at = f"http://{pod['status']['podIP']}:8080"
        await settle(stack)
    outcome = Outcome()
    await verify(stack, [Signed(post) for post in load.sent], set(range(len(load.sent))), outcome)
    assert outcome.good, outcome


async def test_changes_under_load(installed: tuple[Cluster, Beside, Release]) -> None:
    """Under load the release is upgraded with a changed setting and rolled back, a node is drained, two evictions of doors at once
    are one too many, and a worker runs out of memory: each webhook is answered 200 and is in the log, once."""
    cluster, stack, release = installed
    load = Load(release.service(), traffic.posts(60_000, seed=14, email=True))

    async def step(what: str, *work: Callable[[], object]) -> None:
        for each in work:
            await asyncio.to_thread(each)
        await cluster.wait(lambda: release.ready("door") and release.ready("worker"), what)
        print(f"{what}: {len(load.sent)} posted, {dict(load.answers)}")

    before = {pod["metadata"]["uid"] for component in ("door", "worker") for pod in release.pods(component)}
    async with load.running():
        await step("installed")
        changed = release.values('telemetry.log_level = "warning"')
        await step("upgraded", lambda: release.helm("upgrade", CHART, f"--values={changed}"))
        after = {pod["metadata"]["uid"] for component in ("door", "worker") for pod in release.pods(component)}
        assert not before & after
        await step("rolled back", lambda: release.helm("rollback", "1"))
        refused = await asyncio.to_thread(
            release.helm, "upgrade", CHART, f"--values={release.values('door.prot = 1')}", check=False
        )
        assert "topics" in refused and "FAILED" in cluster.helm("list", f"--namespace={NAMESPACE}", "--all").upper()
        assert release.ready("door") and release.ready("worker")
        name = cluster.nodes[1].name
        drain = ("drain", name, "--delete-emptydir-data", "--timeout=180s")
        await step("drained", lambda: cluster.kubectl(*drain))
        assert {pod["spec"]["nodeName"] for pod in release.pods("door")} == {cluster.nodes[0].name}
        cluster.kubectl("uncordon", name)
        first, second = (pod["metadata"]["name"] for pod in release.pods("door"))
        assert "disruption budget" not in evict(release, first)
        assert "disruption budget" in evict(release, second)
        await step("evicted")
        worker = release.pods("worker")[0]["metadata"]["name"]
        await asyncio.to_thread(release.kubectl, "exec", worker, "--", "python", "-c", CROWD, check=False)

        def killed() -> bool:
            (pod,) = (pod for pod in release.pods("worker") if pod["metadata"]["name"] == worker)
            (container,) = pod["status"]["containerStatuses"]
            return "OOMKilled" in str(container["lastState"])

        await cluster.wait(killed, "out of memory")
        await step("out of memory, and back")
    assert load.answers == {"200": len(load.sent)}
    await check(stack, release, load)


def evict(release: Release, pod: str) -> str:
    """Ask for a pod's eviction, as a drain does, and return what Kubernetes answers."""
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": NAMESPACE}}
    path = f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}/eviction"
    return release.ask("create", f"--raw={path}", "--filename=-", given=json.dumps(eviction))


async def test_spool_outlives_its_pod(installed: tuple[Cluster, Beside, Release]) -> None:
    """While Kafka is away webhooks are acknowledged and spooled, and each door's pod is deleted: the next pod takes the spool over,
    and once Kafka is back each webhook is in the log, once."""
    cluster, stack, release = installed
    load = Load(release.service(), traffic.posts(60_000, seed=15, email=True))
    await stack.kafka.stop()
    async with load.running():
        await asyncio.sleep(10)
        spooled = {}
        async with httpx.AsyncClient(trust_env=False, verify=False) as client:
            for pod in release.pods("door"):
                page = (await client.get(f"http://{pod['status']['podIP']}:8080/readyz")).json()
                spooled[pod["metadata"]["name"]] = page["spool"]["records"]
        for pod in spooled:
            await asyncio.to_thread(release.kubectl, "delete", "pod", pod, "--wait")
            await cluster.wait(lambda: release.ready("door"), "a door without Kafka")
        await stack.kafka.start()
        await cluster.wait(lambda: release.ready("worker"), "a worker with Kafka")
    assert len(spooled) == 2 and all(spooled.values())
    assert load.answers == {"200": len(load.sent)}
    await check(stack, release, load)
