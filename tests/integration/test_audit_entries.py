"""What requests and commands leave in the audit on a real database: who, what, whose data, and never a value."""

from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest

from app.auditing.anchors import Anchor, line_of, new_key, private_key, public_text
from app.http.tokens import id_of, mint
from app.settings import Audit, Settings
from sql import Bad, DeadLetter, EventStore
from sql.audited import Entry
from tests.conftest import Dsns
from tests.integration.auditing import AT_ONCE, found, owner, write
from tests.integration.command_line import On, threadline
from tests.integration.serving import ANA, NOON, Served, event, refused, serving
from tests.integration.test_api_limits import key, process
from tests.support.keys import SEAL
from tests.support.waiting import eventually

ALL = ("timeline:read", "recipients:read", "recipients:write", "dead-letters:read", "messages:read", "personal:read")


async def entries(served: Served) -> list[dict[str, Any]]:
    """Return the entries of requests, oldest first."""
    await served.api.audit.finish()
    rows = await served.store.audit_exported({"client_id": None, "action": None, "since": None, "until": None}, 0)
    return [row for row in rows if row["action"] != "key.create"]


async def test_each_read_of_personal_data_has_its_entry(postgres_dsn: Dsns) -> None:
    """With the key, its client, the request's id and whose data it was; the handle and the text are not in it."""
    async with serving(postgres_dsn.service, scopes=ALL) as served:
        await served.append(event("MessageReceived", "SM1", payload={"content": {"text": "Hello Ana"}}))
        await served.store.append(
            [], [], [DeadLetter("webhooks.received", 0, 1, "bad", value=b"x", size=1, client="default")]
        )
        customer, ask = await served.customer(), served.http.get
        interaction = (await ask(await served.path())).json()["interactions"][0]["interactionId"]
        letter = str((await served.store.dead_letters())[0]["id"])
        handle = "%2B15551234567"
        paths = {
            f"/api/customers?handle={handle}": ("customer.read", str(customer)),
            f"/api/interactions/{interaction}": ("interaction.read", interaction),
            f"/v1/recipients/{handle}": ("recipient.read", "phone"),
            f"/v1/dead-letters/{letter}": ("dead_letter.read", letter),
            "/v1/dead-letters": ("dead_letter.read", ""),
        }
        for path in paths:
            assert (await ask(path, headers={"x-request-id": "r-1"})).status_code == 200
        await served.http.put(f"/v1/recipients/{handle}", json={"zone": "Europe/Lisbon"})
        await served.http.put(f"/v1/recipients/{handle}/consents/sms", json={"state": "out"})
        rows = await entries(served)
        expected = [("timeline.read", str(customer)), *paths.values(), ("recipient.set", "phone")]
        assert [(row["action"], row["subject"]) for row in rows[:-1]] == expected
        assert rows[-1]["action"] == "consent.set" and UUID(rows[-1]["subject"])
        assert {(row["actor"], row["client_id"]) for row in rows} == {("key:test", "default")}
        assert {row["request_id"] for row in rows[1:6]} == {"r-1"} and rows[0]["request_id"] != "r-1"
        assert all(isinstance(row["key_id"], UUID) and row["address"] for row in rows)
        text = repr(rows)
        assert ANA.value not in text and "Hello" not in text


async def test_what_gives_no_personal_data_has_no_entry(postgres_dsn: Dsns) -> None:
    """A dead letter without its record, and a customer that there is not."""
    async with serving(postgres_dsn.service, scopes=("dead-letters:read", "messages:read")) as served:
        item = Bad(0, "bad", {})
        await served.store.append(
            [], [], [DeadLetter("t", 0, 1, "bad", value=b"x", size=1, client="default", items=[item])]
        )
        assert (await served.http.get("/v1/dead-letters")).status_code == 200
        assert (await served.http.get("/v1/messages/none")).status_code == 404
        assert await entries(served) == []


async def test_refusals_are_counted_by_caller(postgres_dsn: Dsns) -> None:
    """Without a key, and with one that may not, for want of a scope or since it asks for another client's: its id is known, since the
    key is authentic."""
    async with serving(postgres_dsn.service, scopes=("messages:read", "dead-letters:read")) as served:
        assert (await served.http.get("/v1/dead-letters/groups?client=other")).status_code == 403
        for _ in range(3):
            await served.http.get("/api/customers?handle=x:y")
            await served.http.get("/v1/messages/m1", headers={"authorization": f"Bearer tl_{'0' * 32}_{'0' * 64}"})
        rows = await entries(served)
        known = next(iter(await served.store.api_keys()))["id"]
        counted = {(row["subject"], row["detail"]["status"], row["detail"]["requests"]) for row in rows}
        assert counted == {(str(known), 403, 4), ("", 401, 3)}
        assert {row["action"] for row in rows} == {"access.refused"}


