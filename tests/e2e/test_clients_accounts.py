"""A client set up as docs/clients.md says, with accounts in the database alone: what its providers report arrives as
its own."""

import asyncio
import json
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from adapters.simulating import Sent
from app.simulator import webhooks_of
from app.simulator.server import Plan
from tests.fixtures import accounts
from tests.integration.callbacks import Receiver, receiving
from tests.integration.command_line import Ran
from tests.integration.command_line import process as command
from tests.support.keys import KEY
from tests.support.links import digests
from tests.support.simulated import simulated
from tests.support.stack import Stack
from tests.support.waiting import eventually

PATHS = {name: f"/webhooks/aggregate/shop/{name}" for name in ("twilio", "resend")}
CLIENT = """
channels = [{{ channel = "sms", account = "twilio" }}, {{ channel = "email", account = "resend" }}]
fallback = {{ onFailure = true }}
callback = {{ url = "{url}", concurrency = 16 }}
"""


def provider(name: str, door: str, failing: float) -> AbstractAsyncContextManager[str]:
    """A simulated provider that knows where the client's account takes webhooks; gives where its API is."""
    url = f"{door}{PATHS[name]}"
    return simulated(name, Plan(to=url, public_url=url, failing=failing, inbound=0, seed=1))


async def test_a_client_of_the_database_gets_statuses_callbacks_and_fall_back(servers_folder: Path) -> None:
    """From the commands of the page to the last of it; also while the database is away, after the door started anew."""
    stack = Stack(servers_folder / "clients", {})
    key = {
        "THREADLINE_SECRETS__KEYS": json.dumps([KEY]),
        "THREADLINE_CALLBACKS__HTTP_HOSTS": '["127.0.0.1"]',
        "THREADLINE_CALLBACKS__ALLOWED_NETWORKS": '["127.0.0.0/8"]',
    }
    async with (
        provider("twilio", stack.url, 1.0) as twilio,
        provider("resend", stack.url, 0.0) as resend,
        receiving(Receiver()) as reported,
        stack,
    ):
        await asyncio.gather(stack.start("serve", **key), stack.start("work", **key))

        async def threadline(*arguments: str, **more: str) -> Ran:
            ran = await command(*arguments, environment=stack.environment | key | more)
            assert ran.code == 0, ran.err
            return ran

        async def account(name: str, api: str, sender: str) -> None:
            arguments, secret = ["--set", f"sender={sender}", "--set", f"api_url={api}"], {}
            for setting, value in accounts(name).settings.items():
                secret[f"GIVEN_{setting.upper()}"] = str(value)
                arguments += ["--secret", f"{setting}=env:GIVEN_{setting.upper()}"]
            url = f"{stack.url}{PATHS[name]}"
            ran = await threadline(
                "clients", "account", "shop", name, "--adapter", name, "--url", url, "--trusted", *arguments, **secret
            )
            assert f"Its provider posts webhooks to {url}" in ran.err

        await asyncio.gather(account("twilio", twilio, "+15557654321"), account("resend", resend, "shop@example.com"))
        file = stack.folder / "shop.toml"
        file.write_text(CLIENT.format(url=reported.url))
        await threadline("clients", "set", "shop", "--file", str(file))
        shown, made = await asyncio.gather(
            threadline("clients", "show", "shop"),
            threadline("keys", "create", "shop", "--client", "shop", "--scope", "messages:write"),
        )
        assert all(path in shown.out for path in PATHS.values())
        document = {
            "messageId": "m1",
            "to": {"sms": "+15551234567", "email": "ana@example.com"},
            "content": {"text": "Hello", "subject": "Hello"},
        }
        async with httpx.AsyncClient() as http:
            answer = await http.post(
                f"{stack.url}/v1/messages", json=document, headers={"authorization": f"Bearer {made.out.split()[-1]}"}
            )
            assert answer.status_code == 202, answer.text

        async def types() -> set[str]:
            return {one.json["type"] for one in reported.posted}

        # Twilio says that it failed; so it leaves by e-mail, and Resend says that it arrived: one story at the callback.
        await eventually(types, lambda found: {"message.sent", "message.delayed", "message.delivered"} <= found, 60)
        assert "message.failed" not in await types()
        assert {one.json["data"]["messageId"] for one in reported.posted} == {"m1"}
        events = await stack.rows(
            "SELECT DISTINCT client_id, source FROM threadline.events WHERE source <> 'threadline' ORDER BY 2"
        )
        assert events == [("shop", "resend"), ("shop", "twilio")]
        interactions = await stack.rows(
            "SELECT count(*) FROM threadline.interactions WHERE NOT superseded AND client_id = 'shop'"
        )
        assert interactions == [(1,)]

        # The database goes, the door starts anew: it knows the account all the same, and others' signatures as little.
        await asyncio.sleep(6)
        await stack.postgres.stop()
        await stack.children["serve"].stop()
        await stack.start("serve", **key)
        url = f"{stack.url}{PATHS['twilio']}"
        webhooks = webhooks_of("twilio")
        assert webhooks.statuses is not None
        late = webhooks.statuses.build(
            Sent("SMlate", "sms", "+15551234567", "+15557654321"), "MessageDelivered", datetime.now(UTC), url
        )
        signed = webhooks.sign(late, accounts("twilio").settings, datetime.now(UTC))
        async with httpx.AsyncClient() as http:
            kept = await http.post(url, content=signed.body, headers=signed.headers)
            forged = await http.post(url, content=signed.body + b"&x=1", headers=signed.headers)
            nobody = await http.post(
                f"{stack.url}/webhooks/aggregate/rival/twilio", content=b"", headers=signed.headers
            )
        assert (kept.is_success, forged.status_code, nobody.status_code) == (True, 401, 404)
        await stack.postgres.start()

        async def arrived() -> list[Any]:
            late = await digests(stack.postgres.dsn("owner"), ["SMlate"], "shop")
            return await stack.rows(
                "SELECT client_id, type FROM threadline.events WHERE provider_message_id = ANY (%s)", list(late)
            )

        await eventually(arrived, lambda found: found == [("shop", "MessageDelivered")], 60)
