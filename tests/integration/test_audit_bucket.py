"""Anchors of the audit in a bucket of S3: written by the worker, under a lock where it is set, and compared by `audit verify`."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from pydantic import SecretStr, ValidationError

from adapters.signing.sigv4 import Credentials
from agents.auditing.anchoring import Anchoring
from agents.health import WorkerHealth
from agents.transport import Transport
from app.auditing.anchors import Anchor, anchor_of, new_key, private_key, public_text
from app.auditing.bucket import ANCHORS, check, lines, put, reading
from app.cli.doctor.anchors import bucket as doctor
from app.cli.doctor.finding import Finding
from app.embedded import ports
from app.settings import Audit, Settings
from app.settings.auditing import AuditS3
from sql import EventStore
from tests.conftest import Dsns
from tests.integration.auditing import AT_ONCE, owner, write
from tests.integration.command_line import command, on_store
from tests.support.keys import SEAL
from tests.support.s3 import BUCKET, Moto, moto
from webhooks.blobs import StoreAway, StoreMisconfigured
from webhooks.blobs.bucket import Bucket

KEY = new_key()
PUBLIC = [private_key(KEY).public_key()]
NOON = datetime(2026, 2, 3, 12, tzinfo=UTC)
LOCKED = "anchors-locked"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moto]:
    """moto's server with two buckets, one of them with object lock."""
    with moto(tmp_path_factory.mktemp("moto") / "log") as running:
        if running is None:
            pytest.skip("moto_server is not on the PATH: see test_blobs_s3")
        credentials = Credentials(running.key, running.secret, "us-east-1", "s3")
        with httpx.Client() as http:
            made = Bucket(LOCKED, f"{running.endpoint}/{LOCKED}", "", credentials, http)
            made.send("PUT", "", {"x-amz-bucket-object-lock-enabled": "true"}).expect(200)
        yield running


def of(server: Moto, bucket: str = LOCKED, **more: Any) -> Audit:
    """Return the settings of the audit for a bucket of this server."""
    access = {"access_key_id": server.key, "secret_access_key": SecretStr(server.secret), "endpoint": server.endpoint}
    return Audit(key=SecretStr(KEY), s3=AuditS3.model_validate({"bucket": bucket} | access | more))


@pytest_asyncio.fixture
async def store(postgres_dsn: Dsns) -> AsyncIterator[EventStore]:
    """A store with one sealed batch of three entries."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as opened:
        await write(opened, 3)
        await opened.seal_audit(AT_ONCE)
        yield opened


async def anchor(store: EventStore, audit: Audit) -> bool:
    """Let a worker with these settings anchor; return whether it did."""
    transport = Transport(timeout=5)
    try:
        return await Anchoring(store, WorkerHealth(), Settings(audit=audit), transport).anchor("s3")
    finally:
        await transport.close()


async def findings(audit: Audit) -> list[Finding]:
    """Return what doctor says of these settings."""
    return [finding async for finding in doctor(Settings(audit=audit))]


async def test_a_bucket_gets_anchors_that_nobody_can_remove(store: EventStore, server: Moto) -> None:
    """One object for each, under the lock of the settings; with the writer's own credentials its version cannot be removed."""
    audit = of(server, lock_days=30)
    assert await anchor(store, audit)
    assert not await anchor(store, audit)
    bucket = reading(audit, f"s3://{LOCKED}")
    ((key, line),) = lines(bucket)
    found, head = anchor_of(line, PUBLIC), await store.audit_head()
    assert head is not None and (found.batch, found.head, found.entries) == (1, bytes(head["head"]), 3)
    assert key == f"000000000001-{found.at:%Y%m%dT%H%M%SZ}.json"
    kept, until = bucket.send("GET", key).headers, found.at + timedelta(days=30)
    assert kept["x-amz-object-lock-mode"] == "COMPLIANCE"
    assert kept["x-amz-object-lock-retain-until-date"].startswith(f"{until:%Y-%m-%dT%H:%M:%S}")
    version = kept["x-amz-version-id"]
    assert bucket.send("DELETE", key, query={"versionId": version}).code == "AccessDenied"
    bucket.close()


