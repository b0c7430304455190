"""/v1/callback on a real database: what it shows, to whom, and how it refuses; and the command line beside it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from app.api.callbacks import callbacks_of
from app.settings import Settings
from tests.conftest import Dsns
from tests.integration.callbacks import Office, Receiver, receiving, verified
from tests.integration.command_line import On, command, on_store, threadline
from tests.integration.serving import NOON, Served, event, serving
from tests.integration.test_api_openapi import check
from tests.support.relaying import relaying

URL = "https://shop.example.com/events"


@pytest_asyncio.fixture
async def served(postgres_dsn: Dsns, tmp_path: Path) -> AsyncIterator[Served]:
    """The API, asked with a key that may do all to callbacks, of the client `default`, which has one."""
    settings = Office.of(None, tmp_path).settings  # type: ignore[arg-type]  # only for its key to seal with
    async with serving(postgres_dsn.service, settings, ("callbacks:read", "callbacks:write")) as api:
        await configure(api, URL)
        yield api


async def configure(served: Served, url: str | None, client: str = "default") -> None:
    """Make it the client's callback, in effect at once."""
    document: dict[str, Any] = {"channels": [{"channel": "sms", "account": "twilio"}]}
    if url is not None:
        document["callback"] = {"url": url, "types": ["message.delivered", "message.sent"]}
    await served.store.set_client(client, document, "test")
    served.api.clients.forget(client)


async def tell(served: Served, *ids: str) -> None:
    """Append a send of each of these messages, and enqueue its delivery."""
    sent = [event("UserMessageSent", f"SM{id}", message_id=id) for id in ids]
    await served.store.append([(one, "default", NOON, None) for one in sent])
    async with relaying(served.store) as relay:
        start = await relay.begin(from_now=False)
        rows = await relay.page(start, 100)
        await relay.advance(start, (rows[-1]["xid"], rows[-1]["position"]), ["default"])


async def test_a_callback_is_shown_with_its_deliveries(served: Served) -> None:
    """URL, types, state, and what waits; as the description says."""
    check("/v1/callback", first := await served.http.get("/v1/callback"))
    assert first.json() == {
        "clientId": "default",
        "url": URL,
        "types": ["message.delivered", "message.sent"],
        "state": "enabled",
        "concurrency": 8,
        "failingSince": None,
        "disabledAt": None,
        "disabledReason": None,
        "deliveries": [],
    }
    await tell(served, "m1", "m2")
    check("/v1/callback", reported := await served.http.get("/v1/callback"))
    assert {one["messageId"] for one in reported.json()["deliveries"]} == {"m1", "m2"}
    (one, _) = reported.json()["deliveries"]
    assert (one["type"], one["state"], one["attempts"], one["status"]) == ("message.sent", "waiting", 0, None)
    path = "/v1/callback/deliveries"
    check(path, waiting := await served.http.get(path, params={"state": "waiting", "limit": 1}))
    assert len(waiting.json()["deliveries"]) == 1
    check(path, failed := await served.http.get(path, params={"state": "failed"}))
    assert failed.json() == {"deliveries": []}
    for query in ({"state": "lost"}, {"limit": "0"}, {"x": "1"}):
        check(path, refused := await served.http.get(path, params=query))
        assert refused.status_code == 400


async def test_a_secret_is_shown_once_and_never_kept(served: Served) -> None:
    """Each call makes another, nothing caches it, and the rest of the API does not have it."""
    check("/v1/callback/secret", first := await served.http.post("/v1/callback/secret"))
    check("/v1/callback/secret", second := await served.http.post("/v1/callback/secret"))
    assert (first.status_code, first.headers["cache-control"]) == (201, "no-store")
    secrets = {first.json()["secret"], second.json()["secret"]}
    assert len(secrets) == 2
    reported = (await served.http.get("/v1/callback")).text
    audited = str(await served.store.audit("default"))
    assert not [secret for secret in secrets if secret in reported or secret in audited]
    assert "callback.secret" in audited and "key:test" in audited


async def test_a_disabled_callback_is_enabled(served: Served) -> None:
    """It says why it was disabled, and how many deliveries are due once it is not."""
    await served.http.get("/v1/callback")
    await tell(served, "m1")
    await served.store.disable_callback("default", "gone")
    check("/v1/callback", gone := await served.http.get("/v1/callback"))
    assert (gone.json()["state"], gone.json()["disabledReason"]) == ("disabled", "gone")
    check("/v1/callback/enable", enabled := await served.http.post("/v1/callback/enable"))
    assert enabled.json() == {"waiting": 1}
    assert (await served.http.get("/v1/callback")).json()["state"] == "enabled"


