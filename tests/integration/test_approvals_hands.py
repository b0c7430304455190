"""Erasures that need a second person, of whom one has two credentials, or whose right was withdrawn before the approval."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from app.embedded.postgres import Postgres
from app.http.tokens import id_of, mint
from sql import EventStore
from sql.approvals import NotWaiting, SameParty, Withdrawn
from sql.audited import Entry
from sql.migrate import migrate
from sql.origin import ORIGIN, Origin
from sql.sessions import Lifetimes
from sql.statements import migrations
from tests.conftest import Dsns
from tests.integration.command_line import command, on_store
from tests.integration.erasures import filled, read
from tests.integration.serving import refused, serving
from tests.integration.test_approvals import ALL, APPROVED, asked, key
from tests.support.keys import SEAL

ANN, BEN = Origin("cli:ann"), Origin("cli:ben")
LIVES = Lifetimes(*(timedelta(hours=hours) for hours in (1, 12, 1, 1)))
DAY = timedelta(days=1)


async def made(store: EventStore, name: str, by: Origin, ends: datetime | None = None) -> Origin:
    """Make a key, and return on whose behalf works who uses it."""
    before = ORIGIN.set(by)
    id, _, hash = mint()
    await store.create_api_key(id, name, "shop", list(ALL), hash, ends)
    ORIGIN.reset(before)
    return await used(store, id)


async def used(store: EventStore, id: UUID) -> Origin:
    """Return on whose behalf works who uses a key."""
    row = await store.api_key(id)
    assert row is not None
    return Origin(f"key:{row['name']}", id, credential=id, makers=tuple(row["makers"]))


async def logged_in(store: EventStore, who: str, *scopes: str, clients: tuple[str, ...] = ("shop",)) -> Origin:
    """Log a person in, and return on whose behalf works who uses the session."""
    id = uuid4()
    ORIGIN.set(Origin(f"person:{who}"))
    session = {"id": id, "issuer": "https://id.example", "subject": who, "sid": None, "holder": who}
    given = session | {"clients": list(clients), "scopes": list(scopes or ALL)}
    await store.start_session(given, id.bytes * 2, None, LIVES)
    return Origin(f"person:{who}", credential=id)


async def asks(store: EventStore, whose: UUID, by: Origin) -> UUID:
    """Ask for an erasure."""
    ORIGIN.set(by)
    id = await store.ask_erasure("shop", whose, "a test", DAY)
    assert id is not None
    return id


async def approves(store: EventStore, id: UUID, by: Origin) -> UUID:
    """Approve an erasure."""
    ORIGIN.set(by)
    request = await store.erasure_request(id)
    assert request is not None
    return await store.approve_erasure(request)


async def test_keys_that_one_person_made_are_one_person(postgres_dsn: Dsns) -> None:
    """By the API: two keys of one maker; the reason says so. One of another maker does."""
    async with serving(postgres_dsn.service, APPROVED, ALL, "shop") as served:
        http, whose = served.http, await filled(served.store)
        at = await asked(served, whose, await key(served, "clerk", by=ANN))
        why = refused(await http.post(f"{at}/approve", headers=await key(served, "officer", by=ANN)), 403)["detail"]
        assert "may be one person: cli:ann" in why
        # `serving` makes its keys as a part of Threadline: nobody knows whose they are.
        why = refused(await http.post(f"{at}/approve"), 403)["detail"]
        assert "not known who made the API key of who approves" in why
        assert (await http.get(at)).json()["state"] == "waiting"
        assert await read(postgres_dsn.owner, "SELECT count(*) FROM erasures") == [0]
        assert (await http.post(f"{at}/approve", headers=await key(served, "officer", by=BEN))).status_code == 202


async def test_who_made_a_key_made_those_that_it_made(postgres_dsn: Dsns) -> None:
    """Each way by which two credentials lead to one person, whichever of the two asks; beside each one that does not."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        whose = await filled(store)
        ana, eve = await logged_in(store, "ana"), await logged_in(store, "eve")
        first, anas = await made(store, "first", ANN), await made(store, "ana's", ana)
        second = await made(store, "second", first)
        third, nobodys = await made(store, "third", second), await made(store, "nobody's", Origin())
        for one, other in (
            (first, second),
            (first, third),
            (second, ANN),
            (third, await made(store, "fourth", ANN)),
            (anas, ana),
            (await made(store, "ana's too", anas), Origin("token:ana")),
            (nobodys, eve),
            (await made(store, "of nobody's", nobodys), eve),
        ):
            for asking, approving in ((one, other), (other, one)):
                id = await asks(store, whose, asking)
                with pytest.raises(SameParty):
                    await approves(store, id, approving)
                ORIGIN.set(asking)
                request = await store.erasure_request(id)
                assert request is not None
                await store.refuse_erasure(request, "a test")
        assert third.makers == ("key:second", "key:first", "cli:ann")
        await approves(store, await asks(store, whose, third), anas)


