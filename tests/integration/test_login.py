"""People log in with a browser: into which session, with what they may do, and what is refused. The provider and the database are real
servers; the browser is one of the test's own."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

import httpx
import psycopg
import pytest
import pytest_asyncio

from app.http.app import Http
from app.http.discovery import _trusted
from app.login.people import ANSWERS_BURST
from app.login.provider import AGAIN
from app.login.sessions import COOKIE
from app.settings import Api, Login
from app.settings.identity import Identity
from tests.conftest import Dsns
from tests.integration.logged_in import HERE, SAME, Browser, identity, process
from tests.integration.serving import NOON, event, refused
from tests.support.issuer import OTHER_KEY, RSA_KEY, rsa_jwk
from tests.support.provider import CLI, WEB, Provider, providing


@pytest_asyncio.fixture
async def provider() -> AsyncIterator[Provider]:
    """A provider that is up."""
    async with providing() as made:
        yield made


@pytest_asyncio.fixture
async def http(postgres_dsn: Dsns, provider: Provider, tmp_path: Path) -> AsyncIterator[Http]:
    """The HTTP process, whose people log in by the provider."""
    async with process(postgres_dsn.service, tmp_path, identity=identity(provider)) as made:
        yield made


async def rows(dsns: Dsns, query: str, *values: Any) -> list[Any]:
    """Return the rows of a query as the owner."""
    async with await psycopg.AsyncConnection.connect(dsns.owner) as connection:
        return await (await connection.execute(query, values)).fetchall()


async def audit(dsns: Dsns) -> list[tuple[str, str, str, dict[str, Any]]]:
    """Return the audit: actor, action, client, detail."""
    return await rows(dsns, "SELECT actor, action, client_id, detail FROM threadline.audit ORDER BY position")


async def test_a_person_logs_in_works_and_logs_out(http: Http, provider: Provider, postgres_dsn: Dsns) -> None:
    """The provider is asked with PKCE (S256), state and nonce; the session is of the claims, for the token's client; the database has no
    secret of it; reads are audited as the person's; after the log-out the cookie is worth nothing, and the provider ends its session."""
    browser = Browser(http)
    assert http.api is not None
    await http.api.store.append([(event("MessageReceived", "SM1"), "shop", NOON, None)])
    welcome = await browser.get("/")
    assert welcome.status_code == 200 and 'href="/login"' in welcome.text
    answer = await browser.log_in("/login?next=/api/customers%3Fhandle%3D%252B15551234567")
    (asked,) = provider.requests
    assert asked["client_id"] == WEB and asked["code_challenge_method"] == "S256" and asked["scope"] == "openid"
    assert len({asked["state"], asked["nonce"], asked["code_challenge"]}) == 3
    assert answer.status_code == 303 and answer.headers["location"] == "/api/customers?handle=%2B15551234567"
    session, attempt = answer.headers.get_list("set-cookie")
    assert session.startswith(f"{COOKIE}=") and session.endswith("; Path=/; Secure; HttpOnly; SameSite=Lax")
    assert attempt.startswith("__Host-threadline-login=;") and attempt.endswith("Max-Age=0")
    found = await browser.get(answer.headers["location"])
    assert found.status_code == 200 and found.json()["handles"]
    refused(await browser.get("/v1/clients"), 403)
    page = await browser.get("/")
    assert "<dd>ana</dd>" in page.text and "<dd>shop</dd>" in page.text and "timeline:read" in page.text
    policy = page.headers["content-security-policy"]
    assert f"form-action 'self' {provider.url};" in policy and "default-src 'none'" in policy
    assert page.headers["referrer-policy"] == "same-origin"

    secret = browser.secret
    assert secret is not None
    stored = await rows(postgres_dsn, "SELECT row_to_json(s)::text, length(hash) FROM threadline.sessions s")
    assert len(stored) == 1 and secret not in stored[0][0] and stored[0][1] == 32
    out = await browser.here.post("/logout", headers=SAME)
    assert out.status_code == 303 and out.headers["location"].startswith(f"{provider.url}/end_session?client_id={WEB}&")
    assert browser.secret is None
    again = await browser.get("/api/customers", cookie=f"{COOKIE}={secret}")
    assert "Log in again" in refused(again, 401)["detail"]
    assert await rows(postgres_dsn, "SELECT id FROM threadline.sessions") == []
    await http.api.audit.finish()
    entries = await audit(postgres_dsn)
    # A read is written within a second, so it may stand before or after the log-out.
    assert sorted(each[:3] for each in entries if each[0] == "person:ana") == [
        ("person:ana", "customer.read", "shop"),
        ("person:ana", "session.end", "shop"),
        ("person:ana", "session.start", "shop"),
    ]
    assert [each[3] for each in entries if each[1] == "session.end"] == [{"why": "logout"}]
    assert not [each for each in entries if secret in str(each)]


