"""Every route in which a caller can name an address, a customer or a message: whether somebody opted out is told to who may know it, and
by no answer to anybody else."""

import json
import re
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import httpx
import pytest
import pytest_asyncio
from psycopg.types.json import Jsonb

from app.api.audited import AUDITED
from app.http.permits import ENVELOPES
from app.http.scopes import CONSENTS, PERSONAL, ROLES, SCOPES
from app.linking import linked
from app.sending.consent import consent_event
from schemas.events import Handle
from tests.conftest import Dsns
from tests.integration.serving import NOON, Served, event, refused, serving
from tests.integration.test_api_openapi import check
from tests.integration.test_masked import SHOWING
from tests.integration.test_messages_api import URL, settings
from tests.integration.test_permits import NEEDY

LATER = "2099-01-01T00:00:00Z"
#: The routes whose answers tell an opt-out to who may know it. A new one that does has to be added, and is tried then without the right.
TELLING = {
    "GET /v1/customers",
    "GET /v1/customers/{id}",
    "POST /v1/customers/{id}/merge",
    "POST /v1/customers/{id}/link",
    "POST /v1/customers/{id}/split",
    "POST /v1/customers/{id}/unlink",
    "GET /v1/recipients/{handle:path}",
    "PUT /v1/recipients/{handle:path}",
    "PUT /v1/recipients/{handle:path}/consents/{channel}",
    "GET /v1/messages/{id:path}/explain",
}
#: Not compared: a ZIP with its time of making, and what says nothing before something happens.
APART = {"GET /v1/customers/{id}/export", "GET /api/customers/{id}/interactions/stream"}


class Person(NamedTuple):
    """A customer with two addresses, a message of his, and one to him that waits."""

    phone: Handle
    mail: Handle
    customer: str
    interaction: str
    message: str


async def _person(served: Served, number: int) -> Person:
    phone, mail = Handle("phone", f"+1555765000{number}"), Handle("email", f"person{number}@example.com")
    stated = {"content": {"text": "Hello"}, "handles": [{"kind": mail.kind, "value": mail.value}]}
    said = event("MessageReceived", f"SM{number}", handle=phone, payload=stated)
    await served.append(said, *linked(said))
    customer = str(await served.customer(phone))
    page = (await served.http.get(f"/api/customers/{customer}/interactions")).json()["interactions"]
    request = {"channel": "sms", "to": phone.value, "body": "Hello", "notBefore": LATER}
    message = (await served.http.post(URL, json=request)).json()["messageId"]
    return Person(phone, mail, customer, page[0]["interactionId"], message)


class Told(NamedTuple):
    """The API, who opted out, who did not, and a third customer."""

    served: Served
    out: Person
    not_out: Person
    third: Person


@pytest_asyncio.fixture
async def told(postgres_dsn: Dsns) -> AsyncIterator[Told]:
    """Two customers who differ in the opt-out of one alone."""
    async with serving(postgres_dsn.service, settings(), tuple(SCOPES)) as served:
        one, other, third = [await _person(served, number) for number in range(3)]
        await served.append(consent_event(one.phone, "sms", "out", "a test", NOON, "out"))
        yield Told(served, one, other, third)


def _path(name: str, whose: Person) -> str:
    """Return the path of a route that names this person, his interaction or his message."""
    path = name.partition(" ")[2].replace(":path}", "}")
    id = whose.message if path.startswith("/v1/messages") else whose.customer
    id = whose.interaction if path.startswith("/api/interactions") else id
    return path.format(id=id, n=0, name="twilio", handle=whose.phone.value, channel="sms")


def _body(name: str, whose: Person, third: Person) -> Any:
    """Return what a request has to say about this person."""
    to = {"to": whose.phone.value, "body": "Hello", "notBefore": LATER}
    bodies: dict[str, Any] = {
        "POST /v1/customers/{id}/merge": {"customerId": third.customer, "preview": True},
        "POST /v1/customers/{id}/link": {"handle": third.phone.value, "preview": True},
        "POST /v1/customers/{id}/split": {"handles": [whose.phone.value], "preview": True},
        "POST /v1/customers/{id}/unlink": {"handle": whose.phone.value, "validFrom": "2026-03-03T04:05:06Z", "preview": True},
        "PUT /v1/customers/{id}/hold": {"reason": "a test", "until": "2030-01-01T00:00:00Z"},
        "PUT /v1/recipients/{handle:path}": {"zone": "Europe/Berlin"},
        "PUT /v1/recipients/{handle:path}/consents/{channel}": {"state": "in"},
        "POST /v1/messages": {"channel": "sms"} | to,
        "POST /v1/{channel}/messages": to,
        "POST /v1/messages/cancel": {"filter": {"state": "queued"}, "dryRun": True},
        "POST /v1/messages/release": {"filter": {"state": "held"}, "dryRun": True},
    }  # fmt: skip
    return bodies.get(name)


async def _asked(told: Told, name: str, whose: Person) -> httpx.Response:
    query = {"handle": whose.phone.value} if name in ("GET /api/customers", "GET /v1/customers") else {}
    query |= {"reason": "a test"} if name == "DELETE /v1/customers/{id}" else {}
    query |= {"state": "queued"} if name == "GET /v1/messages" else {}
    method, body = name.partition(" ")[0], _body(name, whose, told.third)
    return await told.served.http.request(method, _path(name, whose), params=query or None, json=body)