async def test_a_rotation_keeps_the_makers_and_adds_who_rotates(postgres_dsn: Dsns) -> None:
    """Who rotates sees the new key: it is in the hands of both."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        whose, old, new = await filled(store), await made(store, "clerk", ANN), mint()
        ORIGIN.set(BEN)
        assert old.key_id and await store.rotate_api_key(old.key_id, new[0], new[2], DAY)
        rotated = await used(store, new[0])
        assert (old.makers, rotated.makers) == (("cli:ann",), ("cli:ann", "cli:ben"))
        id = await asks(store, whose, rotated)
        for by in (ANN, BEN, old, await made(store, "ann's", ANN), await made(store, "ben's", BEN)):
            with pytest.raises(SameParty):
                await approves(store, id, by)
        await approves(store, id, await made(store, "cat's", Origin("cli:cat")))


async def test_the_makers_of_keys_that_exist_are_those_of_the_audit(postgres_dsn: Dsns, tmp_path: Path) -> None:
    """The command line makes keys as the account of the system, whatever a variable says; the list has the makers."""
    environment = on_store(postgres_dsn.service, tmp_path) | {"USER": "eve", "LOGNAME": "eve"}
    token = (await command("keys", "create", "clerk", "--client", "shop", environment=environment)).out.strip()
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        (entry,) = await store.audit_listed(action="key.create")
        made_by = await used(store, id_of(token))
    assert made_by.makers == (entry["actor"],) and "eve" not in entry["actor"]
    assert f"made by {entry['actor']}" in (await command("keys", "list", environment=environment)).out


async def test_a_key_that_is_no_longer_in_force_has_asked_for_nothing(postgres_dsn: Dsns) -> None:
    """Revoked, expired, or rotated and out of its grace: the erasure is refused, says why, and is in the audit; nothing is erased. It can
    be asked for anew, whether or not somebody tried to approve it."""
    async with serving(postgres_dsn.service, APPROVED, ALL, "shop") as served:
        http, store, whose = served.http, served.store, await filled(served.store)
        officer = await key(served, "officer")
        for number, end in enumerate(("revoke", "expire", "rotate", "revoke unseen")):
            clerk = await key(served, f"clerk {number}")
            at, id = await asked(served, whose, clerk), id_of(clerk["authorization"].partition(" ")[2])
            if end == "expire":
                await read(postgres_dsn.owner, f"UPDATE api_keys SET expires_at = now() WHERE id = '{id}' RETURNING 1")
            elif end == "rotate":
                assert await store.rotate_api_key(id, *mint()[::2], timedelta(0))
            else:
                assert await store.revoke_api_key(id)
            if end != "revoke unseen":
                problem = refused(await http.post(f"{at}/approve", headers=officer), 409)
                assert problem["state"] == "refused" and "the right of who asked was withdrawn" in problem["detail"]
            else:
                assert await asked(served, whose, await key(served, "clerk")) != at
            shown = (await http.get(at, headers=officer)).json()
            assert (shown["state"], shown["approval"]["decidedBy"]) == ("refused", "threadline")
            assert "API key was revoked" in shown["approval"]["refusalReason"]
    assert await read(postgres_dsn.owner, "SELECT count(*) FROM erasures") == [0]
    refusals = "SELECT actor FROM audit WHERE action = 'erasure.refuse'"
    assert await read(postgres_dsn.owner, refusals) == ["threadline"] * 4


async def test_a_key_that_is_no_longer_in_force_approves_nothing(postgres_dsn: Dsns) -> None:
    """Also while a process still has it in its memory; the erasure goes on to wait."""
    async with serving(postgres_dsn.service, APPROVED, ALL, "shop") as served:
        http, whose = served.http, await filled(served.store)
        at, officer = await asked(served, whose, await key(served, "clerk")), await key(served, "officer")
        assert (await http.get(at, headers=officer)).status_code == 200  # it is remembered from now on
        assert await served.store.revoke_api_key(id_of(officer["authorization"].partition(" ")[2]))
        problem = refused(await http.post(f"{at}/approve", headers=officer), 403)
        assert "revoked" in problem["detail"] and (await http.get(at)).json()["state"] == "waiting"
        assert (await http.post(f"{at}/approve", headers=await key(served, "third"))).status_code == 202


async def test_a_person_whose_right_was_withdrawn_has_asked_for_nothing(postgres_dsn: Dsns) -> None:
    """By an administrator, the issuer, a copied cookie, or a later log-in without the right or the client. Who logs out, whose session
    ends by time, and who logs in again with the right, still asks."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        whose, ben, number = await filled(store), await logged_in(store, "ben"), 0
        for end, stands in (
            ("administrator", False),
            ("issuer", False),
            ("copied", False),
            ("less", False),
            ("elsewhere", False),
            ("no client", False),
            ("less, by now all", True),
            ("log-out", True),
            ("own", True),
            ("again", True),
            ("weak", True),
        ):
            number += 1
            who = f"ana {number}"
            ana = await logged_in(store, who)
            id = await asks(store, whose, ana)
            await ended(store, end, who, ana)
            if not stands:
                with pytest.raises(NotWaiting, match="the right of who asked was withdrawn"):
                    await approves(store, id, ben)
                continue
            assert await asks(store, whose, ben) == id  # it waits
            ORIGIN.set(ana)
            request = await store.erasure_request(id)
            assert request is not None
            await store.refuse_erasure(request, "a test")
        id = await asks(store, whose, await logged_in(store, "cat"))
        ORIGIN.set(Origin("person:boss"))
        assert ben.credential and await store.end_session_of_client("shop", ben.credential)
        with pytest.raises(Withdrawn, match="the session was ended"):
            await approves(store, id, ben)
        await approves(store, id, await logged_in(store, "dan"))
    assert await read(postgres_dsn.owner, "SELECT count(*) FROM erasures") == [1]


