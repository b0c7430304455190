"""/v1/clients on a real database: versions, preconditions, accounts, and whose key may what."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio
from pydantic import SecretStr

from app.settings import Callbacks, Secrets, Settings, Source
from tests.conftest import Dsns
from tests.integration.serving import Served, refused, serving
from tests.support.keys import KEY

SHOP = "/v1/clients/shop"
TWILIO = f"{SHOP}/accounts/twilio"
ACCOUNT: dict[str, Any] = {"adapter": "twilio", "settings": {"account_sid": "AC1", "auth_token": "hidden-token"}}
GATEWAY = {"adapter": "jasmin", "client": "shop", "username": "u", "password": "operators"}
SMS: dict[str, Any] = {"channels": [{"channel": "sms", "account": "twilio"}]}


def settings(*keys: str) -> Settings:
    """With these keys, and one source of the client `shop`."""
    return Settings(
        secrets=Secrets(keys=[SecretStr(key) for key in keys]),
        callbacks=Callbacks(http_hosts=["localhost"]),
        sources={"gateway": Source.model_validate(GATEWAY)},
    )


@pytest_asyncio.fixture
async def served(postgres_dsn: Dsns) -> AsyncIterator[Served]:
    """The API on a fresh database, asked with a key of the client `shop` for both scopes."""
    async with serving(postgres_dsn.service, settings(KEY), ("clients:read", "clients:write"), "shop") as api:
        yield api


async def test_a_client_configures_itself(served: Served) -> None:
    """An account, a configuration, another, and both versions: what was put is what is shown, and what sending
    reads."""
    http = served.http
    added = await http.put(TWILIO, json=ACCOUNT)
    assert added.status_code == 201
    assert added.json()["settings"] == {"account_sid": ["AC1"]} and added.json()["secrets"] == ["auth_token"]
    first = await http.put(SHOP, json=SMS)
    assert (first.status_code, first.headers["etag"]) == (201, '"1"')
    second = await http.put(SHOP, json=SMS | {"zone": "Europe/Lisbon"})
    assert (second.status_code, second.headers["etag"]) == (200, '"2"')
    read = await http.get(SHOP)
    assert read.headers["etag"] == '"2"'
    reported = read.json()
    assert reported.pop("createdAt").endswith("Z")
    assert reported == {
        "clientId": "shop",
        "version": 2,
        "actor": "key:test",
        "configuration": SMS | {"zone": "Europe/Lisbon"},
    }
    assert (await http.get("/v1/clients")).json()["clients"] == [read.json()]
    versions = (await http.get(f"{SHOP}/versions")).json()
    assert [(one["version"], one["configuration"]) for one in versions["versions"]] == [
        (2, SMS | {"zone": "Europe/Lisbon"}),
        (1, SMS),
    ]
    assert versions["next"] is None
    assert (await served.api.clients.client("shop")).version == 2
    audit = [(one["actor"], one["action"]) for one in await served.store.audit("shop")]
    assert audit == [("key:test", "client.set"), ("key:test", "client.set"), ("key:test", "account.set")]


async def test_a_change_of_this_process_counts_at_once(served: Served) -> None:
    """Who put it and sends by the same process need not wait for what was remembered to grow old."""
    await served.http.put(TWILIO, json=ACCOUNT)
    for zone in ("Europe/Lisbon", "Europe/Paris"):
        await served.http.put(SHOP, json=SMS | {"zone": zone})
        client = await served.api.clients.client("shop")
        assert client.zone == zone
    for sid in ("AC1", "AC2"):
        await served.http.put(TWILIO, json={"adapter": "twilio", "settings": {"account_sid": sid}})
        assert (await served.api.clients.account(client, "twilio")).values["account_sid"] == (sid,)


async def test_the_sources_are_shown_as_version_0(served: Served) -> None:
    """What the settings imply can be read, and be the base of the first version."""
    reported = await served.http.get(SHOP)
    assert (reported.headers["etag"], reported.json()["version"]) == ('"0"', 0)
    document = reported.json()["configuration"]
    assert document == {"channels": [{"channel": "sms", "account": "gateway"}]}
    put = await served.http.put(SHOP, json=document | {"expiresAfter": 60}, headers={"if-match": '"0"'})
    assert (put.status_code, put.json()["version"]) == (201, 1)


async def test_a_stale_version_is_refused(served: Served) -> None:
    """412 with the version that counts; nothing is written. The same document again makes no version."""
    http = served.http
    await http.put(TWILIO, json=ACCOUNT)
    await http.put(SHOP, json=SMS, headers={"if-none-match": "*"})
    other = SMS | {"expiresAfter": 5}
    for header in ({"if-none-match": "*"}, {"if-match": '"2"'}, {"if-match": '"0"'}):
        response = await http.put(SHOP, json=other, headers=header)
        refused(response, 412)
        assert response.headers["etag"] == '"1"'
    assert (await http.put(SHOP, json=SMS, headers={"if-match": '"1"'})).headers["etag"] == '"1"'
    assert (await http.put(SHOP, json=other, headers={"if-match": '"1"'})).headers["etag"] == '"2"'
    for version in ('"1", "2"', "2", 'W/"2"', '"x"'):
        assert refused(await http.put(SHOP, json=SMS, headers={"if-match": version}), 400)["parameter"] == "If-Match"


async def test_of_two_at_once_one_wins(served: Served) -> None:
    """Both change version 1; one has 200, the other 412, and there is one version more."""
    http = served.http
    await http.put(TWILIO, json=ACCOUNT)
    await http.put(SHOP, json=SMS)
    puts = (http.put(SHOP, json=SMS | {"expiresAfter": n}, headers={"if-match": '"1"'}) for n in (1, 2))
    assert sorted(one.status_code for one in await asyncio.gather(*puts)) == [200, 412]
    assert (await http.get(SHOP)).headers["etag"] == '"2"'


async def test_etag_spares_the_answer(served: Served) -> None:
    """304 to who has the version; the settings' version 0 is always sent."""
    await served.http.put(TWILIO, json=ACCOUNT)
    assert (await served.http.get(SHOP, headers={"if-none-match": '"0"'})).status_code == 200
    await served.http.put(SHOP, json=SMS)
    again = await served.http.get(SHOP, headers={"if-none-match": '"1"'})
    assert (again.status_code, again.content) == (304, b"")
    assert (await served.http.get(SHOP, headers={"if-none-match": '"2"'})).status_code == 200


