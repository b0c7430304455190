"""Every route, asked with and without `personal:read`: what is personal is shown with it, and by no answer without it."""

from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Any

import httpx
import psycopg
import pytest
import pytest_asyncio
from psycopg.types.json import Jsonb

from app.api.audited import AUDITED
from app.http.scopes import PERSONAL, SCOPES
from app.linking import linked
from schemas.events import Error, Handle
from sql.handles import Owned
from sql.personal import seal_value
from sql.sealed import CAUSE, ERROR_TEXT
from tests.conftest import Dsns
from tests.integration.serving import ANA, Served, event, listening, refused, serving
from tests.integration.test_api_openapi import check
from tests.integration.test_api_stream import begun, follow
from tests.integration.test_dead_letters_api import letter
from tests.integration.test_messages_api import settings
from tests.integration.test_permits import NEEDY, paths_of

MAIL, USER = Handle("email", "anastasia.k@private.example"), Handle("user_id", "user-zebrafish-4711")
SHARED = Handle("phone", "+15557654321")
RECORD = b'{"to": "+15551234567", "said": "wombat"}'
#: Everything personal that is sent, as an answer would show it.
DATA = (
    ANA.value, MAIL.value, USER.value, SHARED.value, "zebrafish", "quagga", "wombat", "okapi", "numbat", "axolotl", "kakapo",
    "https://media.example/", b64encode(RECORD).decode(),
)  # fmt: skip
PAYLOAD: dict[str, Any] = {
    "from": ANA.value,
    "displayName": "Anastasia numbat",
    "native": {"Body": "a quagga", "list": [{"wombat": "okapi"}]},
    "content": {
        "text": "a quagga at noon",
        "subject": "wombat",
        "media": [{"url": "https://media.example/wombat.png", "name": "okapi.png", "size": 3}],
        "location": {"name": "the okapi's"},
        "kakapo": "kakapo",
    },
}
#: The routes whose answers hold personal data for who may see it. A new one that does has to be added, and is tried then.
SHOWING = {
    "GET /api/customers",
    "GET /api/customers/{id}/interactions",
    "GET /api/interactions/{id}",
    "GET /v1/customers",
    "GET /v1/customers/{id}",
    "POST /v1/customers/{id}/merge",
    "POST /v1/customers/{id}/link",
    "POST /v1/customers/{id}/split",
    "POST /v1/customers/{id}/unlink",
    "GET /v1/customer-conflicts",
    "GET /v1/recipients/{handle:path}",
    "PUT /v1/recipients/{handle:path}",
    "PUT /v1/recipients/{handle:path}/consents/{channel}",
    "GET /v1/dead-letters",
    "GET /v1/dead-letters/{id}",
    "POST /v1/dead-letters/{id}/replay",
    "GET /v1/messages",
    "GET /v1/messages/{id:path}",
    "GET /v1/messages/{id:path}/explain",
}
#: Those of them whose statement writes the entry of the audit itself.
NOTED = {"POST /v1/dead-letters/{id}/replay"}
STREAM = "GET /api/customers/{id}/interactions/stream"
#: What requests have to say.
QUERIES: dict[str, dict[str, str]] = {
    "GET /api/customers": {"handle": ANA.value},
    "GET /v1/customers": {"handle": ANA.value},
    "GET /v1/messages": {"state": "failed"},
    "DELETE /v1/customers/{id}": {"reason": "a test"},
}
BODIES: dict[str, Any] = {
    "POST /v1/customers/{id}/link": {"handle": SHARED.value, "preview": True},
    "POST /v1/customers/{id}/split": {"handles": [MAIL.value], "preview": True},
    "POST /v1/customers/{id}/unlink": {"handle": ANA.value, "validFrom": "2026-03-03T04:05:06Z", "preview": True},
    "PUT /v1/customers/{id}/hold": {"reason": "a test", "until": "2030-01-01T00:00:00Z"},
    "PUT /v1/recipients/{handle:path}": {"zone": "Europe/Berlin"},
    "PUT /v1/recipients/{handle:path}/consents/{channel}": {"state": "out"},
    "POST /v1/erasures/{id}/refuse": {"reason": "a test"},
    "POST /v1/dead-letters/{id}/replay": {"again": True},
    "POST /v1/dead-letters/{id}/discard": {"reason": "a test"},
    "POST /v1/messages": {"channel": "sms", "to": ANA.value, "body": "a quagga"},
    "POST /v1/{channel}/messages": {"to": ANA.value, "body": "a quagga"},
}


async def _sealed_trouble(served: Served, owner: str, id: str) -> None:
    """Let a message have failed by a provider's words, sealed as a worker seals them."""
    owned = Owned("default", ANA.kind, ANA.value)
    key = await served.store._key(owned, (await served.store._handles({owned}))[owned])
    error = {"code": "30003", "text": seal_value(f"kakapo {ANA.value}", ERROR_TEXT, key), "reason": "unreachable"}
    async with await psycopg.AsyncConnection.connect(owner) as connection:
        await connection.execute("SET search_path = threadline")
        await connection.execute(
            "UPDATE messages SET state = 'failed', error = %s, cause = %s WHERE message_id = %s",
            (Jsonb(error), seal_value("axolotl", CAUSE, key), id),
        )


