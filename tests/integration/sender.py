"""A worker's sending half at work on a real store, with a provider of a few lines."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from adapters.contract import HttpCall, Outgoing, Response
from agents.health import WorkerHealth
from agents.sender.due import Due
from agents.transport.oauth import Tokens
from app.clients.configured import Clients
from app.sending.incoming import new_message
from app.sending.requests import read_request
from app.settings import Sending, Settings
from sql import EventStore, NewMessage
from tests.fixtures import accounts

TO = {"email": "ana@example.com", "sms": "+15551234567"}
SOURCES = {
    "resend": {**accounts("resend").settings, "sender": "shop@example.com"},
    "twilio": {**accounts("twilio").settings, "sender": "+15557654321"},
}
OK = {"resend": Response(200, {}, b'{"id": "re-1"}'), "twilio": Response(201, {}, b'{"sid": "SM1"}')}
Answer = Callable[[str, int], Response]


class Provider:
    """Answers calls as configured, and records them."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.answer: Answer = lambda name, number: OK[name]

    async def carry(self, outgoing: Outgoing, values: Any, *, trusted: bool) -> Response:
        """Answer a call in place of the transport."""
        assert isinstance(outgoing, HttpCall)
        name = "resend" if "resend" in outgoing.url else "twilio"
        self.calls.append(name)
        return self.answer(name, len(self.calls))


class Sender:
    """A store, a sender that works on it, and its provider."""

    def __init__(self, store: EventStore) -> None:
        self.store, self.provider, self.health = store, Provider(), WorkerHealth()
        self.settings = Settings.model_validate({"sources": SOURCES})
        self.clients = Clients(store, self.settings, ttl=0.0)

    async def configure(self, **more: Any) -> None:
        """Configure the client: e-mail first, then SMS."""
        channels = [{"channel": "email", "account": "resend"}, {"channel": "sms", "account": "twilio"}]
        await self.store.set_client(
            "default", {"channels": channels, "retry": {"attempts": 3, "first": 0.1, "longest": 1}} | more, "test"
        )

    async def ask(self, id: str = "m", **more: Any) -> None:
        """Accept one request for a message."""
        document = {"messageId": id, "to": TO, "content": {"subject": "Hello", "text": "Hello"}} | more
        client = await self.clients.client("default")
        message = new_message(read_request(document, client_id="default"), client, datetime.now(UTC))
        assert isinstance(message, NewMessage)
        await self.store.accept([message])

    async def until(self, state: str, id: str = "m") -> dict[str, Any]:
        """Wait until the message is in that state, and return it."""
        deadline = time.monotonic() + 20
        while True:
            row = await self.store.message("default", id)
            assert row is not None
            if row["state"] == state:
                return row
            assert time.monotonic() < deadline, (row["state"], state, row["cause"])
            await asyncio.sleep(0.02)

    async def types(self, id: str = "m") -> list[str]:
        """Return the types of the message's events in the log."""
        row = await self.store.message("default", id)
        assert row is not None
        return [event["type"] for event in await self.store.history("default", row["interaction_id"])]

    @asynccontextmanager
    async def at_work(self, **settings: Any) -> AsyncIterator[Due]:
        """Run the sender during the block."""
        carry = self.provider.carry
        due = Due(self.store, self.clients, carry, Tokens(carry), self.health, Sending(**settings))
        task = asyncio.create_task(due.run())
        try:
            yield due
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