async def test_a_read_is_refused_where_its_entry_is_required_and_cannot_be_written(postgres_dsn: Dsns) -> None:
    """With 503, and nothing of the data; with the default setting it is answered, and the loss is counted."""
    required = Settings(audit=Audit(reads="required", queue=100))
    async with serving(postgres_dsn.service, required, scopes=ALL) as served:
        await served.append(event("MessageReceived", "SM1", payload={"content": {"text": "Hello Ana"}}))
        path = await served.path()
        served.api.audit._waiting.extend([served_entry()] * 100)  # the queue is full
        answer = await served.http.get(path)
        assert "Hello" not in answer.text
        refused(answer, 503)
        served.api.use(Settings(audit=Audit(queue=100)))
        assert (await served.http.get(path)).status_code == 200
        assert served.api.audit.lost == 1


async def test_the_process_writes_what_requests_leave(tmp_path: Path, postgres_dsn: Dsns) -> None:
    """By itself within moments; where entries are required, before the answer; and what waits as it ends. The metrics count it."""
    async with process(tmp_path, postgres_dsn.service) as (http, client):
        assert http.api is not None
        store = http.api.store
        await store.append([(event("MessageReceived", "SM1"), "default", NOON, None)])
        header, ask = await key(http, "timeline:read"), {"handle": ANA.value}
        assert (await client.get("/api/customers", params=ask, headers=header)).status_code == 200
        await eventually(lambda: store.audit_listed(action="customer.read"), within=10)
        http.use(http.settings.model_copy(update={"audit": Audit(reads="required")}))
        for count in (2, 3):
            assert (await client.get("/api/customers", params=ask, headers=header)).status_code == 200
            assert len(await store.audit_listed(action="customer.read")) == count
        metrics = (await client.get("/metrics")).text
        assert "threadline_audit_entries_total 3.0" in metrics and "threadline_audit_entries_lost_total 0.0" in metrics
        http.use(http.settings.model_copy(update={"audit": Audit()}))
        assert (await client.get("/api/customers", params=ask, headers=header)).status_code == 200
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as after:
        assert len(await after.audit_listed(action="customer.read")) == 4


def served_entry() -> Any:
    """Return an entry that waits."""

    return Entry("key:test", "timeline.read", "default", "c1")


@pytest.fixture
def where(postgres_dsn: Dsns, tmp_path: Path) -> On:
    """The database that commands work on."""
    return {"dsn": postgres_dsn.service, "data": tmp_path}


async def actions(dsn: Dsns) -> list[tuple[str, str]]:
    """Return the actor's kind and the action of all entries, oldest first."""
    async with await EventStore.open(dsn.service, SEAL, pool=1) as store:
        rows = await store.audit_exported({"client_id": None, "action": None, "since": None, "until": None}, 0)
    return [(row["actor"].partition(":")[0], row["action"]) for row in rows]


async def test_commands_leave_entries_too(postgres_dsn: Dsns, where: On) -> None:
    """With the name of the user; a key that is revoked twice is revoked once."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        await store.append([(event("MessageReceived", "SM1"), "default", NOON, None)])
    token = (await threadline("keys", "create", "bff", **where)).out.strip()
    for _ in range(2):
        assert (await threadline("keys", "revoke", token, **where)).code == 0
    assert (await threadline("timeline", ANA.value, **where)).code == 0
    assert (await threadline("recipients", "show", ANA.value, **where)).code == 0
    assert (await threadline("recipients", "opt-out", ANA.value, **where)).code == 0
    assert (await threadline("dead-letters", "list", **where)).code == 0
    names = ("key.create", "key.revoke", "timeline.read", "recipient.read", "consent.set", "dead_letter.read")
    assert await actions(postgres_dsn) == [("cli", name) for name in names]


async def test_the_audit_is_listed_and_exported(postgres_dsn: Dsns, where: On) -> None:
    """By client, action and time; who does so is in it."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        await write(store, 3)
    listed = await threadline("audit", "list", "--client", "shop", "--limit", "2", "--json", **where)
    assert [row["subject"] for row in orjson.loads(listed.out)] == ["", "m2"]
    exported = await threadline("audit", "export", "--action", "message.read", **where)
    assert [orjson.loads(line)["subject"] for line in exported.out.splitlines()] == ["m0", "m1", "m2"]
    assert (await threadline("audit", "export", "--until", "1h", **where)).out == ""
    shown = await threadline("audit", "list", "--action", "message.read", **where)
    assert "message.read  m0" in shown.out and "client shop" in shown.out
    wrong = await threadline("audit", "list", "--action", "message.red", **where)
    assert wrong.code == 2 and "message.read" in wrong.err
    assert (await actions(postgres_dsn))[3:] == [("cli", "entries.read")] * 4


