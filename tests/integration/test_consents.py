"""Who wants no messages: folded from the log, the same in any order, rebuilt, and shown and changed by the API and by
hand."""

import random
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters import interpret
from adapters.contract import Request
from app.cli.support.http_file import read_request
from app.http.scopes import SCOPES
from app.sending.consent import consent_event, learned
from schemas.events import Error, Event, Handle
from sql import EventStore
from sql.rebuild import rebuild
from sql.statements import migrations
from tests.conftest import Dsns
from tests.fixtures import accounts, fixtures
from tests.integration.command_line import On, threadline
from tests.integration.serving import ANA, NOON, Served, event, listening, refused, serving
from tests.integration.test_fold import EMPTY
from tests.support.keys import SEAL
from tests.support.opened import opened

LATER = NOON + timedelta(days=1)
CONSENTS = "SELECT to_jsonb(c) FROM threadline.consents c ORDER BY handle_id, channel"
INTERACTIONS = "SELECT to_jsonb(i) - 'last_change' FROM threadline.interactions i ORDER BY id"
PATH = "/v1/recipients/%2B15551234567"


@pytest_asyncio.fixture
async def store(postgres_dsn: Dsns) -> AsyncIterator[EventStore]:
    """The store of a fresh database."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as opened:
        yield opened


@pytest_asyncio.fixture
async def served(postgres_dsn: Dsns) -> AsyncIterator[Served]:
    """The API on a fresh database, asked with a key that may do everything to the client `default`."""
    async with serving(postgres_dsn.service, scopes=list(SCOPES)) as api:
        yield api


async def read(dsn: str, query: str) -> list[Any]:
    async with await psycopg.AsyncConnection.connect(dsn) as db:
        return [row[0] for row in await (await db.execute(query)).fetchall()]


async def tell(store: EventStore, *events: Event, client: str = "default", at: datetime = LATER) -> None:
    """Append events, and what follows from them, received at `at`."""
    await store.append([(each, client, at, None) for one in events for each in (one, *learned(one))])


async def states(store: EventStore, handle: Handle = ANA, client: str = "default") -> dict[str, tuple[bool, str]]:
    """By channel: opted out or not, and what that rests on."""
    return {
        row["channel"]: (row["opted_out"], row["opted_out_basis"] if row["opted_out"] else row["opted_in_basis"])
        for row in await store.consents(client, handle)
    }


def wrote(text: str, id: str, minute: float, **more: Any) -> Event:
    """A message of Ana's."""
    return event("MessageReceived", id, minute, payload={"content": {"text": text}}, **more)


def unsubscribed(id: str, minute: float | None = 0, **more: Any) -> Event:
    """A provider's word that she wants no more."""
    at = None if minute is None else NOON + timedelta(minutes=minute)
    return event("RecipientUnsubscribed", id, **{"provider_message_id": None, "occurred_at": at} | more)


#: Kinds of words: those that a recipient writes, a provider says, and somebody says by hand.
WORDS: list[tuple[str, dict[str, Any]]] = [
    ("MessageReceived", {"payload": {"content": {"text": "STOP"}}}),
    ("MessageReceived", {"payload": {"content": {"text": "START"}}}),
    ("MessageFailed", {"error": Error("21610", None, "opted_out")}),
    ("MessageComplained", {}),
    ("RecipientUnsubscribed", {}),
    ("RecipientSubscribed", {"payload": {"basis": "shop"}}),
    ("RecipientUnsubscribed", {"payload": {"list": "news"}}),
]


