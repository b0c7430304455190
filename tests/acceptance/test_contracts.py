"""The contracts in tests/contracts are those that their consumers' code makes, and a running system keeps them."""

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from aiohttp import web
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from pact import Verifier

from app.embedded import ports
from app.kafka import client_args
from tests.contracts import FOLDER
from tests.contracts.consumers import CLOUDEVENT, CONTRACTS, HANDLE
from tests.support import traffic
from tests.support.stack import Stack
from tests.support.waiting import eventually

SENDING = {"account_sid": "AC" + "0" * 32, "sender": "+15550001111", "api_url": "http://127.0.0.1:9"}
#: What a shop, the provider of the requests that Threadline reads, puts on `messages.requested`.
REQUEST = {"clientId": "default", "messageId": "order-1001", "channel": "sms", "to": "+15551110000", "body": "It left."}

#: The header in which pact's verifier expects the rest of a record: JSON in base64.
METADATA = "pact-message-metadata"


def contents(file: Path) -> Any:
    """A contract without the versions of the library that wrote it."""
    return {name: part for name, part in json.loads(file.read_bytes()).items() if name != "metadata"}


def test_the_contracts_are_those_that_the_consumers_make(tmp_path: Path) -> None:
    """`python -m tests.contracts` changes nothing, and each consumer's code reads what its contract promises."""
    for write in CONTRACTS:
        write(tmp_path)
    kept = {file.name: contents(file) for file in FOLDER.glob("*.json")}
    assert kept == {file.name: contents(file) for file in tmp_path.glob("*.json")}
    assert len(kept) == len(CONTRACTS)


class Provider:
    """A running Threadline in the states that the contracts name. Its data come by webhooks and by Kafka alone."""

    def __init__(self, stack: Stack, http: httpx.AsyncClient) -> None:
        self.stack, self.http = stack, http
        #: The latest record on Kafka by the name of its message: value and key.
        self.records: dict[str, tuple[bytes, bytes | None]] = {}
        self.states: dict[str, Callable[[], Awaitable[dict[str, str]]]] = {
            "a customer with three messages": self.customer,
            "no such customer": self.nobody,
            "a message.delivered of a customer": self.delivered,
            "a message.received of a customer": self.received,
            "an order was shipped": self.requested,
        }

    async def webhook(self, **form: str) -> None:
        """Post a webhook of Twilio's."""
        posted = traffic.twilio({"AccountSid": SENDING["account_sid"], **form})
        answer = await self.http.post("/webhooks/aggregate", headers=posted.headers, content=posted.body)
        assert answer.is_success, answer.text

    async def customer(self) -> dict[str, str]:
        """Post three messages of one customer; give the customer's id and the cursor of the second page."""
        for number in range(3):
            await self.webhook(
                MessageSid=f"SM{number}", From=HANDLE, To=SENDING["sender"], SmsStatus="received", Body=f"{number}"
            )

        async def timeline() -> dict[str, Any]:
            found = await self.http.get("/api/customers", params={"handle": HANDLE})
            if found.status_code == 404:
                return {"interactions": []}
            path = f"/api/customers/{found.json()['customerId']}/interactions"
            whole: dict[str, Any] = (await self.http.get(path)).json()
            first = (await self.http.get(path, params={"limit": 2})).json()
            return whole | {"cursor": first["next"]}

        page = await eventually(timeline, lambda page: len(page["interactions"]) == 3)
        return {"customerId": page["interactions"][0]["customerId"], "cursor": page["cursor"]}

    async def nobody(self) -> dict[str, str]:
        """Change nothing: nobody has the number and the id of the contracts."""
        return {}

    async def delivered(self) -> dict[str, str]:
        """Post the delivery of a message, and read the event's record."""
        await self.webhook(
            MessageSid="SM9",
            From=SENDING["sender"],
            To="+15551230009",
            MessageStatus="delivered",
            SmsStatus="delivered",
        )
        return await self.record("events.recorded", "message.delivered")

    async def received(self) -> dict[str, str]:
        """Post a customer's message, and read the event's record."""
        await self.customer()
        return await self.record("events.recorded", "message.received")

    async def requested(self) -> dict[str, str]:
        """Request a message on Kafka, wait until Threadline has taken it, and read the request's record."""
        async with AIOKafkaProducer(**client_args(self.stack.settings.kafka), acks="all") as producer:
            await producer.send_and_wait("messages.requested", orjson.dumps(REQUEST))

        async def status() -> int:
            return (await self.http.get(f"/v1/messages/{REQUEST['messageId']}")).status_code

        await eventually(status, lambda status: status == 200)
        return await self.record("messages.requested", "message.requested")

    async def record(self, topic: str, name: str) -> dict[str, str]:
        """Keep the first record of a topic that is of this type, or has none."""
        async with AIOKafkaConsumer(
            topic, **client_args(self.stack.settings.kafka), auto_offset_reset="earliest", enable_auto_commit=False
        ) as consumer:
            async with asyncio.timeout(60):
                async for record in consumer:
                    if orjson.loads(record.value).get("type", name) == name:
                        self.records[name] = record.value, record.key
                        return {}
        raise AssertionError("unreachable")

    def message(self, name: str) -> tuple[bytes, dict[str, str]]:
        """Return the value of a message's record, and the rest of the record as pact names it."""
        value, key = self.records[name]
        if key is None:
            return value, {"contentType": "application/json"}
        return value, {"contentType": CLOUDEVENT, "key": key.decode()}


