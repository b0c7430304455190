"""Erasures that wait for a second person: who may approve, when, and that nothing is destroyed before."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from psycopg.errors import CheckViolation

from agents.health import WorkerHealth
from agents.process.erasures import Erasures
from app.http.access import Access
from app.http.issued import Tokens
from app.http.tokens import mint
from app.settings import Settings
from app.settings.erasing import Erasure
from sql import EventStore
from sql.approvals import NotWaiting, SameParty
from sql.origin import ORIGIN, Origin
from sql.parties import party_of
from tests.conftest import Dsns
from tests.integration.command_line import command, on_store
from tests.integration.erasures import ANA, filled, read, settings
from tests.integration.serving import Served, refused, serving
from tests.integration.test_api_openapi import check
from tests.support.issuer import running
from tests.support.keys import SEAL

ALL = ("customers:erase", "customers:hold", "timeline:read", "personal:read", "audit:read")
APPROVED = Settings(erasure=Erasure(approval=True))
REASON = {"reason": "asked for it"}


async def key(served: Served, name: str, client: str = "shop", by: Origin | None = None) -> dict[str, str]:
    """Return the header of a new key of this name, made by `by`; by default each by a user of its own."""
    id, token, hash = mint()
    before = ORIGIN.set(by or Origin(f"cli:{name}"))
    await served.store.create_api_key(id, name, client, list(ALL), hash)
    ORIGIN.reset(before)
    return {"authorization": f"Bearer {token}"}


async def asked(served: Served, whose: UUID, by: dict[str, str]) -> str:
    """Ask for an erasure; return where it is."""
    answer = await served.http.delete(f"/v1/customers/{whose}", params=REASON, headers=by)
    assert answer.status_code == 202 and answer.json()["state"] == "waiting", answer.text
    at: str = answer.headers["location"]
    return at


async def expire(dsns: Dsns) -> None:
    """Let the time of all that waits be over."""
    async with await psycopg.AsyncConnection.connect(dsns.owner) as db:
        await db.execute("UPDATE threadline.erasure_requests SET expires_at = now() - interval '1 second'")


async def test_nothing_is_destroyed_before_a_second_person_approves(postgres_dsn: Dsns, tmp_path: Path) -> None:
    """Not by the worker, nor are messages cancelled; who asked cannot approve, nor a key of the same name, nor another client's. Then it
    goes its way, and the audit names both."""
    async with serving(postgres_dsn.service, APPROVED, ALL, "shop") as served:
        http, whose = served.http, await filled(served.store)
        clerk, officer = await key(served, "clerk"), await key(served, "officer")
        at = await asked(served, whose, clerk)
        assert await asked(served, whose, officer) == at  # not an approval
        worker = Erasures(served.store, settings(tmp_path), WorkerHealth())
        await worker.once()
        assert (await http.get(f"/api/customers/{whose}/interactions")).status_code == 200
        before = await read(postgres_dsn.owner, "SELECT count(*) FROM erasures")
        assert before == [0] and await served.customer(ANA, "shop") == whose
        assert "cancelled" not in await read(postgres_dsn.owner, "SELECT state FROM messages")

        for same in (clerk, await key(served, "clerk")):
            refused(await http.post(f"{at}/approve", headers=same), 403)
        refused(await http.post(f"{at}/approve", headers=await key(served, "officer", "other")), 404)
        listed = await http.get("/v1/erasures", headers=officer)
        check("/v1/erasures", listed)
        (one,) = listed.json()["erasures"]
        assert (one["state"], one["approval"]["askedBy"], one["approval"]["decidedBy"]) == (
            "waiting",
            "key:clerk",
            None,
        )

        approved = await http.post(f"{at}/approve", headers=officer)
        check("/v1/erasures/{id}/approve", approved)
        assert approved.status_code == 202 and approved.json()["state"] == "requested"
        assert refused(await http.post(f"{at}/approve", headers=officer), 409)["state"] == "approved"
        assert refused(await http.post(f"{at}/refuse", json=REASON, headers=officer), 409)["state"] == "approved"
        await worker.once()
        done = await http.get(at, headers=clerk)
        check("/v1/erasures/{id}", done)
        assert done.json()["state"] == "completed" and done.json()["receipt"]
        assert done.json()["approval"]["decidedBy"] == "key:officer"
        assert (await http.get("/v1/erasures", headers=officer)).json() == {"erasures": []}
    actions = "SELECT actor || ' ' || action FROM audit WHERE action ~ '^(customer.erase$|erasure)' ORDER BY position"
    assert await read(postgres_dsn.owner, actions) == [
        "key:clerk erasure.ask",
        "key:officer erasure.approve",
        "key:officer customer.erase",
    ]


async def test_two_approvals_at_once_are_one(postgres_dsn: Dsns) -> None:
    """And an approval and a refusal at once are one of the two; the others see which."""
    async with serving(postgres_dsn.service, APPROVED, ALL, "shop") as served:
        whose = await filled(served.store)
        at = await asked(served, whose, await key(served, "clerk"))
        keys = [await key(served, f"officer {number}") for number in range(6)]
        posts = [served.http.post(f"{at}/approve", headers=one) for one in keys[:5]]
        posts.append(served.http.post(f"{at}/refuse", json=REASON, headers=keys[5]))
        answers = [each.status_code for each in await asyncio.gather(*posts)]
        assert sorted(answers)[1:] == [409] * 5 and sorted(answers)[0] in (200, 202)
    made = await read(postgres_dsn.owner, "SELECT count(*) FROM erasures")
    decided = await read(
        postgres_dsn.owner, "SELECT action FROM audit WHERE action IN ('erasure.approve', 'erasure.refuse')"
    )
    assert made == [int(202 in answers)] and decided == ["erasure.approve" if 202 in answers else "erasure.refuse"]


async def test_what_is_refused_or_too_old_cannot_be_approved(postgres_dsn: Dsns) -> None:
    """It can be asked for anew, as another one. Who asked may withdraw it."""
    async with serving(postgres_dsn.service, APPROVED, ALL, "shop") as served:
        http, whose = served.http, await filled(served.store)
        clerk, officer = await key(served, "clerk"), await key(served, "officer")
        first = await asked(served, whose, clerk)
        refused(await http.post(f"{first}/refuse", json={"reason": " "}, headers=officer), 400)
        withdrawn = await http.post(f"{first}/refuse", json=REASON, headers=clerk)
        check("/v1/erasures/{id}/refuse", withdrawn)
        assert (
            withdrawn.json()["state"] == "refused" and withdrawn.json()["approval"]["refusalReason"] == REASON["reason"]
        )
        assert refused(await http.post(f"{first}/approve", headers=officer), 409)["state"] == "refused"
        second = await asked(served, whose, clerk)
        await expire(postgres_dsn)
        assert (await http.get(second, headers=clerk)).json()["state"] == "expired"
        assert refused(await http.post(f"{second}/approve", headers=officer), 409)["state"] == "expired"
        third = await asked(served, whose, clerk)
        assert len({first, second, third}) == 3
        assert (await http.get(second, headers=clerk)).json()["state"] == "expired"
        assert (await http.post(f"{third}/approve", headers=officer)).status_code == 202
        for id in ("x", UUID(int=7)):
            refused(await http.post(f"/v1/erasures/{id}/approve", headers=officer), 404)


async def test_a_hold_and_an_erasure_by_another_way_come_first(postgres_dsn: Dsns, tmp_path: Path) -> None:
    """423 while it is held, 409 when nothing is left; in both cases it still waits."""
    async with serving(postgres_dsn.service, APPROVED, ALL, "shop") as served:
        http, whose = served.http, await filled(served.store)
        at, officer = await asked(served, whose, await key(served, "clerk")), await key(served, "officer")
        until = {"reason": "lawsuit 7", "until": "2036-01-01T00:00:00Z"}
        assert (await http.put(f"/v1/customers/{whose}/hold", json=until)).status_code == 200
        assert refused(await http.post(f"{at}/approve", headers=officer), 423)["reason"] == "lawsuit 7"
        assert (await http.delete(f"/v1/customers/{whose}/hold")).status_code == 204
        assert await served.store.request_erasure("shop", whose, "a test") is not None
        await Erasures(served.store, settings(tmp_path), WorkerHealth()).once()
        assert refused(await http.post(f"{at}/approve", headers=officer), 409)["state"] == "waiting"
        assert (await http.get(at, headers=officer)).json()["state"] == "waiting"


async def test_a_person_is_one_by_a_token_and_a_session(postgres_dsn: Dsns) -> None:
    """Whichever of the two asks, the other cannot approve; another person can."""
    async with serving(postgres_dsn.service, APPROVED, ALL, "shop") as served, running() as issuer:
        whose, store = await filled(served.store), served.store
        served.api.access = Access(store, tokens=Tokens(issuer.identity()))
        token = issuer.token(threadline_client="shop", scope=" ".join(ALL), sub="ana")
        ana = {"authorization": f"Bearer {token}"}
        request = await store.erasure_request(UUID((await asked(served, whose, ana)).rpartition("/")[2]))
        assert request is not None and request["actor"] == "token:ana"
        ORIGIN.set(Origin("person:ana"))
        with pytest.raises(SameParty):
            await store.approve_erasure(request)
        ORIGIN.set(Origin("person:ben"))
        await store.approve_erasure(request)
        with pytest.raises(NotWaiting, match="approved"):
            await store.approve_erasure(request)


def test_who_an_actor_is() -> None:
    """By the name at the issuer, by a key's name, or by the user of the machine."""
    assert party_of("token:staff/ana") == party_of("person:staff/ana") != party_of("person:partner/ana")
    assert len({party_of(each) for each in ("key:ana", "cli:ana", "person:ana", "issuer:ana")}) == 4