WRONG_ANSWERS: list[dict[str, Any]] = [
    {"state": "x" * 43},
    {"state": ""},
    {"code": "made-up"},
    {"code": "x" * 5000},
    {"iss": "https://evil.example"},
    {"iss": None},
    {"code": None, "error": "access_denied"},
    {"code": None, "error": "<script>"},
    {"code": None},
]


async def test_an_answer_that_is_wrong_in_one_thing_starts_no_session(http: Http, postgres_dsn: Dsns) -> None:
    """Of another log-in, with an invented code, of another provider (RFC 9207), or a refusal. The page shows text as text."""
    for changed in WRONG_ANSWERS:
        browser = Browser(http)
        back = httpx.URL(await browser.until_callback())
        parameters = {name: value for name, value in {**dict(back.params), **changed}.items() if value is not None}
        answer = await browser.get(str(back.copy_with(params=parameters)))
        assert answer.status_code == 401 and "Not logged in" in answer.text and browser.secret is None, changed
        assert "<script" not in answer.text and answer.headers["content-type"].startswith("text/html")
    assert await rows(postgres_dsn, "SELECT id FROM threadline.sessions") == []


async def test_an_answer_is_good_in_the_browser_that_asked_and_once(http: Http) -> None:
    """A code that was carried into another browser logs nobody in there, nor does one that was used."""
    first, second = Browser(http), Browser(http)
    back = await first.until_callback()
    assert (await second.get(back)).status_code == 401 and second.secret is None
    await second.get("/login")
    assert (await second.get(back)).status_code == 401 and second.secret is None
    attempt = first.here.cookies.get("__Host-threadline-login")
    assert (await first.get(back)).status_code == 303 and first.secret is not None
    assert first.here.cookies.get("__Host-threadline-login") is None
    third = Browser(http)
    assert (await third.get(back, cookie=f"__Host-threadline-login={attempt}")).status_code == 401


