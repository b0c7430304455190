"""How sessions live and end: their secrets rotate, copies are noticed, they end by time, and by their issuer's word."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
from starlette.requests import Request

from app.api.stream import EventStream
from app.http.access import LOOK_UPS_BURST
from app.http.app import Http
from app.http.tokens import mint
from app.login.sessions import COOKIE, OVERLAP
from app.settings import Login
from tests.conftest import Dsns
from tests.integration.logged_in import HERE, SAME, Browser, identity, process
from tests.integration.serving import refused
from tests.integration.test_api_openapi import check
from tests.integration.test_login import audit, rows
from tests.support.issuer import OTHER_KEY
from tests.support.provider import LOGOUT, WEB, Provider, providing

PATH = "/v1/clients"


@pytest_asyncio.fixture
async def provider() -> AsyncIterator[Provider]:
    """A provider that is up, and lets administrators in."""
    async with providing() as made:
        made.person["roles"] = ["administrator"]
        yield made


@pytest_asyncio.fixture
async def http(postgres_dsn: Dsns, provider: Provider, tmp_path: Path) -> AsyncIterator[Http]:
    """The HTTP process, whose people log in by the provider."""
    login = Login(url=HERE, idle=600, absolute=3600, rotate=60)
    async with process(postgres_dsn.service, tmp_path, login, identity=identity(provider)) as made:
        yield made


async def age(dsns: Dsns, http: Http, column: str, seconds: float) -> None:
    """Make a time of all sessions so many seconds older, and forget what is cached."""
    query = f"UPDATE threadline.sessions SET {column} = {column} - %s RETURNING id"
    assert await rows(dsns, query, timedelta(seconds=seconds))
    sessions_of(http)._rows.clear()


def sessions_of(http: Http) -> Any:
    """Return the sessions of a process."""
    assert http.api is not None and http.api.people is not None
    return http.api.people.sessions


async def status(browser: Browser, secret: str | None = None) -> int:
    """Return the status of a read: with the browser's cookie, or with this one."""
    if secret is None:
        return (await browser.get(PATH)).status_code
    browser = Browser(browser.http)
    return (await browser.get(PATH, cookie=f"{COOKIE}={secret}")).status_code


async def test_the_secret_is_replaced_at_intervals(http: Http, postgres_dsn: Dsns) -> None:
    """By one of several requests at once; the one before is good for a moment, for those that were under way."""
    browser = Browser(http)
    await browser.log_in()
    first = browser.secret
    assert first is not None and await status(browser) == 200 and browser.secret == first
    await age(postgres_dsn, http, "rotated_at", 61)
    answers = await asyncio.gather(*(Browser(http).get(PATH, cookie=f"{COOKIE}={first}") for _ in range(8)))
    assert [answer.status_code for answer in answers] == [200] * 8
    (replaced,) = [answer.headers["set-cookie"] for answer in answers if "set-cookie" in answer.headers]
    second = replaced.partition("=")[2].partition(";")[0]
    assert second != first and replaced.endswith("; Path=/; Secure; HttpOnly; SameSite=Lax")
    ((stored,),) = await rows(postgres_dsn, "SELECT hash FROM threadline.sessions")
    assert bytes(stored) == sha256(second.encode()).digest()
    assert await status(browser, first) == await status(browser, second) == 200
    # A refusal carries the new cookie too: else the browser would be left with the former one.
    await age(postgres_dsn, http, "rotated_at", 61)
    refusal = await Browser(http).get("/v1/clients/none", cookie=f"{COOKIE}={second}")
    assert refusal.status_code == 404 and refusal.headers["set-cookie"].startswith(f"{COOKIE}=")


async def test_a_copied_secret_ends_the_session(http: Http, postgres_dsn: Dsns) -> None:
    """Whoever still has the former one after a while: the thief is out, and so is the person, who logs in again."""
    browser = Browser(http)
    await browser.log_in()
    copied = browser.secret
    await age(postgres_dsn, http, "rotated_at", 61)
    assert await status(browser) == 200 and browser.secret != copied
    await age(postgres_dsn, http, "rotated_at", OVERLAP + 1)
    assert await status(browser, copied) == 401
    assert await status(browser) == 401
    assert (await audit(postgres_dsn))[-1] == ("threadline", "session.end", "shop", {"why": "copied"})
    assert (await browser.log_in()).status_code == 303 and await status(browser) == 200