async def test_replay_by_ids_and_by_time(served: Served) -> None:
    """Deliveries of this client, counted; what is misspelt or unbounded is refused with its place."""
    path = "/v1/callback/replay"
    await served.http.get("/v1/callback")
    await tell(served, "m1", "m2")
    rows = (await served.http.get("/v1/callback/deliveries")).json()["deliveries"]
    ids = [rows[0]["eventId"], str(uuid4())]
    check(path, some := await served.http.post(path, json={"ids": ids}))
    assert some.json() == {"replayed": 1, "next": None}
    check(path, all := await served.http.post(path, json={"since": "2026-01-01T00:00:00+01:00"}))
    assert all.json() == {"replayed": 2, "next": None}
    check(
        path,
        none := await served.http.post(path, json={"since": "2020-01-01T00:00:00Z", "until": "2020-01-02T00:00:00Z"}),
    )
    assert none.json()["replayed"] == 0
    refused: list[tuple[Any, str]] = [
        ({}, "$.since"),
        ({"ids": []}, "$.ids"),
        ({"ids": [str(uuid4())] * 1001}, "$.ids"),
        ({"ids": ["mine"]}, "$.ids[0]"),
        ({"ids": [7]}, "$.ids[0]"),
        ({"ids": [str(uuid4())], "since": "2026-01-01T00:00:00Z"}, "$"),
        ({"since": "yesterday"}, "$.since"),
        ({"since": 5}, "$.since"),
        ({"since": "2026-01-01T00:00:00Z", "until": None}, "$.until"),
        ({"since": "2026-01-01T00:00:00Z", "to": "x"}, "$"),
        ([], "$"),
    ]
    for body, at in refused:
        check(path, response := await served.http.post(path, json=body))
        assert (response.status_code, response.json()["path"]) == (422, at), body
    check(path, response := await served.http.post(path, content=b"since=x"))
    assert response.status_code == 415


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/callback"), ("POST", "/v1/callback/secret"), ("POST", "/v1/callback/enable")],
)
async def test_without_a_callback_it_is_said_what_to_do(served: Served, method: str, path: str) -> None:
    """404, also where there was one before."""
    await served.http.get("/v1/callback")
    await configure(served, None)
    check(path, response := await served.http.request(method, path))
    assert response.status_code == 404 and "callback" in response.json()["detail"]


async def test_scopes_and_clients_are_kept_apart(served: Served) -> None:
    """Who may read may not write, and nobody sees another client's."""
    await served.http.get("/v1/callback")
    await tell(served, "m1")
    (row,) = (await served.http.get("/v1/callback/deliveries")).json()["deliveries"]
    reader = {"authorization": f"Bearer {await served.key('callbacks:read')}"}
    for path in ("/v1/callback/secret", "/v1/callback/enable", "/v1/callback/replay"):
        check(path, response := await served.http.post(path, headers=reader))
        assert response.status_code == 403
    token = await served.key("callbacks:read", "callbacks:write", client="other")
    other = {"authorization": f"Bearer {token}"}
    await configure(served, URL, client="other")
    assert (await served.http.get("/v1/callback/deliveries", headers=other)).json() == {"deliveries": []}
    replayed = await served.http.post("/v1/callback/replay", json={"ids": [row["eventId"]]}, headers=other)
    assert replayed.json()["replayed"] == 0
    check("/v1/callback", response := await served.http.get("/v1/callback", headers={"authorization": "none"}))
    assert response.status_code == 401


async def test_without_a_key_to_seal_with_no_secret_is_made(
    postgres_dsn: Dsns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503, and the caller learns nothing else."""
    monkeypatch.delenv("THREADLINE_SECRETS__KEYS")
    async with serving(postgres_dsn.service, Settings(data=tmp_path)) as api:
        token = await api.key("callbacks:write")
        await configure(api, URL)
        response = await api.http.post("/v1/callback/secret", headers={"authorization": f"Bearer {token}"})
        check("/v1/callback/secret", response)
        assert response.status_code == 503 and "key" in response.json()["detail"]


async def test_the_secret_that_was_shown_is_the_one_that_signs(served: Served) -> None:
    """A client that verifies with what the API gave it finds its signature in what the worker posts."""
    office = Office.of(served.store, Path("unused"))
    office.callbacks = callbacks_of(_Request(served))  # type: ignore[arg-type]
    async with receiving(Receiver()) as receiver:
        await configure(served, receiver.url)
        secret = (await served.http.post("/v1/callback/secret")).json()["secret"]
        await tell(served, "m1")
        async with office.delivering():
            (posted,) = await receiver.until(1)
    assert verified(secret, posted.headers, posted.body)


class _Request:
    """What `callbacks_of` asks of a request."""

    def __init__(self, served: Served) -> None:
        self.app = served.app


async def test_the_command_line(served: Served, postgres_dsn: Dsns, tmp_path: Path) -> None:
    """`threadline callbacks`: the secret alone on standard output; state, deliveries and mistakes in words."""
    await served.http.get("/v1/callback")
    await tell(served, "m1")
    await served.store.disable_callback("default", "gone")
    where: On = {"dsn": postgres_dsn.service, "data": tmp_path}
    listed = await threadline("callbacks", "list", **where)
    assert listed.code == 0 and URL in listed.out and "gone" in listed.out
    shown = await threadline("callbacks", "show", "default", **where)
    assert shown.code == 0 and "m1" in shown.out and "waiting" in shown.out and "disabled" in shown.out
    enabled = await threadline("callbacks", "enable", "default", **where)
    assert (enabled.code, enabled.out) == (0, "") and "1 delivery" in enabled.err
    again = await threadline("callbacks", "replay", "default", "--since", "2026-01-01T00:00:00Z", **where)
    assert again.code == 0 and "1 delivery" in again.err
    none = on_store(postgres_dsn.service, tmp_path) | {"THREADLINE_SECRETS__KEYS": "[]"}
    keyless = await command("callbacks", "rotate", "default", environment=none)
    assert (keyless.code, keyless.out) == (1, "") and "openssl rand" in keyless.err
    for arguments, code in (
        (("show", "nobody"), 1),
        (("enable", "nobody"), 1),
        (("rotate", "nobody"), 1),
        (("show", "default", "--state", "lost"), 2),
        (("replay", "default"), 2),
        (("replay", "default", "--since", "yesterday"), 2),
    ):
        ran = await threadline("callbacks", *arguments, **where)
        assert (ran.code, ran.out) == (code, "") and "Traceback" not in ran.err, arguments
    replayed, enabled_first = (await served.store.audit("default"))[:2]
    assert (replayed["action"], replayed["detail"]) == ("callback.replay", {"deliveries": 1})
    assert replayed["actor"].startswith("cli:") and enabled_first["action"] == "callback.enabled"