@st.composite
def words(draw: st.DrawFn) -> list[Event]:
    """A few of them, of two recipients, some at one time and some without a time."""
    reported: list[Event] = []
    for number in range(draw(st.integers(1, 12))):
        minute = draw(st.sampled_from([None, 0, 1, 2, 3]))
        more: dict[str, Any] = {
            "occurred_at": None if minute is None else NOON + timedelta(minutes=minute),
            "handle": draw(st.sampled_from([ANA, ANA, Handle("email", "ben@example.com")])),
            "channel": draw(st.sampled_from(["sms", "rcs", None])),
        }
        type, own = draw(st.sampled_from(WORDS))
        reported.append(event(type, str(number), **more, **own))
    return reported


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(reported=words(), seed=st.integers(0, 2**32))
async def test_no_order_and_no_repetition_matters(postgres_dsn: Dsns, reported: list[Event], seed: int) -> None:
    """However the same words arrive, the consents are the same, byte for byte; a rebuild gives the very rows; and so
    does the migration that brings the table to a log that is there."""
    rng, seen = random.Random(seed), []
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        for _ in range(3):
            await execute(postgres_dsn.owner, EMPTY)
            await tell_shuffled(store, reported, rng)
            seen.append(await read(postgres_dsn.owner, CONSENTS))
    assert seen[0] == seen[1] == seen[2]

    await rebuild(postgres_dsn.owner)
    assert await read(postgres_dsn.owner, CONSENTS) == seen[0]

    text = migrations()["0010_consents"].decode()
    filling = text[text.index("INSERT INTO consents") :].partition(";")[0]
    await execute(postgres_dsn.owner, "SET search_path = threadline; TRUNCATE consents;" + filling)
    assert await read(postgres_dsn.owner, CONSENTS) == seen[0]


async def execute(dsn: str, text: str) -> None:
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as db:
        await db.execute(text.encode())


async def tell_shuffled(store: EventStore, reported: Sequence[Event], rng: random.Random) -> None:
    """Append them in a random order, some twice, in batches of random sizes."""
    again = [*reported, *(one for one in reported if rng.random() < 0.4)]
    rng.shuffle(again)
    while again:
        size = rng.randint(1, 6)
        await tell(store, *again[:size])
        again = again[size:]


async def test_the_last_word_counts_on_its_channel(store: EventStore) -> None:
    """STOP, then START, then STOP, appended backwards; other channels and other clients have consents of their own."""
    await tell(store, wrote("stop", "3", 3), wrote("START", "2", 2), wrote("STOP", "1", 1))
    assert await states(store) == {"sms": (True, "keyword")}
    await tell(store, wrote("Start", "4", 4))
    assert await states(store) == {"sms": (False, "keyword")}
    await tell(store, wrote("stop", "5", 5, channel="whatsapp"))
    assert await states(store) == {"sms": (False, "keyword"), "whatsapp": (True, "keyword")}
    assert await states(store, client="other") == {}


async def test_of_two_words_at_one_time_the_no_counts(store: EventStore) -> None:
    """A message too many is worse than one too few."""
    await tell(store, unsubscribed("1"), event("RecipientSubscribed", "2"))
    assert await states(store) == {"sms": (True, "told")}


async def test_a_clock_ahead_of_ours_does_not_win(store: EventStore) -> None:
    """A keyword counts no later than its receipt, so that a later one can undo it."""
    await tell(store, unsubscribed("1", 60), at=NOON)
    await tell(store, wrote("START", "2", 1), at=NOON + timedelta(minutes=2))
    assert await states(store) == {"sms": (False, "keyword")}


async def test_a_word_without_a_channel_is_about_all(store: EventStore) -> None:
    """It has a row of its own, which no word on one channel undoes."""
    await tell(store, unsubscribed("1", 1, channel=None), wrote("START", "2", 2))
    assert await states(store) == {"*": (True, "told"), "sms": (False, "keyword")}


@pytest.mark.parametrize("key", ["list", "unsubscribeGroup"])
async def test_a_list_of_a_providers_is_not_all_mail(store: EventStore, key: str) -> None:
    """Who leaves one list still gets what is not of it; who leaves nothing named gets no more."""
    await tell(store, unsubscribed("1", 1, payload={key: "news"}), unsubscribed("2", 1, handle=None))
    assert await states(store) == {}