async def test_versions_come_in_pages(served: Served) -> None:
    """Newest first, each once."""
    await served.http.put(TWILIO, json=ACCOUNT)
    for n in range(1, 6):
        await served.http.put(SHOP, json=SMS | {"expiresAfter": n})
    seen, query = [], {"limit": "2"}
    while True:
        page = (await served.http.get(f"{SHOP}/versions", params=query)).json()
        seen += [one["version"] for one in page["versions"]]
        if page["next"] is None:
            break
        query["before"] = str(page["next"])
    assert seen == [5, 4, 3, 2, 1]
    for query in ({"limit": "0"}, {"before": "x"}, {"before": "-1"}, {"after": "1"}):
        assert refused(await served.http.get(f"{SHOP}/versions", params=query), 400)["parameter"] in query


async def test_secrets_are_shown_nowhere(served: Served) -> None:
    """Neither in what answers the put, nor in the list; the operator's own are not either."""
    reported = [await served.http.put(TWILIO, json=ACCOUNT)]
    reported += [await served.http.get(f"{SHOP}/accounts"), await served.http.put(SHOP, json=SMS)]
    reported += [await served.http.get(path) for path in (SHOP, f"{SHOP}/versions", "/v1/clients")]
    assert all(one.status_code in (200, 201) for one in reported)
    assert not any(secret in one.text for one in reported for secret in ("hidden-token", "operators"))
    gateway, twilio = reported[1].json()["accounts"]
    assert (gateway["origin"], gateway["settings"], gateway["secrets"]) == (
        "settings",
        {"username": ["u"]},
        ["password"],
    )
    assert (twilio["origin"], twilio["secrets"], twilio["trusted"]) == ("store", ["auth_token"], False)