async def test_the_database_refuses_an_approval_by_who_asked(postgres_dsn: Dsns) -> None:
    """Whatever a program does."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        whose = await filled(store)
        ORIGIN.set(Origin("key:clerk", makers=("cli:ana",)))
        assert await store.ask_erasure("shop", whose, "a test", timedelta(days=1)) is not None
    async with await psycopg.AsyncConnection.connect(postgres_dsn.service) as db:
        for party in ("'key:clerk'", "NULL"):
            with pytest.raises(CheckViolation):
                await db.execute(
                    f"UPDATE threadline.erasure_requests SET decision = 'approved', decided_at = now(), decided_party = {party}"
                )
            await db.rollback()
        for parties in ("{key:officer,cli:ana}", "{key:officer,unknown}"):
            with pytest.raises(CheckViolation):
                await db.execute(
                    "UPDATE threadline.erasure_requests SET decision = 'approved', decided_at = now(), decided_party = 'key:officer', "
                    f"decided_parties = '{parties}'"
                )
            await db.rollback()


async def test_the_command_line_waits_too(postgres_dsn: Dsns, tmp_path: Path) -> None:
    """`erase` asks, the same user cannot approve, and what somebody else asked for is erased at once when it is approved."""
    environment = on_store(postgres_dsn.service, tmp_path) | {"THREADLINE_ERASURE__APPROVAL": "true"}
    async with serving(postgres_dsn.service, APPROVED, ALL, "shop") as served:
        whose = await filled(served.store)
        erase = ("customers", "erase", ANA.value, "--client", "shop", "--reason", "a test", "--yes")
        waits = await command(*erase, environment=environment)
        assert (
            waits.code == 0 and "waits for a second person" in waits.out and await served.customer(ANA, "shop") == whose
        )
        listed = await command("erasure", "list", environment=environment)
        assert "waiting" in listed.out
        (row,) = await served.store.erasure_requests("shop")
        id = str(row["id"])
        own = await command("erasure", "approve", id, "--yes", environment=environment)
        assert own.code == 1 and "somebody else" in own.err and await served.customer(ANA, "shop") == whose
        gone = await command("erasure", "refuse", id, "--reason", "a test", environment=environment)
        assert gone.code == 0
        again = await command("erasure", "refuse", id, "--reason", "a test", environment=environment)
        assert again.code == 1 and "was refused" in again.err
        other = (await asked(served, whose, await key(served, "clerk"))).rpartition("/")[2]
        shown = await command("erasure", "show", other, environment=environment)
        assert "key:clerk" in shown.out and "waits for a second person" in shown.out
        done = await command("erasure", "approve", other, "--yes", "--json", environment=environment)
        assert done.code == 0 and json.loads(done.out)["state"] == "completed"
        assert not await served.store.customer_of("shop", ANA.kind, ANA.value)
        shown = await command("erasure", "show", other, environment=environment)
        assert "approved by" in shown.out
