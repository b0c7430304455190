"""/v1/customers and `threadline customers` on a real database: what they show, decide, refuse and redirect."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import orjson
import pytest_asyncio

from agents import reported
from app.implied import with_implied
from schemas.events import Handle
from sql.rebuild import rebuild
from tests.conftest import Dsns
from tests.integration.command_line import command, on_store
from tests.integration.serving import ANA, Served, event, serving

BOB = Handle("email", "bob@example.com")


@pytest_asyncio.fixture
async def served(postgres_dsn: Dsns) -> AsyncIterator[Served]:
    """The API on a fresh database with two customers, asked with a key that may decide."""
    async with serving(postgres_dsn.service) as api:
        await api.append(event("MessageReceived", "SM1", handle=ANA), event("MessageReceived", "SM2", 1, handle=BOB))
        await api.ask_as("timeline:read", "customers:write", "personal:read")
        yield api


async def test_merge_split_and_undo(served: Served) -> None:
    """Each answers what moved; the merged id redirects; the record shows handles, opt-outs and who decided."""
    one, other = await served.customer(), await served.customer(BOB)
    looked = await served.http.post(f"/v1/customers/{one}/merge", json={"customerId": str(other), "preview": True})
    assert looked.status_code == 200 and looked.json()["eventId"] is None
    assert looked.json()["moves"]["interactions"] == {"sms": 1}
    assert await served.customer(BOB) == other
    made = await served.http.post(f"/v1/customers/{one}/merge", json={"customerId": str(other), "reason": "one person"})
    assert made.status_code == 200 and made.json()["customerId"] == str(one)
    moved = await served.http.get(f"/v1/customers/{other}")
    assert (moved.status_code, moved.headers["location"]) == (301, f"/v1/customers/{one}")
    assert moved.json() == {"customerId": str(one)}
    shown = (await served.http.get("/v1/customers", params={"handle": "bob@example.com"})).json()
    assert shown["customerId"] == str(one)
    assert [(row["kind"], row["value"]) for row in sorted(shown["handles"], key=lambda row: row["kind"])] == [
        ("email", "bob@example.com"),
        ("phone", ANA.value),
    ]
    assert shown["interactions"] == {"sms": 2} and shown["optedOut"] == {"handles": 0, "of": 2}
    (change,) = shown["changes"]
    assert (change["kind"], change["reason"], change["evidence"]["kind"]) == ("merged", "one person", "client_api")
    parted = await served.http.post(f"/v1/customers/{one}/split", json={"handles": ["bob@example.com"]})
    assert parted.status_code == 200 and str(await served.customer(BOB)) == parted.json()["customerId"]
    undone = await served.http.post(f"/v1/customer-changes/{parted.json()['eventId']}/undo", json={})
    assert undone.status_code == 200 and await served.customer(BOB) == one
    linked = await served.http.post(f"/v1/customers/{one}/link", json={"handle": "bob@example.com"})
    assert linked.json()["eventId"] is None and linked.json()["moves"]["handles"] == []


async def test_an_opt_out_is_shown(served: Served) -> None:
    """With its handle, its channel and what it rests on."""
    await served.append(event("RecipientUnsubscribed", "SM3", payload={"basis": "keyword"}))
    shown = (await served.http.get(f"/v1/customers/{await served.customer()}")).json()
    (one,) = shown["consents"]
    assert (one["channel"], one["state"], one["basis"]) == ("sms", "out", "keyword")
    assert shown["optedOut"] == {"handles": 1, "of": 1}


async def test_a_record_shows_what_its_links_rest_on(served: Served, postgres_dsn: Dsns) -> None:
    """A provider's statement, a service's, both of one pair, and of our number the provider's spelling; a rebuild gives the same."""
    user, other = Handle("user_id", "u-1"), Handle("phone", "+15557654321")
    both = [{"kind": one.kind, "value": one.value} for one in (ANA, user)]
    stated = event("MessageReceived", "SM3", 2, handle=ANA, payload={"handles": both})
    sent = replace(event("UserMessageSent", "SM4", 3, handle=ANA), source="threadline", message_id="m4")
    sent.payload = {"handles": [{"kind": other.kind, "value": other.value}]}
    await served.append(*with_implied([stated]), *with_implied([sent]))
    report = {
        "specversion": "1.0", "id": "r1", "source": "/crm", "type": "message.received", "data":
        {"channel": "sms", "from": ANA.value, "messageId": "r1", "content": {"text": "x"}, "handles": [*both, {"kind": "email", "value": "ana@example.net"}]},
    }  # fmt: skip
    record = SimpleNamespace(
        topic="events.reported", partition=0, offset=0, timestamp=1_795_000_000_000, headers=(), value=orjson.dumps(report)
    )  # fmt: skip
    await served.store.append(reported.prepare(record, 1 << 20).rows)

    async def links() -> list[tuple[str, str, list[str]]]:
        shown = (await served.http.get(f"/v1/customers/{await served.customer()}")).json()["links"]
        assert all(one["since"] for one in shown)
        return sorted(
            (one["handle"]["kind"], one["other"]["kind"], [each["kind"] for each in one["evidence"]]) for one in shown
        )

    expected = [
        ("email", "phone", ["client_api"]),
        ("phone", "phone", ["same_handle"]),
        ("phone", "user_id", ["client_api", "provider_states_both"]),
    ]
    assert await links() == expected
    await rebuild(postgres_dsn.owner)
    assert await links() == expected