@pytest.mark.parametrize(("column", "within", "over"), [("used_at", 590, 20), ("created_at", 3590, 20)])
async def test_a_session_ends_by_itself(http: Http, postgres_dsn: Dsns, column: str, within: int, over: int) -> None:
    """Without a request for so long, and however busy it is; its row goes when somebody logs in."""
    browser, other = Browser(http), Browser(http)
    await browser.log_in()
    await age(postgres_dsn, http, column, within)
    assert await status(browser) == 200
    if column == "used_at":  # that was a use
        await age(postgres_dsn, http, column, within)
        assert await status(browser) == 200
        await age(postgres_dsn, http, column, within)
    await age(postgres_dsn, http, column, over)
    assert await status(browser) == 401
    await other.log_in()
    assert len(await rows(postgres_dsn, "SELECT id FROM threadline.sessions")) == 1
    assert await status(other) == 200


async def test_a_log_in_replaces_the_session_that_the_browser_had(http: Http, postgres_dsn: Dsns) -> None:
    """Its secret is good for nothing afterwards: none can be planted and then used."""
    browser = Browser(http)
    await browser.log_in()
    before = browser.secret
    await browser.log_in()
    assert browser.secret != before and await status(browser, before) == 401 and await status(browser) == 200
    ended = [detail for _, action, _, detail in await audit(postgres_dsn) if action == "session.end"]
    assert ended == [{"why": "replaced"}]


async def test_the_issuer_ends_sessions_by_the_back_channel(http: Http, provider: Provider, postgres_dsn: Dsns) -> None:
    """One by its `sid`, all of a person by `sub` alone; those of others go on. A token ends no session that began after it."""
    browsers = [Browser(http) for _ in range(4)]
    for browser, (sub, sid) in zip(browsers, [("ana", "s1"), ("ana", "s2"), ("ana", "s3"), ("ben", "s4")], strict=True):
        provider.person |= {"sub": sub, "sid": sid}
        await browser.log_in()

    async def ended(**claims: Any) -> list[int]:
        body = {"logout_token": provider.logout_token(**claims)}
        assert (await Browser(http).here.post("/login/back-channel", data=body)).status_code == 200
        return [await status(browser) for browser in browsers]

    assert await ended(sub="ben", sid="s1") == [200, 200, 200, 200]
    assert await ended(sub=None, sid="s1") == [401, 200, 200, 200]
    assert await ended(sub="ana", sid="s2") == [401, 401, 200, 200]
    await age(postgres_dsn, http, "created_at", -90)  # as if they had begun later
    assert await ended(sub="ana", sid=None) == [401, 401, 200, 200]
    await age(postgres_dsn, http, "created_at", 90)
    assert await ended(sub="ana", sid=None) == [401, 401, 401, 200]
    noted = [each for each in await audit(postgres_dsn) if each[1] == "session.end"]
    assert noted == [(f"issuer:{provider.url}", "session.end", "shop", {"why": "back-channel"})] * 3


async def test_a_logout_token_that_is_wrong_in_one_thing_ends_nothing(http: Http, provider: Provider) -> None:
    """Of another client, not signed by the issuer, too old, an ID token, or without a subject; nor does a body that is no form."""
    browser = Browser(http)
    await browser.log_in()
    wrong: list[dict[str, Any]] = [
        {"aud": "threadline"}, {"iss": "https://evil.example"}, {"exp": 1}, {"iat": 1}, {"iat": None}, {"iat": str(int(time.time()))}, {"jti": None},
        {"events": None}, {"events": {}}, {"events": {LOGOUT: True}}, {"events": [LOGOUT]}, {"nonce": "n"},
        {"sub": None, "sid": None}, {"sub": 7}, {"sid": ["s1"]}, {"sid": "\x00"}, {"key": OTHER_KEY}, {"iat": -(10**15)},
    ]  # fmt: skip
    bodies: list[Any] = [{"logout_token": provider.logout_token(**claims)} for claims in wrong]
    bodies += [
        {"logout_token": provider.id_token(WEB, None)},
        {"logout_token": provider.token()},
        {"logout_token": "a.b.c"},
    ]
    bodies += [{"token": provider.logout_token()}, {}, {f"a{n}": "b" for n in range(20)}]
    for body in bodies:
        refused(await browser.here.post("/login/back-channel", data=body), 400)
    refused(await browser.here.post("/login/back-channel", content=b"\xff=%"), 400)
    refused(await browser.here.post("/login/back-channel", content=b"x" * (17 << 10)), 413)
    assert await status(browser) == 200
    good = {"logout_token": provider.logout_token()}
    assert (await browser.here.post("/login/back-channel", data=good)).status_code == 200
    assert await status(browser) == 401