@pytest.mark.parametrize(("name", "out"), [("inbound_stop", True), ("inbound_start", False)])
async def test_a_provider_that_tells_it_too_does_no_harm(
    store: EventStore, postgres_dsn: Dsns, name: str, out: bool
) -> None:
    """Twilio's own word beside ours: one consent, and one message with the fact at one time, as with Twilio's alone."""
    (path,) = [path for path in fixtures("twilio") if path.stem == name]
    came = read_request(path.read_bytes())
    request = Request(came.method, came.url(), came.headers, came.body, accounts("twilio", name).at, "twilio")
    events = interpret(request, "twilio").events
    assert [len(learned(one)) for one in events] == [1, 0]
    handle = events[0].handle
    assert handle is not None
    await store.append([(one, "default", LATER, None) for one in events])
    alone, before = await read(postgres_dsn.owner, INTERACTIONS), await store.consents("default", handle)
    await tell(store, *events)

    assert await read(postgres_dsn.owner, INTERACTIONS) == alone
    (one,), (other,) = await store.consents("default", handle), before
    assert one["opted_out"] is other["opted_out"] is out
    assert (one["opted_out_at"], one["opted_in_at"]) == (other["opted_out_at"], other["opted_in_at"])


async def test_a_profile_is_not_the_logs(store: EventStore, postgres_dsn: Dsns) -> None:
    """A rebuild leaves it; the same again is no change; a client sees its own."""
    assert await store.profile("default", ANA) is None
    first = await store.set_profile("default", ANA, zone="Europe/Lisbon")
    assert await store.set_profile("default", ANA, zone="Europe/Lisbon") == first
    await rebuild(postgres_dsn.owner)
    assert await store.profile("default", ANA) == first
    assert await store.profile("other", ANA) is None
    changed = await store.set_profile("default", ANA, zone=None)
    assert changed["zone"] is None and changed["changed_at"] > first["changed_at"]


async def test_a_recipient_nobody_spoke_of_may_be_written_to(served: Served) -> None:
    """No zone and no consents: that is an answer, not a fault."""
    response = await served.http.get(PATH)
    assert response.status_code == 200
    assert response.json() == {"handle": {"kind": "phone", "value": "+15551234567"}, "zone": None, "consents": []}
    headers = {"if-none-match": response.headers["etag"]}
    assert (await served.http.get(PATH, headers=headers)).status_code == 304


async def test_consents_are_shown_with_their_times_and_evidence(served: Served) -> None:
    """One that holds has no `until`; one that was taken back has both times."""
    await tell(served.store, wrote("STOP", "1", 1), wrote("START", "2", 2))
    await tell(served.store, event("MessageComplained", "3", 3, channel="email"), event("RecipientSubscribed", "4", 4, channel="rcs"))  # fmt: skip
    reported = (await served.http.get(PATH)).json()["consents"]
    assert reported == [
        {"channel": "email", "state": "out", "since": "2026-02-03T12:03:00Z", "until": None, "basis": "complaint"},
        {"channel": "rcs", "state": "in", "since": None, "until": "2026-02-03T12:04:00Z", "basis": "told"},
        {"channel": "sms", "state": "in", "since": "2026-02-03T12:01:00Z", "until": "2026-02-03T12:02:00Z", "basis": "keyword"},
    ]  # fmt: skip


async def test_a_consent_is_changed_by_an_event_that_names_the_key(served: Served, postgres_dsn: Dsns) -> None:
    """The log is the only truth: a rebuild keeps consents that were set by hand."""
    out = await served.http.put(f"{PATH}/consents/sms", json={"state": "out"})
    everywhere = await served.http.put(f"{PATH}/consents/*", json={"state": "out"})
    back = await served.http.put(f"{PATH}/consents/sms", json={"state": "in"})
    for response in (out, everywhere, back):
        assert response.status_code == 200, response.text
    reported = back.json()["consents"]
    assert [(one["channel"], one["state"], one["basis"]) for one in reported] == [
        ("*", "out", "api"),
        ("sms", "in", "api"),
    ]
    assert back.json() == (await served.http.get(PATH)).json()

    log = "SELECT jsonb_build_array(type, source, channel) FROM threadline.events ORDER BY position"
    said_by_hand = await read(postgres_dsn.owner, log)
    payloads = await opened(postgres_dsn.service, "SELECT type, payload FROM events ORDER BY position")
    assert said_by_hand == [
        ["RecipientUnsubscribed", "threadline", "sms"],
        ["RecipientUnsubscribed", "threadline", None],
        ["RecipientSubscribed", "threadline", "sms"],
    ]
    assert all(row["payload"]["basis"] == "api" and row["payload"]["agent"].startswith("key ") for row in payloads)
    await rebuild(postgres_dsn.owner)
    assert (await served.http.get(PATH)).json() == back.json()