async def test_verify_compares_the_audit_with_anchors_in_files(postgres_dsn: Dsns, where: On, tmp_path: Path) -> None:
    """It prints what it checked; after tampering it names the entry, with exit code 1; a file that is no file of anchors, or is
    signed by another key, is refused."""
    signing = (await threadline("audit", "key", **where)).out.strip()
    public, file = public_text(private_key(signing)), tmp_path / "anchors"
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        await write(store, 3)
        await store.seal_audit(AT_ONCE)
        head = await store.audit_head()
        assert head is not None
        anchor = Anchor(1, bytes(head["head"]), 3, NOON)
        file.write_bytes(line_of(anchor, private_key(signing)) + b"\n" + line_of(anchor, private_key(signing)) + b"\n")
        options = ("audit", "verify", "--anchor", str(file), "--public-key")
        good = await threadline(*options, public, **where)
        assert (good.code, good.out) == (0, "3 entries in 1 batch are as they were sealed, as 1 anchor has it.\n")
        assert (await threadline("audit", "verify", "--anchor", str(file), **where)).code == 2
        assert (await threadline(*options, "short", **where)).code == 2
        other = await threadline(*options, public_text(private_key(new_key())), **where)
        assert other.code == 2 and f"--anchor {file}, line 1: its signature" in other.err
        # Cut off, and written again in a line of its own, as `append_line` does.
        whole = file.read_bytes()
        file.write_bytes(whole[:9] + b"\n" + whole[:70] + b"\n" + whole)
        cut = await threadline(*options, public, **where)
        assert (cut.code, cut.out) == (good.code, good.out) and "line 2 was cut off" in cut.err
        for nothing in (b"", b"\n", whole[:70]):
            file.write_bytes(nothing)
            assert "there is no anchor" in (none := await threadline(*options, public, **where)).err and none.code == 2
        file.write_bytes(whole[:70] + b"}\n" + whole)
        assert (await threadline(*options, public, **where)).code == 2
        file.write_bytes(whole)
        await owner(postgres_dsn, "UPDATE threadline.audit SET subject = 'm9' WHERE position = 2")
        bad = await threadline(*options, public, "--json", **where)
        assert bad.code == 1 and orjson.loads(bad.out)["findings"] == ["entry 2 of batch 1 was altered"]
        assert await found(store, [anchor]) == ["entry 2 of batch 1 was altered"]


async def test_a_rotated_key_is_in_the_audit(postgres_dsn: Dsns, where: On) -> None:
    """The new key has an entry of its own, which names the one that it replaces."""
    old = (await threadline("keys", "create", "bff", **where)).out.strip()
    assert (await threadline("keys", "rotate", str(id_of(old)), "--grace", "2h", **where)).code == 0
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        newest, oldest = await store.audit_listed(action="key.create")
    assert (oldest["subject"], newest["detail"]["replaces"]) == (str(id_of(old)), str(id_of(old)))


async def test_a_key_from_a_foreign_network_and_a_client_of_any_length(postgres_dsn: Dsns) -> None:
    """The first is a refusal that is counted; the second is refused before it reaches the audit."""
    async with serving(postgres_dsn.service, Settings()) as served:
        id, token, hash = mint()
        await served.store.create_api_key(id, "far", "default", ["timeline:read"], hash, networks=["10.9.9.0/24"])
        path, header = "/api/customers?handle=%2B15551234567", {"authorization": f"Bearer {token}"}
        assert (await served.http.get(path, headers=header)).status_code == 403
        assert sum(served.api.audit._refusals.values()) == 1
        everywhere = await served.key("timeline:read", client="*")
        for name in ("x" * 129, "x" * 6000, "*", ""):
            named = {"authorization": f"Bearer {everywhere}", "threadline-client": name}
            assert (await served.http.get(path, headers=named)).status_code == 400
        assert served.api.audit.lost == 0
