"""The client against the API as it runs: reads, pages, streams, sends, refusals."""

import asyncio
from typing import Any

import httpx
import pytest

from app.client import ApiError, AsyncClient, Client, routes
from app.settings import Settings, Source
from tests.conftest import Dsns
from tests.integration.sender import SOURCES
from tests.integration.serving import Served, event, listening, serving

SETTINGS = Settings(sources={name: Source.model_validate(values) for name, values in SOURCES.items()})
SCOPES = ("timeline:read", "messages:write", "messages:read", "personal:read")


async def reached(served: Served, http: httpx.AsyncClient) -> dict[str, Any]:
    """What a client is made with: the URL and a key of its own."""
    return {"url": str(http.base_url), "key": await served.key(*SCOPES)}


async def test_the_blocking_client(postgres_dsn: Dsns) -> None:
    """Finds a customer, reads all pages of a timeline, sends under one key twice, reads the message; an unknown one is refused
    with the words of the API."""
    async with serving(postgres_dsn.service, SETTINGS) as served:
        await served.append(*(event("MessageReceived", f"m{n}", n) for n in range(5)))
        async with listening(served) as http:
            given = await reached(served, http)

            def use() -> None:
                with Client(**given) as client:
                    customer = client.call(routes.find_customer(handle="+15551234567"))
                    pages = list(client.pages(routes.read_timeline(customer["customerId"], limit=2)))
                    assert [len(page["interactions"]) for page in pages] == [2, 2, 1]
                    request: routes.MessageRequest = {"channel": "sms", "to": "+15551234567", "body": "Hello"}
                    sent: Any = [
                        client.call(routes.send_messages(request, idempotency_key=key)) for key in ("a", "a", None)
                    ]
                    assert sent[0]["messageId"] == sent[1]["messageId"] != sent[2]["messageId"]
                    message = client.call(routes.read_message(sent[0]["messageId"]))
                    assert (message["channel"], message["state"]) == ("sms", "queued")
                    with pytest.raises(ApiError, match="404") as caught:
                        client.call(routes.read_message("no such/message"))
                    assert caught.value.problem["status"] == 404

            await asyncio.to_thread(use)


async def test_the_client_for_asyncio(postgres_dsn: Dsns) -> None:
    """Reads a timeline, then what changes in it as it does; a key without the scope is refused at once."""
    async with serving(postgres_dsn.service, SETTINGS) as served:
        await served.append(event("MessageReceived", "first"))
        async with listening(served) as http, AsyncClient(**await reached(served, http)) as client:
            customer = await client.call(routes.find_customer(handle="+15551234567"))
            stream = client.stream(customer["customerId"])
            coming = asyncio.ensure_future(anext(stream))
            count = 0
            async with asyncio.timeout(10):
                while not coming.done():  # only what is appended once the stream is open comes by it
                    count += 1
                    await served.append(event("MessageReceived", f"later {count}", count))
                    await asyncio.sleep(0.05)
            assert str(coming.result().interaction["providerMessageId"]).startswith("later ")
            timeline = await client.call(routes.read_timeline(customer["customerId"]))
            assert len(timeline["interactions"]) == 1 + count
            with pytest.raises(ApiError, match="403"):
                await client.call(routes.list_clients())
            await stream.aclose()  # type: ignore[attr-defined]