def _alike(answer: httpx.Response) -> str:
    """Return an answer without ids, times and what else differs of any two people, and with its lists in one order."""
    text = re.sub(r"\d{4}-\d\d-\d\dT[0-9:.]+Z", "TIME", answer.text)
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID", text)
    text = re.sub(r'(?<="position":)\d+', "0", text)
    text = re.sub(
        r'SM\d|person\d|\+1555765000\d|•+\d\d|(?<="next":)"[^"]+"',
        lambda found: '"…"' if found[0][0] == '"' else "…",
        text,
    )
    document = json.loads(text) if "json" in answer.headers.get("content-type", "") else text
    return f"{answer.status_code} {json.dumps(_ordered(document), sort_keys=True)}"


def _ordered(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _ordered(value) for key, value in node.items()}
    return sorted(map(_ordered, node), key=json.dumps) if isinstance(node, list) else node


#: Requests that end what others need come last.
ENDING = (
    "PUT /v1/recipients/{handle:path}/consents/{channel}",
    "POST /v1/messages/{id:path}/cancel",
    "POST /v1/messages/{id:path}/release",
    "DELETE /v1/customers/{id}",
)
ORDER = [*(name for name in NEEDY if name not in ENDING and name not in APART), *ENDING]


@pytest.mark.parametrize("may", sorted(CONSENTS))
async def test_every_telling_route_tells_it_who_may_know(told: Told, may: str) -> None:
    """By either scope: the answers about both people differ. (The scope `recipients:read` is that of a route, too.)"""
    scopes = (SCOPES.keys() - CONSENTS) | {may}
    await told.served.ask_as(*scopes)
    differ = set()
    for name in ORDER:
        one, other = [_alike(await _asked(told, name, whose)) for whose in (told.out, told.not_out)]
        differ |= {name} if one != other else set()
    reading = {"GET /v1/recipients/{handle:path}"}
    assert differ == (TELLING if may != PERSONAL else TELLING - reading)


@pytest.mark.parametrize("zoned", [False, True])
async def test_no_answer_tells_it_who_may_not_know(told: Told, zoned: bool) -> None:
    """With all other scopes: the answers about both are the same but for ids, times and masks, and fit the description; so they are where
    the zone of both is known."""
    if zoned:
        for whose in (told.out, told.not_out):
            await told.served.store.set_profile("default", whose.phone, zone="Europe/Berlin")
    await told.served.ask_as(*(SCOPES.keys() - CONSENTS))
    for name in ORDER:
        answers = [await _asked(told, name, whose) for whose in (told.out, told.not_out)]
        one, other = map(_alike, answers)
        assert one == other, name
        assert all(answer.status_code < 500 for answer in answers), (name, one)
        if name in TELLING:
            if name == "GET /v1/recipients/{handle:path}":
                assert refused(answers[0], 403)["scope"] == "recipients:read"
                continue
            assert answers[0].status_code == 200, (name, one)
            check(name.partition(" ")[2].replace(":path}", "}"), answers[0])
            assert "opted out of" not in one, name


async def test_roles_that_do_not_see_people_learn_no_opt_out_from_explain(told: Told) -> None:
    """Neither of a message that waits, by whatever state; one who may know is told that it will not be sent."""
    async with told.served.store._pool.connection() as connection:
        await connection.execute(
            "UPDATE messages SET state = 'held', due_at = now() + interval '1 day', cause = 'a window'"
        )
    paths = [f"{URL}/{whose.message}/explain" for whose in (told.out, told.not_out)]
    for name, role in ROLES.items():
        if "messages:read" not in role.scopes:
            continue
        await told.served.ask_as(*role.scopes)
        kinds = [[one["kind"] for one in (await told.served.http.get(at)).json()["reasons"]] for at in paths]
        if CONSENTS.isdisjoint(role.scopes):
            assert kinds == [["notBefore", "consent"]] * 2, name
        else:
            assert kinds == [["ending"], ["notBefore"]], name
    assert {name for name, role in ROLES.items() if CONSENTS.isdisjoint(role.scopes)} == {"operator", "developer"}


async def test_who_may_only_change_consents_is_told_what_he_changed(told: Told) -> None:
    """Not what else is known of the recipient: neither an opt-out of another channel nor the zone."""
    http = told.served.http
    await told.served.store.set_profile("default", told.out.phone, zone="Europe/Berlin")
    await told.served.ask_as("recipients:write")
    at = f"/v1/recipients/{told.out.phone.value}"
    set_ = (await http.put(f"{at}/consents/whatsapp", json={"state": "out"})).json()
    assert set_ == {"handle": {"kind": "phone", "value": "+1 555 ••• ••00"}, "zone": None, "consents": None}
    assert (await http.put(at, json={"zone": "Asia/Tokyo"})).json() == set_ | {"zone": "Asia/Tokyo"}
    await told.served.ask_as("recipients:read")
    known = (await http.get(at)).json()
    assert {one["channel"]: one["state"] for one in known["consents"]} == {"sms": "out", "whatsapp": "out"}


async def test_the_outcome_of_a_send_is_told_to_who_sent_it(told: Told) -> None:
    """That a message ended since its recipient opted out is said by its reason; the provider's words are masked."""
    error = {"code": None, "text": "the recipient opted out of sms", "reason": "opted_out"}
    async with told.served.store._pool.connection() as connection:
        await connection.execute(b"UPDATE messages SET state = 'failed', error = %(error)s", {"error": Jsonb(error)})
    await told.served.ask_as("messages:read", "messages:write")
    ended = (await told.served.http.get(f"{URL}/{told.out.message}")).json()
    assert (ended["state"], ended["error"]["reason"]) == ("failed", "opted_out")


def test_every_route_that_shows_personal_data_is_audited() -> None:
    """By the table of routes; a replay of a dead letter writes its entry itself. The envelopes show nothing."""
    audited = {f"{method} {path}" for method, path in AUDITED}
    assert {*SHOWING} - audited == {"POST /v1/dead-letters/{id}/replay"}
    assert not {ENVELOPES} & audited