@asynccontextmanager
async def served(provider: Provider) -> AsyncIterator[int]:
    """Serve the provider's states and messages to the verifier, since pact's own server of messages leaves its sockets open;
    give the port."""

    async def state(request: web.Request) -> web.Response:
        asked = await request.json()
        values = await provider.states[asked["state"]]() if asked["action"] == "setup" else {}
        return web.json_response(values)

    async def message(request: web.Request) -> web.Response:
        value, rest = provider.message((await request.json())["description"])
        headers = {"content-type": rest["contentType"], METADATA: b64encode(orjson.dumps(rest)).decode()}
        return web.Response(body=value, headers=headers)

    app = web.Application()
    app.router.add_post("/state", state)
    app.router.add_post("/message", message)
    runner, port = web.AppRunner(app), ports.free()
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield port
    finally:
        await runner.cleanup()


def verify(url: str, key: str, port: int, contract: Path) -> None:
    """Verify a contract against the API at a URL, or the messages at a port. Raises RuntimeError if it is not kept."""
    verifier = Verifier(contract.stem.partition("-")[2], host="127.0.0.1").add_source(contract)
    verifier.state_handler(f"http://127.0.0.1:{port}/state", body=True)
    if "Synchronous/HTTP" in contract.read_text():
        verifier.add_transport(url=url).add_custom_header("Authorization", f"Bearer {key}")
    else:
        verifier.add_transport(protocol="message", port=port, path="/message", scheme="http")
    verifier.verify()


async def test_a_running_system_keeps_the_contracts(open_folder: Path) -> None:
    """Each contract is verified against real answers and real records. One that asks for a field under another name is refused,
    so that a provider that does not keep a contract would be."""
    sources = traffic.SOURCES | {"twilio": traffic.SOURCES["twilio"] | SENDING}
    async with Stack(open_folder / "stack", sources) as stack:
        await asyncio.gather(stack.start("serve"), stack.start("work"))
        key = await stack.key("timeline:read", "personal:read", "messages:read")
        headers = {"authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(base_url=stack.url, headers=headers, trust_env=False) as http:
            provider = Provider(stack, http)
            async with served(provider) as port:
                for contract in sorted(FOLDER.glob("*.json")):
                    await asyncio.to_thread(verify, stack.url, key, port, contract)
                    altered = open_folder / contract.name
                    altered.write_text(contract.read_text().replace("channel", "lane"))
                    with pytest.raises(RuntimeError):
                        await asyncio.to_thread(verify, stack.url, key, port, altered)