async def test_a_wrong_code_verifier_is_refused_by_the_provider(http: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a code that was read on its way is worth nothing."""
    browser = Browser(http)
    back = await browser.until_callback()
    monkeypatch.setattr("app.login.attempts.Attempt.verifier", "x" * 43)
    answer = await browser.get(back)
    assert answer.status_code == 401 and "PKCE" in answer.text and browser.secret is None


WRONG_CLAIMS: list[dict[str, Any]] = [
    {"aud": "threadline"},
    {"aud": CLI},
    {"aud": [WEB, "another"]},
    {"aud": [WEB, "another"], "azp": "another"},
    {"azp": "another"},
    {"nonce": "x" * 43},
    {"nonce": None},
    {"exp": 1},
    {"iss": "https://evil.example"},
    {"sub": None},
]


async def test_an_id_token_that_is_not_for_us_starts_no_session(http: Http, provider: Provider) -> None:
    """For another client, of another log-in, expired, or of another issuer."""
    for claims in WRONG_CLAIMS:
        provider.id_claims = claims
        browser = Browser(http)
        assert (await browser.log_in()).status_code == 401 and browser.secret is None, claims
    provider.id_claims = {"aud": [WEB, "another"], "azp": WEB}
    browser = Browser(http)
    assert (await browser.log_in()).status_code == 303 and browser.secret is not None


async def test_keys_may_rotate_and_forged_ones_do_not_count(http: Http, provider: Provider) -> None:
    """A log-in after the provider changed its keys succeeds at once; one that a key signed that is not published does not."""
    assert (await Browser(http).log_in()).status_code == 303
    provider.key = OTHER_KEY
    assert (await Browser(http).log_in()).status_code == 401
    provider.keys = [rsa_jwk(OTHER_KEY, "a")]
    people = http.api.people if http.api else None
    assert people is not None
    people.providers[""].tokens._keys._tried = None  # as if half a minute had passed
    people.providers[""].tokens._keys._fetched = None
    assert (await Browser(http).log_in()).status_code == 303
    provider.key = RSA_KEY
    assert (await Browser(http).log_in()).status_code == 401


async def test_who_is_known_and_not_let_in_is_noted(postgres_dsn: Dsns, provider: Provider, tmp_path: Path) -> None:
    """Without a client, and without the second factor that the settings demand; the provider is asked for it."""
    strong = identity(provider, acr=["gold"], amr=["otp"])
    async with process(postgres_dsn.service, tmp_path, identity=strong) as http:
        browser = Browser(http)
        provider.id_claims = {"acr": "gold", "amr": ["pwd"]}
        answer = await browser.log_in()
        assert answer.status_code == 403 and "stronger login" in answer.text and browser.secret is None
        assert provider.requests[0]["acr_values"] == "gold"
        provider.id_claims = {"acr": "gold", "amr": ["pwd", "otp"], "threadline_client": None}
        answer = await browser.log_in()
        assert answer.status_code == 403 and "no client" in answer.text and browser.secret is None
        provider.id_claims = {"acr": "gold", "amr": ["pwd", "otp"]}
        assert (await browser.log_in()).status_code == 303
        assert http.api is not None
        await http.api.audit.finish()
    entries = [each for each in await audit(postgres_dsn) if each[1] == "session.refused"]
    assert [(actor, detail["why"]) for actor, _, _, detail in entries] == [
        ("person:ana", "a stronger log-in is demanded"),
        ("person:ana", "no client"),
    ]


async def test_other_sites_cannot_use_the_cookie(http: Http, provider: Provider, postgres_dsn: Dsns) -> None:
    """What changes something needs to be shown to be ours, by Sec-Fetch-Site or Origin; reads by other sites' scripts are refused too, and
    each refusal is counted in the audit. A bearer token needs neither, and wins over the cookie."""
    provider.person["roles"] = ["administrator"]
    browser = Browser(http)
    await browser.log_in()
    path, consent = "/v1/recipients/%2B15551234567/consents/sms", {"state": "out"}
    for headers in ({}, {"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}):
        refused(await browser.here.put(path, json=consent, headers=headers), 403)
        assert (await browser.here.post("/logout", headers=headers)).status_code == 403
    assert http.api is not None
    await http.api.audit.finish()
    counted = "SELECT sum((detail->>'requests')::int) FROM threadline.audit WHERE action = 'access.refused'"
    assert [count for (count,) in await rows(postgres_dsn, counted)] == [8]
    crossing = {"sec-fetch-site": "same-site", "sec-fetch-mode": "cors"}
    refused(await browser.get("/v1/clients", **crossing), 403)
    for headers in ({"origin": HERE}, SAME):
        answer = await browser.here.put(path, json=consent, headers=headers)
        assert answer.status_code == 200, answer.text
    token = provider.token(scope="recipients:write")
    bearer = {"authorization": f"Bearer {token}", "sec-fetch-site": "cross-site"}
    assert (await browser.here.put(path, json=consent, headers=bearer)).status_code == 200
    refused(await browser.here.put(path, json=consent, headers={"authorization": "Bearer x"} | SAME), 401)


async def test_a_session_of_several_clients_names_one_in_each_request(http: Http, provider: Provider) -> None:
    """In the header, and only one of its own."""
    provider.person |= {"threadline_client": ["shop", "bank"], "roles": ["administrator"]}
    browser = Browser(http)
    await browser.log_in()
    assert "bank, shop" in (await browser.get("/")).text
    assert refused(await browser.get("/v1/clients"), 400)["parameter"] == "Threadline-Client"
    for named, status in (("shop", 200), ("bank", 200), ("other", 403), ("*", 400), ("", 400), ("a/b", 400)):
        assert (await browser.get("/v1/clients", **{"threadline-client": named})).status_code == status, named


async def test_two_issuers_have_people_of_their_own(postgres_dsn: Dsns, provider: Provider, tmp_path: Path) -> None:
    """The page offers both; an answer of one is no answer of the other; the same subject of both is two persons."""
    async with providing() as other:
        other.keys, other.key = [rsa_jwk(OTHER_KEY, "a")], OTHER_KEY
        given = {"one": identity(provider), "two": identity(other)}
        async with process(postgres_dsn.service, tmp_path, issuers=given) as http:
            browser = Browser(http)
            for page in ("/", "/login"):
                text = (await browser.get(page)).text
                assert "/login?issuer=one" in text and "/login?issuer=two" in text
            assert (await browser.get("/login?issuer=three")).status_code == 404
            mixed = await browser.until_callback("/login?issuer=one")
            await browser.get("/login?issuer=two")
            assert (await browser.get(mixed)).status_code == 401
            await browser.log_in("/login?issuer=two")
            assert "<dd>two/ana</dd>" in (await browser.get("/")).text
            refused(
                await browser.here.post(
                    "/login/back-channel", data={"logout_token": provider.logout_token(iss=other.url)}
                ),
                400,
            )
            assert (
                await browser.here.post("/login/back-channel", data={"logout_token": provider.logout_token()})
            ).status_code == 200
            assert "Logged in" in (await browser.get("/")).text  # the other issuer's person
    assert (await audit(postgres_dsn))[0][0] == "person:two/ana"


async def test_while_the_provider_is_away_nobody_logs_in_and_sessions_go_on(http: Http, provider: Provider) -> None:
    """The person is told; who is in stays, and can log out."""
    browser = Browser(http)
    await browser.log_in()
    provider.states = "https://evil.example"
    people = http.api.people if http.api else None
    assert people is not None
    people.providers[""]._until = 0.0
    answer = await Browser(http).get("/login")
    assert answer.status_code == 503 and answer.headers["retry-after"]
    page = await browser.get("/")
    assert "<dd>ana</dd>" in page.text and "form-action 'self';" in page.headers["content-security-policy"]
    out = await browser.here.post("/logout", headers=SAME)
    assert out.status_code == 303 and out.headers["location"] == "/" and browser.secret is None


async def test_a_provider_that_is_away_is_asked_once_for_all_who_come(http: Http, provider: Provider) -> None:
    """Nor does anybody make this process load certificates each time: it takes webhooks too. Seconds later it is asked again."""
    browser = Browser(http)
    provider.status = 503
    answers = await asyncio.gather(*(browser.get("/login") for _ in range(50)))
    assert {answer.status_code for answer in answers} == {503} and provider.described == 1
    assert _trusted() is _trusted()
    provider.status = 200
    people = http.api.people if http.api else None
    assert people is not None and people.providers[""]._until < time.monotonic() + AGAIN
    assert (await browser.get("/login")).status_code == 503 and provider.described == 1
    people.providers[""]._until = 0.0
    assert (await browser.log_in()).status_code == 303 and provider.described > 1


async def test_answers_are_limited_by_the_network_of_a_site(http: Http) -> None:
    """As one site has 2^64 addresses of version 6."""
    found = []
    for number in range(ANSWERS_BURST + 30):
        transport = httpx.ASGITransport(http, client=(f"2001:db8::{number:x}", 1))
        async with httpx.AsyncClient(transport=transport, base_url=HERE) as there:
            found.append((await there.get("/login/callback?code=x&state=y")).status_code)
    assert set(found) == {401, 429}


@pytest.mark.parametrize("description", [None, "open", "key"])
async def test_where_nobody_logs_in_a_page_says_what_this_is(
    postgres_dsn: Dsns, tmp_path: Path, description: Literal["open", "key"] | None
) -> None:
    """To who opens the URL; it leads to the description only where that is for everybody."""
    api = Api(description=description)
    async with process(postgres_dsn.service, tmp_path, Login(), identity=Identity(), api=api) as http:
        browser = Browser(http)
        front = await browser.get("/")
        assert front.status_code == 200 and "<h1>Threadline</h1>" in front.text and "login_client_id" in front.text
        assert ('href="/docs"' in front.text) is (description != "key")
        for found in re.findall('href="([^"]+)"', front.text):
            assert (await browser.get(found)).status_code in (200, 503)
        login = await browser.get("/login")
        assert login.status_code == 404 and 'href="/"' in login.text and "login_client_id" in login.text
        for answer in (front, login):
            assert answer.headers["content-type"].startswith("text/html")
            assert "<script" not in answer.text and "default-src 'none'" in answer.headers["content-security-policy"]


async def test_where_nobody_logs_in_there_are_no_such_pages(
    postgres_dsn: Dsns, provider: Provider, tmp_path: Path
) -> None:
    """With an issuer of tokens alone."""
    async with process(postgres_dsn.service, tmp_path, Login(), identity=provider.identity()) as http:
        browser = Browser(http)
        refused(await browser.get("/login/callback"), 404)
        refused(await browser.here.post("/logout"), 404)
        refused(await browser.get("/v1/clients", cookie=f"{COOKIE}={'x' * 43}"), 401)