async def test_a_key_cannot_make_its_account_trusted(served: Served) -> None:
    """Which addresses may be private is the operator's to say; putting his account anew takes his word off it."""
    assert refused(await served.http.put(TWILIO, json=ACCOUNT | {"trusted": True}), 422)["path"] == "$.trusted"
    await served.http.put(TWILIO, json=ACCOUNT)
    row = await served.store.account("shop", "twilio")
    assert row is not None and row["trusted"] is False


async def test_accounts_are_removed_unless_a_channel_goes_by_them(served: Served) -> None:
    """409 while one does; then 204, then 404."""
    http = served.http
    await http.put(TWILIO, json=ACCOUNT)
    await http.put(SHOP, json=SMS)
    assert "sms" in refused(await http.delete(TWILIO), 409)["detail"]
    change = {"adapter": "smtp", "settings": {"host": "mail.example.com"}}
    assert refused(await http.put(TWILIO, json=change), 422)["path"] == "$.adapter"
    await http.put(SHOP, json={"channels": [{"channel": "sms", "account": "gateway"}]})
    assert (await http.delete(TWILIO)).status_code == 204
    for path in (TWILIO, f"{SHOP}/accounts/gateway", f"{SHOP}/accounts/%00"):
        refused(await http.delete(path), 404)


UNFIT: list[tuple[str, Any, str]] = [
    (SHOP, {}, "$.channels"),
    (SHOP, [], "$"),
    (SHOP, SMS | {"x": 1}, "$.x"),
    (SHOP, {"channels": [{"channel": "sms", "account": "nobody's"}]}, "$.channels[0].account"),
    (SHOP, {"channels": [{"channel": "sms", "account": "none"}]}, "$.channels[0].account"),
    (SHOP, SMS | {"callback": {"url": "http://10.0.0.1/"}}, "$.callback.url"),
    (SHOP, SMS | {"exempt": ["\x00"]}, "$.exempt[0]"),
    (TWILIO, {"adapter": "twilio", "settings": {"auth_tokn": "hidden-token"}}, "$.settings['auth_tokn']"),
    (f"{SHOP}/accounts/a%20b", ACCOUNT, "$"),
]


async def test_what_does_not_fit_is_reported_with_its_path(served: Served) -> None:
    """422 with a JSONPath, and never the value."""
    for path, document, place in UNFIT:
        problem = refused(await served.http.put(path, json=document), 422)
        assert (path, problem["path"]) == (path, place)
        assert "hidden-token" not in problem["detail"]


async def test_a_document_is_told_all_that_is_wrong_with_it(served: Served) -> None:
    """In `errors`, of which the first is that of `path`; at most twenty, with the number of the others."""
    document = SMS | {"x": "hidden-token", "zone": "Mars", "windows": {"sms": {"mon": ["9-20"]}, "email": {}}}
    problem = refused(await served.http.put(SHOP, json=document), 422)
    assert {one["path"] for one in problem["errors"]} == {
        "$.x", "$.zone", "$.windows.sms.mon[0]", "$.windows.email", "$.channels[0].account",
    }  # fmt: skip
    assert problem["errors"][0] == {"path": problem["path"], "detail": problem["detail"]}
    assert "hidden-token" not in str(problem) and "moreErrors" not in problem
    problem = refused(await served.http.put(SHOP, json=SMS | {f"x{n}": n for n in range(30)}), 422)
    assert (len(problem["errors"]), problem["moreErrors"]) == (20, 11)
    assert "errors" not in refused(await served.http.put(SHOP, json=SMS), 422)


async def test_a_callback_to_a_host_of_the_setting_needs_no_https(served: Served) -> None:
    """For a receiver beside it, in development."""
    await served.http.put(TWILIO, json=ACCOUNT)
    callback = {"url": "http://localhost:9000/hook"}
    assert (await served.http.put(SHOP, json=SMS | {"callback": callback})).status_code == 201
    client = await served.api.clients.client("shop")
    assert client.callback is not None and client.callback.url == callback["url"]


