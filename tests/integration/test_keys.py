"""`threadline keys` and `threadline timeline` on a real database: what they print, and what they leave behind."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio

from app.embedded import sample
from app.http.access import Access, Forbidden, NotAllowed, Unauthenticated
from app.http.scopes import ROLES
from app.http.tokens import fingerprint, id_of, mint
from sql import EventStore
from tests.conftest import Dsns
from tests.integration.command_line import On, threadline
from tests.integration.serving import NOON, event
from tests.support.keys import SEAL


@pytest_asyncio.fixture
async def store(postgres_dsn: Dsns) -> AsyncIterator[EventStore]:
    """The store of a fresh database."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as opened:
        yield opened


async def test_key_is_made_listed_and_revoked(store: EventStore, postgres_dsn: Dsns, tmp_path: Path) -> None:
    """The key alone is printed on standard output, works for its client and scopes, is listed without its secret, and
    works no more once it is revoked."""
    where: On = {"dsn": postgres_dsn.service, "data": tmp_path}
    made = await threadline("keys", "create", "the shop's BFF", "--client", "shop", **where)
    assert made.code == 0
    token = made.out.strip()
    id, secret = id_of(token), token.removeprefix("tl_live_")
    assert str(id) in made.err and secret not in made.err
    key = await Access(store).check(f"Bearer {token}", "timeline:read")
    assert (key.id, key.name, key.client, key.scopes) == (
        id,
        "the shop's BFF",
        "shop",
        frozenset({"timeline:read"}),
    )
    with pytest.raises(Forbidden):
        await Access(store).check(f"Bearer {token}", "webhooks:write")

    row = await store.api_key(id)
    assert row is not None and row["hash"] == fingerprint(token)
    listed = await threadline("keys", "list", **where)
    assert listed.code == 0
    assert str(id) in listed.out and "the shop's BFF" in listed.out and "timeline:read" in listed.out
    assert secret not in listed.out and fingerprint(token).hex() not in listed.out

    revoked = await threadline("keys", "revoke", str(id), **where)
    assert revoked.code == 0
    with pytest.raises(Unauthenticated):
        await Access(store).check(f"Bearer {token}", "timeline:read")


async def test_key_is_revoked_by_itself_too(store: EventStore, postgres_dsn: Dsns, tmp_path: Path) -> None:
    """Who finds a key where it should not be has the key, not its id."""
    where: On = {"dsn": postgres_dsn.service, "data": tmp_path}
    token = (await threadline("keys", "create", "leaked", **where)).out.strip()
    revoked = await threadline("keys", "revoke", token, **where)
    assert revoked.code == 0
    assert token not in revoked.out + revoked.err
    row = await store.api_key(id_of(token))
    assert row is not None and row["revoked_at"] is not None


async def test_mistakes_are_reported(postgres_dsn: Dsns, tmp_path: Path) -> None:
    """A scope that does not exist makes no key; an id that is none, or of no key, is refused with an error."""
    where: On = {"dsn": postgres_dsn.service, "data": tmp_path}
    misspelt = await threadline("keys", "create", "x", "--scope", "timeline:reed", **where)
    assert (misspelt.code, misspelt.out) == (2, "")
    assert "timeline:reed" in misspelt.err and "webhooks:write" in misspelt.err
    assert "no keys" in (await threadline("keys", "list", **where)).out
    assert (await threadline("keys", "revoke", "mine", **where)).code == 2
    assert (await threadline("keys", "revoke", str(uuid4()), **where)).code == 1


async def test_without_a_database_the_reason_is_reported(tmp_path: Path) -> None:
    """No traceback, but what to do."""
    ran = await threadline("keys", "list", dsn="postgresql://127.0.0.1:1/none", data=tmp_path)
    assert ran.code == 1
    assert "PostgreSQL cannot be reached" in ran.err and "Traceback" not in ran.err


async def test_timeline_is_printed_for_an_id_and_for_a_handle(
    store: EventStore, postgres_dsn: Dsns, tmp_path: Path
) -> None:
    """The same table by either name; the newest of many; and a word where there is no such customer."""
    where: On = {"dsn": postgres_dsn.service, "data": tmp_path}
    events = [event("MessageReceived", f"SM{n}", n, payload={"content": {"text": f"word {n}"}}) for n in range(3)]
    await store.append([(one, "default", NOON.replace(hour=13), None) for one in events])
    customer = (await store.customer_of("default", "phone", "+15551234567"))[0]["customer_id"]
    by_handle = await threadline("timeline", "+1 555 123-4567", **where)
    by_id = await threadline("timeline", str(customer), **where)
    assert by_handle.code == by_id.code == 0
    assert by_handle.out == by_id.out
    assert by_handle.out.index("word 2") < by_handle.out.index("word 0")
    newest = await threadline("timeline", str(customer), "--limit", "1", **where)
    assert "word 2" in newest.out and "word 1" not in newest.out and "--limit" in newest.err
    for text, code in (("nobody@example.com", 1), (str(uuid4()), 1), ("a@b@c", 2)):
        ran = await threadline("timeline", text, **where)
        assert (ran.code, ran.out) == (code, "")
        assert text in ran.err
    assert (await threadline("timeline", "+15551234567", "--client", "other", **where)).code == 1
    phone = "+15551234567"
    assert (await threadline("customers", "unlink", phone, phone, "--from", "1s", "--yes", **where)).code == 0
    empty = await threadline("timeline", phone, **where)
    assert empty.code == 0 and "This customer has no interactions." in empty.err