@pytest_asyncio.fixture
async def served(postgres_dsn: Dsns) -> AsyncIterator[Served]:
    """The API on a database with all that is personal in DATA, of the client `default`."""
    async with serving(postgres_dsn.service, settings(), tuple(SCOPES)) as api:
        await api.append(
            event("MessageReceived", "SM1", payload=PAYLOAD),
            event("MessageFailed", "SM1", 1, error=Error("30003", f"axolotl {ANA.value}", "unreachable")),
            event("InteractionCompleted", "SM1", 2, payload={"note": "a numbat", "agent": "okapi"}),
            event("MessageReceived", "SM2", handle=Handle("phone", "+15551234568")),
        )
        # One customer with three handles, one of which is split off and stated again: a conflict. And a number that many share.
        stated = event("MessageReceived", "SM3", payload={"handles": [{"kind": MAIL.kind, "value": MAIL.value}]})
        await api.append(stated, *linked(stated))
        with_user = event("MessageReceived", "SM4", payload={"handles": [{"kind": USER.kind, "value": USER.value}]})
        await api.append(with_user, *linked(with_user))
        http, customer = api.http, await api.customer()
        assert (await http.post(f"/v1/customers/{customer}/split", json={"handles": [USER.value]})).status_code == 200
        again = event("MessageReceived", "SM5", payload={"handles": [{"kind": USER.kind, "value": USER.value}]})
        await api.append(again, *(one for one in linked(again)))
        for number in range(8):
            many = {"handles": [{"kind": "user_id", "value": f"zebrafish {number}"}]}
            one = event("MessageReceived", f"SH{number}", handle=SHARED, payload=many)
            await api.append(one, *linked(one))
        dead = letter(1, "default", value=RECORD, size=len(RECORD), reason=f"$.to: '{ANA.value}' is no address")
        await api.store.append([], [], [dead])
        yield api


async def requested(served: Served, name: str, path: str, token: str, more: dict[str, Any]) -> httpx.Response:
    """Return the answer of a route to a request that has what it must."""
    headers = {"authorization": f"Bearer {token}"}
    method = name.partition(" ")[0]
    return await served.http.request(
        method, path, headers=headers, params=QUERIES.get(name), json=(BODIES | more).get(name)
    )


def found_in(answer: httpx.Response) -> set[str]:
    """Return what is personal in an answer: in its body, its headers, and as JSON writes it."""
    text = answer.text + str(answer.headers)
    return {one for one in DATA if one in text or one.replace("+", "%2B") in text}


async def test_no_answer_shows_personal_data_without_the_scope(served: Served, postgres_dsn: Dsns) -> None:
    """Each route of the table is asked with all scopes but that one, and then with all: what the first may not see is in no answer, and
    those that hold it for the second are known by name, so that a new route cannot be left out. Masked answers fit the API's description."""
    paths = await paths_of(served)
    await _sealed_trouble(served, postgres_dsn.owner, paths["GET /v1/messages/{id:path}"].rpartition("/")[2])
    other = await served.customer(Handle("phone", "+15551234568"))
    more = {"POST /v1/customers/{id}/merge": {"customerId": str(other), "preview": True}}
    masked, whole = await served.key(*(SCOPES.keys() - {PERSONAL})), await served.key(*SCOPES)
    shown: set[str] = set()
    for token in (masked, whole):
        for name, path in paths.items():
            if name == STREAM:
                continue
            answer = await requested(served, name, path, token, more)
            assert answer.status_code < 500 and not answer.is_redirect, (name, answer.text)
            if token == whole:
                shown |= {name} if found_in(answer) else set()
            elif NEEDY[name].also is not None:
                assert refused(answer, 403)["scope"] == PERSONAL, name
                assert answer.headers["www-authenticate"].endswith(f'scope="{PERSONAL}"')
            else:
                assert not found_in(answer), (name, answer.text)
                if name in SHOWING:
                    assert answer.status_code in (200, 202), (name, answer.text)
                    check(name.partition(" ")[2].replace(":path}", "}"), answer)
    assert shown == SHOWING
    # What shows personal data leaves an entry in the audit.
    assert {name for name in shown if tuple(name.split()) not in AUDITED} == NOTED


async def test_masks_tell_what_is_there(served: Served) -> None:
    """An address by its kind, a text by its length, media by their number; what is not personal stays."""
    await served.ask_as("timeline:read")
    found = (await served.http.get("/api/customers", params={"handle": ANA.value})).json()
    assert {"kind": "phone", "value": "+1 555 ••• ••67"} in found["handles"]
    page = (await served.http.get(await served.path())).json()["interactions"]
    (one,) = (each for each in page if each["content"].get("media") and each["direction"] == "inbound")
    assert one["providerMessageId"] == "•••"
    assert one["address"] == {"kind": "phone", "value": "+1 555 ••• ••67"} and one["provider"] == "twilio"
    assert one["content"]["text"] == "••• (16 characters)" and one["content"]["media"] == [{"•••": "3 keys"}]
    history = (await served.http.get(f"/api/interactions/{one['interactionId']}")).json()
    (received,) = (each for each in history["events"] if each["type"] == "MessageReceived")
    assert received["payload"]["from"] == "+1 555 ••• ••67"