async def test_a_body_is_json_of_bounded_size(served: Served) -> None:
    """400, 413 (also without a Content-Length), 415; nesting is borne."""
    http, json = served.http, {"content-type": "application/json"}

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(300):
            yield b" " * 1024

    refused(await http.put(SHOP, content=b'{"channels": ', headers=json), 400)
    refused(await http.put(SHOP, content=b"\xff", headers=json), 400)
    refused(await http.put(SHOP, content=b"", headers=json), 400)
    refused(await http.put(SHOP, content=b"[" * 100_000, headers=json), 400)
    refused(await http.put(SHOP, content=b" " * ((256 << 10) + 1), headers=json), 413)
    refused(await http.put(SHOP, content=endless(), headers=json), 413)
    refused(await http.put(SHOP, content=b"{}", headers={"content-type": "text/plain"}), 415)
    deep = b'{"channels": ' + b"[" * 500 + b"]" * 500 + b"}"
    refused(await http.put(SHOP, content=deep, headers=json), 422)


CALLS = [
    ("GET", "/v1/clients", "clients:read"),
    ("GET", SHOP, "clients:read"),
    ("GET", f"{SHOP}/versions", "clients:read"),
    ("GET", f"{SHOP}/accounts", "clients:read"),
    ("PUT", SHOP, "clients:write"),
    ("PUT", TWILIO, "clients:write"),
    ("DELETE", TWILIO, "clients:write"),
]


async def test_each_call_needs_its_scope(served: Served) -> None:
    """401 without a key; 403, which names the scope, with a key for all but that."""
    for method, path, scope in CALLS:
        refused(await served.http.request(method, path, headers={"authorization": ""}), 401)
        other = "clients:read" if scope == "clients:write" else "clients:write"
        token = await served.key("timeline:read", "webhooks:write", other, client="shop")
        response = await served.http.request(method, path, headers={"authorization": f"Bearer {token}"})
        assert refused(response, 403)["scope"] == scope


async def test_a_key_sees_and_changes_its_own_client_alone(served: Served) -> None:
    """Of another one the answer does not show whether it exists, and nothing of it changes."""
    await served.http.put(TWILIO, json=ACCOUNT)
    await served.http.put(SHOP, json=SMS)
    token = await served.key("clients:read", "clients:write", client="other")
    for path in (SHOP, "/v1/clients/nobody"):
        for method, tail in (("GET", ""), ("GET", "/versions"), ("GET", "/accounts"), ("PUT", "")):
            headers = {"authorization": f"Bearer {token}"}
            refused(await served.http.request(method, path + tail, headers=headers, json=SMS), 404)
        for method in ("PUT", "DELETE"):
            refused(await served.http.request(method, f"{path}/accounts/twilio", headers=headers, json=ACCOUNT), 404)
    assert (await served.http.get("/v1/clients", headers=headers)).json() == {"clients": []}
    assert len(await served.store.audit("shop")) == 2
    assert await served.store.audit("other") == await served.store.audit("nobody") == []


async def test_other_methods_are_refused_with_those_that_there_are(served: Served) -> None:
    """405, and `Allow` names all of them; HEAD is GET without the body."""
    for path, allowed in ((SHOP, {"GET", "HEAD", "PUT"}), (TWILIO, {"PUT", "DELETE"})):
        response = await served.http.post(path, json={})
        refused(response, 405)
        assert set(response.headers["allow"].split(", ")) == allowed
    head = await served.http.head(SHOP)
    assert (head.status_code, head.headers["etag"]) == (200, '"0"')


async def test_without_a_key_to_encrypt_with_accounts_are_not_taken(postgres_dsn: Dsns) -> None:
    """503: the operator has to mend that, and how is in his log and page, not in the client's answer."""
    async with serving(postgres_dsn.service, settings()) as served:
        token = await served.key("clients:read", "clients:write", client="shop")
        headers = {"authorization": f"Bearer {token}"}
        refused(await served.http.put(TWILIO, json=ACCOUNT, headers=headers), 503)
        assert await served.store.accounts() == []
