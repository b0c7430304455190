"""The dashboards: their files are what the generator makes, and each panel's query gives data of a running whole."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
from aiokafka import AIOKafkaProducer

from app.kafka import client_args
from app.simulator.server import Plan
from sql import EventStore
from tests.acceptance.test_alerts import receiver, watching
from tests.fixtures import accounts
from tests.integration.callbacks import Receiver, receiving
from tests.support import traffic
from tests.support.keys import KEY, SEAL
from tests.support.simulated import simulated
from tests.support.stack import ROOT, Stack
from tests.support.waiting import eventually

FOLDER = ROOT / "deploy" / "dashboards"


def test_the_files_are_what_the_generator_makes() -> None:
    """By the SDK, which is installed apart: the variable GRAFANA_SDK_PYTHON names its interpreter."""
    python = os.environ.get("GRAFANA_SDK_PYTHON", sys.executable)
    command = [python, "-B", str(FOLDER / "generate.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    how = "python -m venv sdk && sdk/bin/pip install 'grafana-foundation-sdk==1769699998!10.1.0', then GRAFANA_SDK_PYTHON=sdk/bin/python"
    assert "No module named" not in done.stderr, how
    assert done.returncode == 0, done.stderr


async def _traffic(stack: Stack, http: httpx.AsyncClient) -> None:
    """What each panel counts, once: webhooks kept, refused and unknown, a record that is none, messages."""
    form = {"AccountSid": "AC1", "From": "+18005550199", "To": "+15557000009"}
    url = f"{stack.url}/webhooks/aggregate/twilio"
    for number, status in enumerate(("sent", "delivered", "teleported")):
        post = traffic.twilio({**form, "MessageSid": f"SM{number:032x}", "MessageStatus": status}, url)
        await http.post(url, content=post.body, headers=post.headers)
    wrong = traffic.twilio({**form, "MessageSid": "SM1", "MessageStatus": "sent"}, "https://wrong.example.com/")
    await http.post(url, content=wrong.body, headers=wrong.headers)
    async with AIOKafkaProducer(**client_args(stack.settings.kafka)) as producer:
        await producer.send_and_wait("events.reported", b"no event")
    headers = {"authorization": f"Bearer {await stack.key('messages:write')}"}
    for number in range(10):
        document = {"channel": "sms", "to": f"+1555123{number:04}", "body": "Hello"}
        (await http.post(f"{stack.url}/v1/messages", json=document, headers=headers)).raise_for_status()


async def test_each_query_gives_data(open_folder: Path) -> None:
    """After traffic of each kind, Prometheus answers every panel's query with at least one value."""
    stack = Stack(open_folder / "stack", {})
    url = f"{stack.url}/webhooks/aggregate/twilio"
    secret = {
        "THREADLINE_SECRETS__KEYS": json.dumps([KEY]),
        "THREADLINE_CALLBACKS__HTTP_HOSTS": '["127.0.0.1"]',
        "THREADLINE_CALLBACKS__ALLOWED_NETWORKS": '["127.0.0.0/8"]',
    }
    account = {**accounts("twilio").settings, "auth_token": traffic.TWILIO_TOKEN}
    async with (
        simulated("twilio", Plan(to=url, public_url=url, failing=0.0, inbound=0.0, seed=1)) as api,
        receiving(Receiver()) as called,
        receiver() as (webhook, _),
        httpx.AsyncClient(timeout=20) as http,
    ):
        stack._given["sources"] = {"twilio": {**account, "api_url": api, "sender": "+15557654321", "url": url}}
        async with stack:
            async with await EventStore.open(stack.postgres.dsn("service"), SEAL, pool=1) as store:
                channels = [{"channel": "sms", "account": "twilio"}]
                await store.set_client("default", {"channels": channels, "callback": {"url": called.url}}, "test")
                await store.set_callback("default", called.url, (), 4)
            await asyncio.gather(stack.start("serve", **secret), stack.start("work", **secret))
            async with watching(stack, open_folder, webhook) as prometheus:
                await asyncio.sleep(6)  # a scrape or two, so that the counters have a value to rise from
                await _traffic(stack, http)
                empty = {"all": ""}

                async def ask() -> dict[str, str]:
                    empty.clear()
                    for file in sorted(FOLDER.glob("*.json")):
                        for panel in json.loads(file.read_text("utf-8"))["panels"]:
                            for target in panel["targets"]:
                                if not await _values(http, prometheus, target["expr"]):
                                    empty[f"{file.stem}: {panel['title']}"] = target["expr"]
                    return empty

                await eventually(ask, lambda found: not found, within=150)


async def _values(http: httpx.AsyncClient, prometheus: str, query: str) -> list[Any]:
    """Return the values of a query, without those that are no number (a rate of nothing, divided by nothing)."""
    asked = {"query": query.replace("$__rate_interval", "2m")}
    try:
        answer = await http.get(f"{prometheus}/api/v1/query", params=asked)
    except httpx.TransportError:
        return []
    if answer.status_code == 503:  # it is starting
        return []
    assert answer.status_code == 200, (query, answer.text)
    return [one for one in answer.json()["data"]["result"] if one["value"][1] != "NaN"]