async def test_a_stream_is_masked_for_one_and_whole_for_another(served: Served) -> None:
    """Both read by the same task: what they missed, and what comes."""
    whole, masked = await served.key(*SCOPES), await served.key(*(SCOPES.keys() - {PERSONAL}))
    path = await served.path()
    async with listening(served) as one, listening(served) as other:
        one.headers["authorization"], other.headers["authorization"] = f"Bearer {masked}", f"Bearer {whole}"
        async with follow(one, path, "0-0") as blind, follow(other, path, "0-0") as seeing:
            for reader, sees in ((blind, False), (seeing, True)):
                text = str([told.data for told in await reader.interactions(3)])
                assert any(each in text for each in DATA) == sees
        async with follow(one, path) as blind, follow(other, path) as seeing:
            await begun(blind)
            await begun(seeing)
            await served.append(event("MessageReceived", "SM9", payload=PAYLOAD))
            for reader, sees in ((blind, False), (seeing, True)):
                text = str((await reader.next("interaction")).data)
                assert any(each in text for each in DATA) == sees


async def test_addresses_cannot_be_found_by_trying(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who sees masks may ask for any number of addresses that are known, and for few that are not; then for none, known or not, by none of
    the ways to ask. Who sees addresses has no such limit."""
    served.api.unknown.change(0.001, 5)
    await served.ask_as(*(SCOPES.keys() - {PERSONAL}))
    customer = await served.customer()
    ways: list[tuple[str, str, Any]] = [
        ("GET", "/api/customers", {"params": {"handle": "{}"}}),
        ("GET", "/v1/customers", {"params": {"handle": "{}"}}),
        ("POST", f"/v1/customers/{customer}/link", {"json": {"handle": "{}", "preview": True}}),
        ("POST", f"/v1/customers/{customer}/split", {"json": {"handles": ["{}"], "preview": True}}),
        ("GET", "/v1/recipients/{}", {}),
    ]

    async def asks(way: tuple[str, str, Any], address: str) -> int:
        method, path, more = way
        filled: dict[str, Any] = {
            name: {
                key: [address] if isinstance(value, list) else address if value == "{}" else value
                for key, value in each.items()
            }
            for name, each in more.items()
        }
        return (await served.http.request(method, path.replace("{}", address), **filled)).status_code

    for _ in range(20):
        assert await asks(ways[0], ANA.value) == 200
    for number, way in enumerate(ways):
        assert await asks(way, f"+1555999000{number}") in (200, 404, 409), way
    for way in ways:
        assert await asks(way, "+15559990009") == await asks(way, MAIL.value) == 429, way
    await served.ask_as(*SCOPES)
    for number in range(10):
        assert await asks(ways[0], f"+1555999000{number}") == 404


async def test_a_masked_read_is_audited_as_such(served: Served) -> None:
    """So that who saw a person's data can be told from who saw masks."""
    path = await served.path()
    for scopes in (("timeline:read",), ("timeline:read", PERSONAL)):
        await served.ask_as(*scopes)
        assert (await served.http.get(path)).status_code == 200
    await served.api.audit.finish()
    rows = await served.store.audit_listed(action="timeline.read", limit=2)
    assert [row["detail"].get("masked") for row in rows] == [None, True]


async def test_a_dead_letter_is_audited_under_the_client_that_it_is_of(served: Served, postgres_dsn: Dsns) -> None:
    """Whoever reads, replays or discards it by a key for all clients or of another; a list under each client of its page, and under none
    what is of none."""
    await served.store.append([], [], [letter(2, "shop"), letter(3, None), letter(4, "other")])
    ids = {row["client_id"]: row["id"] for row in await served.store.dead_letters()}
    await served.ask_as(*SCOPES, client="*")
    served.http.headers["threadline-client"] = "reader"
    for id in (ids["shop"], ids[None]):
        assert (await served.http.get(f"/v1/dead-letters/{id}")).status_code == 200
    for what, body in (("replay", {}), ("discard", {"reason": "a test"})):
        id = ids["shop" if what == "replay" else "other"]
        assert (await served.http.post(f"/v1/dead-letters/{id}/{what}", json=body)).status_code in (200, 202)
    assert (await served.http.get("/v1/dead-letters")).status_code == 200
    await served.api.audit.finish()
    entries = await served.store.audit_listed(limit=100)
    seen = {(one["client_id"], one["subject"]) for one in entries if one["action"] == "dead_letter.read"}
    assert seen == {
        ("shop", str(ids["shop"])), ("", str(ids[None])),
        ("", ""), ("default", ""), ("other", ""), ("shop", ""),
    }  # fmt: skip
    changed = {(one["action"], one["client_id"]) for one in entries if one["action"].startswith("dead_letter.")}
    assert {("dead_letter.replay", "shop"), ("dead_letter.discard", "other")} <= changed
    assert not [one for one in entries if one["client_id"] == "reader"]
