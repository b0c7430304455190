"""Nothing that proves who posts is in what is kept, wherever the provider puts it; and what is kept can still be read."""

import json
from base64 import b64encode
from pathlib import Path
from urllib.parse import quote

import orjson
import pytest

from adapters import ADAPTERS, PROVIDERS, interpret
from adapters.contract import Request
from app.settings import Source
from tests.fixtures import accounts, events_of, fixtures
from tests.unit.adapters.test_adapters import request_of
from tests.unit.webhooks.doors import Noting
from webhooks.aggregate import Door
from webhooks.cutting import Cutter
from webhooks.limits import Limits
from webhooks.recognise import Sources
from webhooks.record import Webhook, decode, encode

CASES = [
    pytest.param(provider, file, id=f"{provider}/{file.stem}") for provider in PROVIDERS for file in fixtures(provider)
]
SECRET = "s3cret/of+a source=1"
DOOR = "https://hooks.example.com/webhooks/aggregate"


def kept(request: Request, provider: str, settings: dict[str, str]) -> Webhook:
    """What is kept of it."""
    cutter = Cutter(ADAPTERS[provider], {name: (value,) for name, value in settings.items()})
    headers = cutter.headers(request.headers)
    url = cutter.url(request.url)
    return Webhook(
        "0191e5a0-0000-7000-8000-000000000001",
        provider,
        provider,
        "c",
        request.method,
        url,
        headers,
        request.received_at,
        True,
        request.body,
    )


def secrets_of(provider: str, settings: dict[str, str]) -> set[str]:
    """What must not be found, as it is, as a URL has it, and as basic authentication does."""
    public = {one.name for one in ADAPTERS[provider].settings if not one.secret}
    reported = {value for name, value in settings.items() if name not in public}
    reported |= {value.partition(":")[2].strip() for value in reported if ":" in value}
    reported = {value for value in reported if len(value) > 3}
    return (
        reported
        | {quote(value, safe="") for value in reported}
        | {b64encode(value.encode()).decode() for value in reported}
    )


@pytest.mark.parametrize(("provider", "file"), CASES)
def test_no_secret_of_a_fixture_is_kept_and_its_events_are_the_same(provider: str, file: Path) -> None:
    """For every request of every provider, with the settings that verify it."""
    request, settings = request_of(provider, file), accounts(provider, file.stem).settings
    record = encode(kept(request, provider, settings))
    head = record.partition(b"\n")[0].decode()
    assert not [secret for secret in secrets_of(provider, settings) if secret in head or secret.encode() in record]
    webhook = decode(record)
    again = Request(webhook.method, webhook.url, webhook.headers, webhook.body, webhook.received_at, provider)
    expected = file.with_suffix(".json").read_text("utf-8")
    for secret in secrets_of(provider, settings):  # what came by GET has its URL for what it says
        expected = expected.replace(secret, "***")
    assert events_of(interpret(again, provider)) == json.loads(expected)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    ("url", "headers"),
    [
        (f"{DOOR}/x?key={quote(SECRET, safe='')}&to=1", {}),
        (f"{DOOR}/x?to=1&key={SECRET.replace('+', '%2b').replace(' ', '+').replace('=', '%3d')}", {}),
        (f"{DOOR}/{quote(SECRET, safe='')}/x", {}),
        (f"{DOOR}/x?{quote(SECRET, safe='')}", {}),
        (f"{DOOR}/x?key=a{quote(SECRET, safe='')}b", {}),
        (DOOR, {"x-any": SECRET}),
        (DOOR, {"x-any": f"Token {SECRET}", "x-other": "1"}),
        (DOOR, {"referer": f"{DOOR}?key={quote(SECRET, safe='')}"}),
        (f"https://user:{quote(SECRET, safe='')}@hooks.example.com/webhooks/aggregate", {}),
        (DOOR, {"authorization": "Basic " + b64encode(f"user:{SECRET}".encode()).decode()}),
        (DOOR, {"x-api-key": "what we do not know of"}),
    ],
)  # fmt: skip
def test_wherever_it_stands(provider: str, url: str, headers: dict[str, str]) -> None:
    """In the path, the query, before the host, in any header; written as a URL or as itself."""
    request = Request("POST", url, headers, b"{}", accounts("twilio").at, "x")
    for settings in ({"url_secret": SECRET}, {"basic_auth": f"user:{SECRET}"}, {"webhook_header": f"X-Any: {SECRET}"}):
        webhook = kept(request, provider, settings)
        output = orjson.dumps([webhook.url, webhook.headers]).decode()
        assert "s3cret" not in output and "source" not in output and "what we do not" not in output
        assert not [secret for secret in secrets_of(provider, settings) if secret in output]
        assert webhook.url.startswith(DOOR)


def test_nothing_else_is_changed() -> None:
    """A URL and headers without a secret are kept as they came, a value that looks like a short one's part too."""
    url = f"{DOOR}/x?to=%2B1555&a=b%20c+d&&e"
    headers = {"host": "x", "x-any": "what 1 is"}
    webhook = kept(Request("POST", url, headers, b"", accounts("twilio").at, "x"), "postmark", {"url_secret": "1"})
    assert (webhook.url, webhook.headers) == (url, headers)
    short = Request("POST", f"{DOOR}/x?key=1&n=12", {"x-any": "1"}, b"", accounts("twilio").at, "x")
    webhook = kept(short, "postmark", {"url_secret": "1"})
    assert (webhook.url, webhook.headers) == (f"{DOOR}/x?key=***&n=12", {"x-any": "***"})


@pytest.mark.parametrize(
    ("adapter", "settings", "query", "headers"),
    [
        ("postmark", {"url_secret": "s3cret-of-it"}, "key=s3cret-of-it", {}),
        ("telegram", {"secret_token": "s3cret-of-it"}, "", {"x-telegram-bot-api-secret-token": "s3cret-of-it"}),
        ("emqx", {"webhook_header": "X-Secret: s3cret-of-it"}, "", {"x-secret": "s3cret-of-it"}),
        ("postmark", {"basic_auth": "u:s3cret-of-it", "url": "https://u:s3cret-of-it@h.example.com/x"}, "",
         {"authorization": "Basic " + b64encode(b"u:s3cret-of-it").decode()}),
    ],
)  # fmt: skip
async def test_the_door_keeps_none(adapter: str, settings: dict[str, str], query: str, headers: dict[str, str]) -> None:
    """What is authentic because of a secret is kept without it."""
    keep, output = Noting(), []
    door = Door(Sources({"named": Source(adapter=adapter, **settings)}), keep, Limits())  # type: ignore[arg-type]
    path = "/webhooks/aggregate/named"
    scope = {
        "type": "http", "method": "POST", "scheme": "https", "path": path, "raw_path": path.encode(),
        "query_string": query.encode(), "server": ("127.0.0.1", 8080),
        "headers": [(name.encode(), value.encode()) for name, value in {"host": "h", **headers}.items()],
    }  # fmt: skip

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message: object) -> None:
        output.append(message)

    await door(scope, receive, send)
    [(webhook, _)] = keep.kept
    assert webhook.authentic is True
    assert b"s3cret" not in encode(webhook)