async def ended(store: EventStore, how: str, who: str, session: Origin) -> None:
    """Let something happen to a person's session or right."""
    assert session.credential is not None
    ORIGIN.set(Origin("person:boss"))
    if how == "administrator":
        assert await store.end_session_of_client("shop", session.credential)
    elif how == "issuer":
        issuer, now = "https://id.example", datetime.now(UTC) + DAY
        assert await store.end_sessions_of(issuer, now, "issuer:id", subject=who, sid=None)
    elif how == "copied":
        assert await store.end_session("copied", id=session.credential, actor="threadline")
    elif how == "less":
        await logged_in(store, who, "timeline:read")
    elif how == "elsewhere":
        await logged_in(store, who, clients=("other",))
    elif how in ("no client", "weak"):
        why = {"no client": "no client", "weak": "a stronger log-in is demanded"}[how]
        await store.record_audit([Entry(f"person:{who}", "session.refused", detail={"why": why})])
    elif how == "less, by now all":
        await logged_in(store, who, "timeline:read")
        await logged_in(store, who)
    elif how == "log-out":
        assert await store.end_session("logout", id=session.credential)
    elif how == "own":
        ORIGIN.set(session)
        assert await store.end_session_of_client("shop", session.credential)
    elif how == "again":
        await logged_in(store, who)


async def test_a_migration_names_the_makers_of_keys_that_exist(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the audit: of a rotated key those of all before it; unknown, where the audit has forgotten it, or a part of Threadline made
    it. An erasure that waits gets the hands of the key that asked."""
    before = {name: sql for name, sql in migrations().items() if name < "0050"}
    keys = {name: UUID(int=number) for number, name in enumerate(("new", "middle", "old", "up", "forgotten"), 1)}
    made = {"old": "cli:ann", "middle": "cli:ben", "new": "cli:ann", "up": "threadline"}
    await postgres.execute("copy_database", name="handed", template="template1")
    try:
        owner = postgres.dsn("owner", "handed")
        with monkeypatch.context() as older:
            older.setattr("sql.migrate.migrations", lambda: before)
            await migrate(owner)
        async with await psycopg.AsyncConnection.connect(owner) as db:
            await db.execute("SET search_path = threadline")
            for name, id in keys.items():
                by = {"old": keys["middle"], "middle": keys["new"]}.get(name)
                add = "INSERT INTO api_keys (id, name, client_id, scopes, hash, replaced_by) VALUES (%s, %s, 'shop', '{}', '', %s)"
                await db.execute(add, (id, name, by))
            note = "INSERT INTO audit (actor, client_id, action, subject, detail, key_id) VALUES (%s, 'shop', %s, %s, %s, %s)"
            for name, actor in made.items():
                await db.execute(note, (actor, "key.create", str(keys[name]), Jsonb({}), None))
            for name in ("new", "up", "cat"):
                asks = """INSERT INTO erasure_requests (id, client_id, customer_id, actor, party, reason, expires_at)
                    VALUES (gen_random_uuid(), 'shop', gen_random_uuid(), %(who)s, %(who)s, 'a test', now() + interval '1 day')
                    RETURNING id"""
                who = f"key:{name}" if name in keys else f"person:{name}"
                (id,) = (await (await db.execute(asks, {"who": who})).fetchall())[0]
                await db.execute(note, (who, "erasure.ask", "c", Jsonb({"erasure": str(id)}), keys.get(name)))
        await migrate(owner)
        async with await psycopg.AsyncConnection.connect(owner) as db:
            await db.execute("SET search_path = threadline")
            found: dict[str, list[str]] = dict(await (await db.execute("SELECT name, makers FROM api_keys")).fetchall())
            handed = await (
                await db.execute("SELECT parties, credential FROM erasure_requests ORDER BY actor")
            ).fetchall()
    finally:
        await postgres.execute("drop_database", name="handed")
    both = ["cli:ann", "cli:ben"]
    assert found == {"old": ["cli:ann"], "middle": both, "new": both, "up": ["unknown"], "forgotten": ["unknown"]}
    assert handed == [
        (["key:new", *both], keys["new"]),
        (["key:up", "unknown"], keys["up"]),
        (["person:cat"], None),
    ]