async def test_verify_compares_the_audit_with_a_bucket(
    store: EventStore, postgres_dsn: Dsns, server: Moto, tmp_path: Path
) -> None:
    """Read by a machine that has the public key only. A chain that was cut is found; an object that is no anchor is refused."""
    audit = of(server, BUCKET)
    assert await anchor(store, audit)
    where = on_store(postgres_dsn.service, tmp_path) | {
        "THREADLINE_AUDIT__S3__ENDPOINT": server.endpoint,
        "THREADLINE_AUDIT__S3__ACCESS_KEY_ID": server.key,
        "THREADLINE_AUDIT__S3__SECRET_ACCESS_KEY": server.secret,
    }
    options = ("audit", "verify", "--public-key", public_text(private_key(KEY)), "--anchor", f"s3://{BUCKET}")
    good = await command(*options, environment=where)
    assert (good.code, good.out) == (0, "3 entries in 1 batch are as they were sealed, as 1 anchor has it.\n")
    await owner(postgres_dsn, "DELETE FROM threadline.audit_heads")
    await owner(postgres_dsn, "DELETE FROM threadline.audit_anchors")
    await owner(postgres_dsn, "DELETE FROM threadline.audit")
    cut = await command(*options, environment=where)
    assert cut.code == 1 and "batch 1" in cut.out
    bucket = reading(audit, f"s3://{BUCKET}")
    put(bucket, audit.s3, Anchor(2, bytes(32), 4, NOON), b"{}")
    bucket.close()
    bad = await command(*options, environment=where)
    assert bad.code == 2 and f"--anchor s3://{BUCKET}, 000000000002-20260203T120000Z.json: it is no anchor" in bad.err
    gone = await command(*options[:-1], "s3://no-such-bucket", environment=where)
    assert gone.code == 2 and "the bucket of anchors answers 404 NoSuchBucket: check audit.s3.bucket" in gone.err
    wrong = await command(*options[:-1], f"s3://{BUCKET}/no-slash", environment=where)
    assert wrong.code == 2 and "a slash at its end" in wrong.err


async def test_a_bucket_that_takes_no_anchor_is_named(store: EventStore, server: Moto) -> None:
    """The sink raises, and is asked again; its age grows meanwhile."""
    with pytest.raises(StoreMisconfigured, match=r"the bucket of anchors answers 404 NoSuchBucket: check audit\.s3\."):
        await anchor(store, of(server, "no-such-bucket"))
    with pytest.raises(StoreMisconfigured, match=r"SignatureDoesNotMatch: check audit\.s3\.secret_access_key"):
        await anchor(store, of(server, secret_access_key=SecretStr("other")))
    with pytest.raises(StoreAway):
        await anchor(store, of(server, BUCKET, lock_days=30))  # it has no object lock
    assert (await store.audit_state(["s3"]))[1] == {}


async def test_doctor_checks_the_bucket(server: Moto) -> None:
    """Also that it has the lock that the settings ask for."""
    assert await findings(Audit()) == []
    (locked,) = await findings(of(server, lock_days=30))
    assert (locked.state, locked.found) == ("ok", f"bucket {LOCKED} at {server.endpoint}, locked for 30 days")
    (loose,) = await findings(of(server, BUCKET))
    assert loose.state == "note" and "THREADLINE_AUDIT__S3__LOCK_DAYS" in loose.todo
    (lockless,) = await findings(of(server, BUCKET, lock_days=30))
    assert lockless.state == "wrong" and "no object lock" in lockless.found
    (missing,) = await findings(of(server, "no-such-bucket"))
    assert missing.state == "wrong" and missing.todo == "check audit.s3.bucket"
    (away,) = await findings(of(server, endpoint=f"http://127.0.0.1:{ports.free()}"))
    assert away.state == "wrong" and away.found.startswith("the bucket of anchors cannot be used now")
    with pytest.raises(StoreMisconfigured, match="without credentials: set THREADLINE_AUDIT__S3__ACCESS_KEY_ID"):
        check(of(server, access_key_id=None, secret_access_key=None))


def test_what_is_sent_asks_for_the_lock() -> None:
    """Its mode and end, and the digest of the body that a lock demands."""
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200)

    http = httpx.Client(transport=httpx.MockTransport(answer))
    credentials = Credentials("AKIDEXAMPLE", "secret", "us-east-1", "s3")
    bucket = Bucket("anchors", "http://s3.test/anchors", "audit/", credentials, http, ANCHORS)
    put(bucket, AuditS3(bucket="anchors", lock_days=1, lock_mode="governance"), Anchor(7, bytes(32), 9, NOON), b"line")
    (request,) = asked
    assert (request.method, request.url.path) == ("PUT", "/anchors/audit/000000000007-20260203T120000Z.json")
    assert request.content == b"line"
    assert request.headers["x-amz-object-lock-mode"] == "GOVERNANCE"
    assert request.headers["x-amz-object-lock-retain-until-date"] == "2026-02-04T12:00:00Z"
    assert request.headers["content-md5"] == "ZDjGaeDQ3pjmkpwswPrEdA=="
    signed = request.headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    assert {"content-md5", "x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date"} <= set(signed)
    put(bucket, AuditS3(bucket="anchors"), Anchor(8, bytes(32), 9, NOON), b"line")
    assert not [name for name in asked[1].headers if "lock" in name]


@pytest.mark.parametrize("s3", [{"lock_days": 3}, {"prefix": "a/"}, {"access_key_id": "a"}, {"bucket": "A"}])
def test_half_of_the_settings_is_refused(s3: dict[str, Any]) -> None:
    """As what would anchor nowhere; so is a bucket without the key that signs."""
    with pytest.raises(ValidationError):
        AuditS3(**s3)
    with pytest.raises(ValidationError, match="anchors are signed"):
        Audit(s3=AuditS3(bucket="anchors"))