async def test_unlinking_and_what_is_refused(served: Served) -> None:
    """A number passes on from a time; what does not fit is refused with the reason, and nothing changes."""
    one = await served.customer()
    passed = await served.http.post(
        f"/v1/customers/{one}/unlink", json={"handle": ANA.value, "validFrom": "2026-02-03T13:00:00Z"}
    )
    assert passed.status_code == 200, passed.text
    assert str(await served.customer()) == passed.json()["customerId"] != str(one)
    record = (await served.http.get(f"/v1/customers/{one}")).json()
    assert record["handles"][0]["validTo"] == "2026-02-03T13:00:00Z" and record["interactions"] == {"sms": 1}
    for path, body, status in (
        (f"/v1/customers/{one}/unlink", {"handle": ANA.value, "validFrom": "2026-02-03T13:00:00Z"}, 409),
        (f"/v1/customers/{one}/unlink", {"handle": ANA.value, "validFrom": "tomorrow"}, 400),
        (
            f"/v1/customers/{passed.json()['customerId']}/unlink",
            {"handle": ANA.value, "validFrom": "2999-01-01T00:00:00Z"},
            409,
        ),
        (f"/v1/customers/{one}/split", {"handles": [ANA.value]}, 409),
        (f"/v1/customers/{one}/split", {"handles": ["bob@example.com"]}, 409),
        (f"/v1/customers/{one}/split", {"handles": []}, 400),
        (f"/v1/customers/{one}/split", {"handles": [1]}, 400),
        (f"/v1/customers/{one}/merge", {"customerId": str(uuid4())}, 404),
        (f"/v1/customers/{one}/merge", {"customerId": "x"}, 400),
        (f"/v1/customers/{one}/merge", {"customer": str(one)}, 400),
        (f"/v1/customers/{one}/merge", {"customerId": str(one), "reason": "x" * 1025}, 400),
        (f"/v1/customers/{uuid4()}/merge", {"customerId": str(one)}, 404),
        (f"/v1/customers/{one}/link", {"handle": "+15559999999"}, 404),
        (f"/v1/customer-changes/{uuid4()}/undo", {}, 404),
        (f"/v1/customer-changes/{uuid4()}/undo", {"preview": True}, 400),
    ):
        answer = await served.http.post(path, json=body)
        assert answer.status_code == status, (path, body, answer.text)
        assert answer.headers["content-type"].startswith("application/problem+json")


async def test_the_command_line_decides_too(served: Served, postgres_dsn: Dsns, tmp_path: Path) -> None:
    """The same decisions by commands; a preview changes nothing; a refusal says why with exit code 1."""
    environment = on_store(postgres_dsn.service, tmp_path)
    one, other = await served.customer(), await served.customer(BOB)
    found = await command("customers", "find", BOB.value, environment=environment)
    assert found.out.strip() == str(other)
    looked = await command("customers", "merge", ANA.value, BOB.value, "--preview", environment=environment)
    assert looked.code == 0 and "moves: interactions sms 1" in looked.out
    assert await served.customer(BOB) == other
    made = await command(
        "customers", "merge", ANA.value, BOB.value, "--yes", "--reason", "one", environment=environment
    )
    (change,) = (await served.http.get(f"/v1/customers/{one}")).json()["changes"]
    assert change["evidence"]["kind"] == "operator"
    assert made.code == 0 and made.out.strip().endswith(str(one)) and "threadline customers undo" in made.err
    shown = await command("customers", "show", str(other), environment=environment)
    assert "merged into" in shown.err and "bob@example.com" in shown.out and "opted out on 0 of 2 handles" in shown.out
    parted = await command("customers", "split", str(one), BOB.value, "--yes", "--json", environment=environment)
    event_id = orjson.loads(parted.out)["eventId"]
    undone = await command("customers", "undo", event_id, environment=environment)
    assert undone.code == 0 and await served.customer(BOB) == one
    again = await command("customers", "undo", event_id, environment=environment)
    assert again.code == 1 and "undone before" in again.err
    none = await command("customers", "conflicts", environment=environment)
    assert none.code == 0 and "No conflicts." in none.out
    wrong = await command("customers", "split", str(one), "+15550001111", "--yes", environment=environment)
    assert wrong.code == 1 and "not this customer's" in wrong.err
