"""The alerts, by a real Prometheus and Alertmanager: while Kafka is away the alert fires, and it ends once Kafka is back."""

import asyncio
import json
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from aiohttp import web

from app.embedded import ports
from app.embedded.process import Child
from tests.support.stack import ROOT, Stack
from tests.support.waiting import eventually

PROMETHEUS = ROOT / "deploy" / "prometheus"


def program(*names: str) -> str:
    """Return the path of the first program of these names. Fails the test, saying what to do, where there is none."""
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        pytest.fail(
            f"{names[0]} is not installed (on Debian and Ubuntu: apt install prometheus prometheus-alertmanager)"
        )
    return found


def test_rules_by_promtool() -> None:
    """The rules' own tests, with series made up for them."""
    done = subprocess.run(
        [program("promtool"), "test", "rules", "rules_test.yml"],
        cwd=PROMETHEUS, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@asynccontextmanager
async def receiver() -> AsyncIterator[tuple[str, list[dict[str, Any]]]]:
    """A webhook for Alertmanager: its URL, and the alerts that were posted to it."""
    alerts: list[dict[str, Any]] = []

    async def post(request: web.Request) -> web.Response:
        alerts.extend((await request.json())["alerts"])
        return web.Response()

    application = web.Application()
    application.router.add_post("/", post)
    runner, port = web.AppRunner(application), ports.free()
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}/", alerts
    finally:
        await runner.cleanup()


@asynccontextmanager
async def watching(stack: Stack, folder: Path, webhook: str) -> AsyncIterator[str]:
    """Run Alertmanager, and Prometheus by prometheus.yml with this stack's addresses and shorter intervals. Yields
    Prometheus's URL."""
    prometheus, manager = ports.free(), ports.free()
    given = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text("utf-8"))
    given["global"] = {"scrape_interval": "2s", "evaluation_interval": "2s"}
    given["rule_files"] = [str(PROMETHEUS / "rules.yml")]
    given["alerting"]["alertmanagers"][0]["static_configs"] = [{"targets": [f"127.0.0.1:{manager}"]}]
    for job, port in zip(given["scrape_configs"], (stack.door, stack.worker), strict=True):
        job["static_configs"] = [{"targets": [f"127.0.0.1:{port}"]}]
    routes = {"receiver": "test", "group_wait": "1s", "group_interval": "1s"}
    configured = {"route": routes, "receivers": [{"name": "test", "webhook_configs": [{"url": webhook}]}]}
    (folder / "prometheus.yml").write_text(json.dumps(given))
    (folder / "alertmanager.yml").write_text(json.dumps(configured))
    children = [
        Child("alertmanager", [
            program("alertmanager", "prometheus-alertmanager"), f"--config.file={folder}/alertmanager.yml",
            f"--storage.path={folder}/alertmanager", f"--web.listen-address=127.0.0.1:{manager}", "--cluster.listen-address=",
        ], folder / "alertmanager.log"),
        Child("prometheus", [
            program("prometheus"), f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/prometheus",
            f"--web.listen-address=127.0.0.1:{prometheus}",
        ], folder / "prometheus.log"),
    ]  # fmt: skip
    for child in children:
        child.start()
    try:
        yield f"http://127.0.0.1:{prometheus}"
    finally:
        for child in children:
            await child.stop()


async def test_kafka_goes_and_returns(open_folder: Path) -> None:
    """Every metric of the rules is scraped; without Kafka the alert arrives at a webhook with what it says, and once Kafka is
    there again, its end."""
    async with Stack(open_folder / "stack") as stack, receiver() as (webhook, alerts), httpx.AsyncClient() as client:
        await asyncio.gather(stack.start("serve"), stack.start("work"))
        async with watching(stack, open_folder, webhook) as prometheus:

            async def known() -> set[str]:
                try:
                    answer = await client.get(f"{prometheus}/api/v1/metadata")
                except httpx.TransportError:
                    return set()
                return set(answer.json()["data"]) if answer.status_code == 200 else set()  # 503: it is starting

            wanted = set(re.findall(r"\bthreadline_\w+", (PROMETHEUS / "rules.yml").read_text("utf-8")))
            wanted = {name.removesuffix("_bucket") for name in wanted}
            await eventually(known, lambda names: wanted <= names | {f"{name}_total" for name in names}, within=60)

            async def notified() -> list[tuple[str, str]]:
                return [(one["labels"]["alertname"], one["status"]) for one in alerts]

            assert await notified() == []
            await stack.kafka.stop()
            await eventually(notified, lambda seen: ("ThreadlineKafkaUnreachable", "firing") in seen, within=120)
            await stack.kafka.start()
            await eventually(notified, lambda seen: ("ThreadlineKafkaUnreachable", "resolved") in seen, within=120)
            (first, *_) = [one for one in alerts if one["labels"]["alertname"] == "ThreadlineKafkaUnreachable"]
            assert first["labels"]["severity"] == "page" and "cannot reach Kafka" in first["annotations"]["summary"]