async def test_a_zone_is_noted_and_forgotten(served: Served) -> None:
    """A name of the zone database, or null."""
    put = await served.http.put(PATH, json={"zone": "Europe/Lisbon"})
    assert (put.status_code, put.json()["zone"]) == (200, "Europe/Lisbon")
    assert (await served.http.get(PATH)).json() == put.json()
    assert (await served.http.put(PATH, json={"zone": None})).json()["zone"] is None


@pytest.mark.parametrize(
    ("handle", "channel"),
    [
        ("ana%40example.com", "email"), ("device_token:a%2Fb%2Fc", "push"), ("device_token:https:%2F%2Fpush.example%2Fx", "push"),
        ("%2B1%20555%20123-4567", "sms"),
    ],
)  # fmt: skip
async def test_every_handle_can_be_named(served: Served, handle: str, channel: str) -> None:
    """Slashes and all; what is put is what is got. On a channel that does not reach it, it is refused: it would stop
    nothing."""
    put = await served.http.put(f"/v1/recipients/{handle}/consents/{channel}", json={"state": "out"})
    assert put.status_code == 200, put.text
    got = await served.http.get(f"/v1/recipients/{handle}")
    assert got.json() == put.json()
    assert [one["channel"] for one in got.json()["consents"]] == [channel]
    other = "sms" if channel != "sms" else "email"
    refused = await served.http.put(f"/v1/recipients/{handle}/consents/{other}", json={"state": "out"})
    assert 400 <= refused.status_code < 500 and other in refused.json()["detail"]


async def test_a_handle_comes_whole_through_a_real_server(served: Served) -> None:
    """What is encoded in the path is decoded once: a slash, a plus, a percent sign."""
    async with listening(served) as http:
        for text in ("device_token:a/b+c%2Fd", "+15551234567"):
            reported = (await http.get(f"/v1/recipients/{quote(text, safe='')}")).json()
            assert reported["handle"]["value"] == text.removeprefix("device_token:")


@pytest.mark.parametrize(
    ("path", "body", "parameter"),
    [
        (PATH, {"zone": "Lisbon"}, "zone"),
        (PATH, {"zone": "../../etc/passwd"}, "zone"),
        (PATH, {"zone": "europe/lisbon"}, "zone"),
        (PATH, {"zone": "localtime"}, "zone"),
        (PATH, {"zone": ""}, "zone"),
        (PATH, {"zone": 1}, "zone"),
        (PATH, {}, None),
        (PATH, {"zone": "UTC", "name": "Ana"}, None),
        (PATH, ["zone"], None),
        ("/v1/recipients/a@b@c", {"zone": "UTC"}, "handle"),
        ("/v1/recipients/", {"zone": "UTC"}, "handle"),
        ("/v1/recipients/x%00y", {"zone": "UTC"}, "handle"),
        (f"{PATH}?zone=UTC", {"zone": "UTC"}, "zone"),
        (f"{PATH}/consents/pigeon", {"state": "out"}, "channel"),
        (f"{PATH}/consents/sms", {"state": "maybe"}, "state"),
        (f"{PATH}/consents/sms", {"state": None}, "state"),
        (f"{PATH}/consents/sms", {"zone": "UTC"}, None),
    ],
)
async def test_what_does_not_fit_is_refused_by_name(
    served: Served, postgres_dsn: Dsns, path: str, body: Any, parameter: str | None
) -> None:
    """400, with the parameter at fault, and nothing written."""
    assert refused(await served.http.put(path, json=body), 400).get("parameter") == parameter
    for table in ("events", "consents", "profiles"):
        assert await read(postgres_dsn.owner, f"SELECT count(*) FROM threadline.{table}") == [0]