async def test_made_up_cookies_cost_few_queries_and_shut_nobody_out(
    http: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond a burst they are refused without a query; who is in stays in, from the same address. What has not the form of a secret
    costs none."""
    browser = Browser(http)
    await browser.log_in()
    assert await status(browser) == 200
    asked = 0
    find = sessions_of(http)._store.session_of

    async def counted(*arguments: Any) -> Any:
        nonlocal asked
        asked += 1
        return await find(*arguments)

    monkeypatch.setattr(sessions_of(http)._store, "session_of", counted)
    monkeypatch.setattr(sessions_of(http)._look_ups, "_now", lambda: 1e9)  # nothing is refilled meanwhile
    for made_up in ("", "x", "x" * 44, "*" * 43):
        assert await status(browser, made_up) == 401
    assert asked == 0
    answers = [await status(browser, f"{number:043}") for number in range(LOOK_UPS_BURST + 60)]
    assert set(answers) == {401, 429} and asked <= LOOK_UPS_BURST + 60 - answers.count(429)
    assert await status(browser) == 200


async def test_a_session_of_one_process_is_one_of_all_and_ends_in_all(
    http: Http, provider: Provider, postgres_dsn: Dsns, tmp_path: Path
) -> None:
    """Two processes on one database: a log-out at one is one at the other, after its cache's second."""
    login = Login(url=HERE, idle=600, absolute=3600, rotate=60)
    async with process(postgres_dsn.service, tmp_path / "b", login, identity=identity(provider)) as second:
        browser = Browser(http)
        await browser.log_in()
        other = Browser(second)
        assert await status(other, browser.secret) == 200
        secret = browser.secret
        assert (await browser.here.post("/logout", headers=SAME)).status_code == 303
        await asyncio.sleep(1.1)
        assert await status(other, secret) == 401


async def test_an_administrator_sees_and_ends_sessions(http: Http, provider: Provider, postgres_dsn: Dsns) -> None:
    """Those of people who may act for the client, page by page or of one person; one that was ended is worth nothing at once, in the audit
    it is the client's and names who ended it. Who may only see them ends none."""
    people = {"ana": ["shop"], "ben": ["shop", "bank"], "cleo": ["bank"]}
    browsers = {name: Browser(http) for name in people}
    for name, clients in people.items():
        provider.person |= {"sub": name, "threadline_client": clients}
        await browsers[name].log_in()
    ana, shop = browsers["ana"], {"threadline-client": "shop"}
    listed = await ana.get("/v1/sessions")
    check("/v1/sessions", listed)
    found = {one["person"]: one for one in listed.json()["sessions"]}
    assert list(found) == ["ben", "ana"] and found["ana"]["current"] and not found["ben"]["current"]
    assert "bank" not in listed.text and found["ben"]["issuer"] == provider.url
    first = (await ana.get("/v1/sessions?limit=1")).json()
    second = (await ana.get(f"/v1/sessions?limit=1&cursor={first['next']}")).json()
    assert [page["sessions"][0]["person"] for page in (first, second)] == ["ben", "ana"] and second["next"] is None
    assert [one["person"] for one in (await ana.get("/v1/sessions?person=ana")).json()["sessions"]] == ["ana"]

    ids = {name: id for name, id in await rows(postgres_dsn, "SELECT holder, id FROM threadline.sessions")}
    for wrong in (ids["cleo"], uuid4(), "x"):
        refused(await ana.here.delete(f"/v1/sessions/{wrong}", headers=SAME), 404)
    assert await status(browsers["cleo"]) == 200
    refused(await ana.here.delete(f"/v1/sessions/{ids['ben']}"), 403)  # it may be another site's
    assert (await browsers["ben"].get(PATH, **shop)).status_code == 200
    ended = await ana.here.delete(f"/v1/sessions/{ids['ben']}", headers=SAME)
    check("/v1/sessions/{id}", ended)
    assert ended.status_code == 204 and (await browsers["ben"].get(PATH, **shop)).status_code == 401
    refused(await ana.here.delete(f"/v1/sessions/{ids['ben']}", headers=SAME), 404)
    noted = [each for each in await audit(postgres_dsn) if each[1] == "session.end"]
    assert noted == [("person:ana", "session.end", "shop", {"why": "ended", "person": "ben"})]

    assert http.api is not None
    id, token, hash = mint()
    await http.api.store.create_api_key(id, "viewer", "shop", ["sessions:read"], hash)
    viewer = httpx.AsyncClient(
        transport=ana.here._transport, base_url=HERE, headers={"authorization": f"Bearer {token}"}
    )
    assert [one["person"] for one in (await viewer.get("/v1/sessions")).json()["sessions"]] == ["ana"]
    assert refused(await viewer.delete(f"/v1/sessions/{ids['ana']}"), 403)["scope"] == "sessions:write"


async def test_a_stream_does_not_outlive_its_session(http: Http) -> None:
    """It asks whether the session is there, not for its secret, which is replaced meanwhile."""
    browser = Browser(http)
    await browser.log_in()
    assert http.api is not None
    key = (await sessions_of(http).check(browser.secret)).key
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "client": ("198.51.100.7", 1)}
    stream = EventStream(http.api, key, uuid4(), None, Request(scope))
    assert await stream._allowed()
    await browser.here.post("/logout", headers=SAME)
    assert not await stream._allowed()