async def test_an_upgrade_gives_the_samples_key_its_new_scopes(
    store: EventStore, postgres_dsn: Dsns, tmp_path: Path
) -> None:
    """A key of an earlier version, without scopes that are new, is replaced; one that has all stays."""
    id, token, hash = mint()
    await store.create_api_key(id, "threadline up", "default", ["timeline:read"], hash)
    sample.key_file(tmp_path).write_text(token)
    await sample.ensure_key(postgres_dsn.service, tmp_path)
    fresh = sample.key_file(tmp_path).read_text().strip()
    assert fresh != token and sample.key_file(tmp_path).stat().st_mode & 0o077 == 0
    assert (await Access(store).check(f"Bearer {fresh}", "messages:write")).client == "default"
    await sample.ensure_key(postgres_dsn.service, tmp_path)
    assert sample.key_file(tmp_path).read_text().strip() == fresh


async def test_a_key_with_roles_and_networks_is_rotated_with_grace(
    store: EventStore, postgres_dsn: Dsns, tmp_path: Path
) -> None:
    """The new key may do what the old one may, from the same networks, and lives as long; the old one works for the grace, and is
    not rotated twice."""
    where: On = {"dsn": postgres_dsn.service, "data": tmp_path}
    options = ("--role", "clerk", "--network", "::ffff:10.0.0.0/104", "--expires", "90d", "--client", "shop")
    old = (await threadline("keys", "create", "till", *options, **where)).out.strip()
    rotated = await threadline("keys", "rotate", str(id_of(old)), "--grace", "2h", **where)
    assert rotated.code == 0
    new = rotated.out.strip()
    assert new != old and str(id_of(new)) in rotated.err and new not in rotated.err
    access = Access(store)
    for token in (old, new):
        key = await access.check(f"Bearer {token}", "messages:write", address="10.1.2.3")
        assert (key.name, key.client, key.scopes) == ("till", "shop", ROLES["clerk"].scopes)
        with pytest.raises(NotAllowed):
            await access.check(f"Bearer {token}", "messages:write", address="192.0.2.1")
    rows = {row["id"]: row for row in await store.api_keys()}
    left = rows[id_of(old)]["expires_at"] - datetime.now(UTC)
    assert timedelta(hours=1) < left <= timedelta(hours=2)
    lived = rows[id_of(new)]["expires_at"] - rows[id_of(new)]["created_at"]
    assert timedelta(days=89) < lived <= timedelta(days=90)
    again = await threadline("keys", "rotate", old, **where)
    assert (again.code, again.out) == (1, "")
    assert (await threadline("keys", "rotate", new, "--grace", "0s", **where)).code == 0
    with pytest.raises(Unauthenticated, match="expired"):
        await Access(store).check(f"Bearer {new}", "messages:write", address="10.1.2.3")
    listed = (await threadline("keys", "list", **where)).out
    assert "clerk" in listed and "10.0.0.0/8" in listed and f"replaced by {id_of(new)}" in listed
    shown = {
        row["id"]: row["networks"] for row in json.loads((await threadline("keys", "list", "--json", **where)).out)
    }
    assert shown[str(id_of(new))] == ["10.0.0.0/8"]
    for wrong in (("--role", "boss"), ("--network", "10.0.0.1/8"), ("--expires", "soon")):
        assert (await threadline("keys", "create", "x", *wrong, **where)).code == 2
    assert (await threadline("keys", "rotate", old, "--grace", "a while", **where)).code == 2


async def test_a_key_is_of_a_client_that_there_can_be(store: EventStore, postgres_dsn: Dsns, tmp_path: Path) -> None:
    """By the one rule of client ids, or for all."""
    where: On = {"dsn": postgres_dsn.service, "data": tmp_path}
    for strange in ("a/b", " shop", "a\tb", "x" * 129):
        made = await threadline("keys", "create", "x", "--client", strange, **where)
        assert made.code == 2 and "a client's id has" in made.err
    assert (await threadline("keys", "create", "x", "--client", "*", **where)).code == 0
    assert {row["client_id"] for row in await store.api_keys()} == {"*"}