async def test_bodies_are_bounded_and_json(served: Served) -> None:
    """Too long, not JSON, without the content type of JSON."""
    json = {"content-type": "application/json"}
    refused(await served.http.put(PATH, content=b'{"zone":"' + b"x" * 5000 + b'"}', headers=json), 413)
    refused(await served.http.put(PATH, content=b"{", headers=json), 400)
    refused(await served.http.put(PATH, content=b"{}", headers={"content-type": "text/plain"}), 415)


async def test_a_key_does_what_its_scopes_say_for_its_client(served: Served) -> None:
    """Reading is not writing, timelines are not recipients, and another client's recipient is another."""
    reads = {"authorization": f"Bearer {await served.key('recipients:read')}"}
    writes = {"authorization": f"Bearer {await served.key('recipients:write')}"}
    timelines = {"authorization": f"Bearer {await served.key('timeline:read', 'personal:read')}"}
    others = {"authorization": f"Bearer {await served.key('recipients:read', client='other')}"}
    consent = f"{PATH}/consents/sms"
    assert (await served.http.put(consent, json={"state": "out"}, headers=writes)).status_code == 200
    assert len((await served.http.get(PATH, headers=reads)).json()["consents"]) == 1
    assert (await served.http.get(PATH, headers=others)).json()["consents"] == []
    for headers, scope in ((reads, "recipients:write"), (timelines, "recipients:write")):
        assert refused(await served.http.put(consent, json={"state": "in"}, headers=headers), 403)["scope"] == scope
        assert refused(await served.http.put(PATH, json={"zone": "UTC"}, headers=headers), 403)["scope"] == scope
    assert refused(await served.http.get(PATH, headers=timelines), 403)["scope"] == "recipients:read"
    refused(await served.http.get(PATH, headers={"authorization": "x"}), 401)
    assert set((await served.http.delete(PATH)).headers["allow"].split(", ")) == {"GET", "HEAD", "PUT"}


async def test_commands_show_and_change(store: EventStore, postgres_dsn: Dsns, tmp_path: Path) -> None:
    """`threadline recipients`: what it prints is what the store has, and what is invalid is refused with an error."""
    where: On = {"dsn": postgres_dsn.service, "data": tmp_path}
    nothing = await threadline("recipients", "show", "+15551234567", **where)
    assert (nothing.code, "no consent on record" in nothing.out) == (0, True)
    out = await threadline("recipients", "opt-out", "+1 555 123-4567", "--channel", "sms", **where)
    assert (out.code, await states(store)) == (0, {"sms": (True, "api")}), out.err
    back = await threadline("recipients", "opt-in", "+15551234567", "--channel", "sms", **where)
    assert (back.code, await states(store)) == (0, {"sms": (False, "api")})
    await threadline("recipients", "opt-out", "+15551234567", "--client", "shop", **where)
    assert await states(store, client="shop") == {"*": (True, "api")}
    zone = await threadline("recipients", "zone", "+15551234567", "Europe/Lisbon", **where)
    assert zone.code == 0 and "Europe/Lisbon" in zone.out and "sms" in zone.out
    for arguments in (
        ("show", "a@b@c"),
        ("zone", "+15551234567", "Lisbon"),
        ("opt-out", "+15551234567", "--channel", "x"),
    ):
        ran = await threadline("recipients", *arguments, **where)
        assert (ran.code, ran.out) == (2, "")
        assert ran.err and "Traceback" not in ran.err


async def test_what_is_said_by_hand_is_said_each_time(store: EventStore) -> None:
    """Two words are two events: the later undoes what came between."""
    now = datetime(2026, 2, 4, tzinfo=UTC)
    for number, state in enumerate(("out", "in", "out")):
        at = now + timedelta(seconds=number)
        await store.append([(consent_event(ANA, "sms", state, "key 1", at, str(number)), "default", at, None)])
    assert await states(store) == {"sms": (True, "api")}
