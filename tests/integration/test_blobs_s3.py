"""Large bodies in a bucket of S3: stored, read, renewed, deleted by age; and what is said where the bucket does not do it."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from adapters.signing.sigv4 import Credentials
from agents.health import WorkerHealth
from agents.records.large import GONE, LargeRecords
from app.blobs import check, refusal, stores_of
from app.cli.doctor.blobs import bucket as doctor
from app.embedded import ports
from app.kafka.fitting import misfits
from app.settings import Settings
from app.settings.sections import Blobs, BlobsS3
from sql.hour_keys import HourKeys
from tests.support.keys import SEAL
from tests.support.s3 import BUCKET, InMemory, Moto, moto
from tests.unit.webhooks.doors import DoorUnderTest
from webhooks.aggregate import Door
from webhooks.blobs import WITHHELD, NoBlob, Reference, StoreAway, StoreFull, StoreMisconfigured, name_of
from webhooks.blobs.arriving import Large
from webhooks.blobs.bucket import Bucket
from webhooks.blobs.folder import Folder
from webhooks.blobs.s3 import FRESH, S3
from webhooks.limits import Limits
from webhooks.record import Webhook, encode

DAY = 86400.0
AT = datetime(2026, 11, 28, 12, tzinfo=UTC)
BODIES = [b"a photo" * 100_000, b"another", b"a third"]
NAMES = [name_of("acme", sha256(body).digest()) for body in BODIES]
CREDENTIALS = Credentials("AKIDEXAMPLE", "secret", "us-east-1", "s3")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moto | None]:
    """moto's server, one for this file."""
    with moto(tmp_path_factory.mktemp("moto") / "log") as running:
        yield running


def real(server: Moto | None) -> Moto:
    """The server, or skip the test."""
    if server is None:
        pytest.skip(
            "moto_server is not on the PATH: pip install 'moto[s3,iam]' flask flask-cors, in an environment of its own"
        )
    return server


@pytest.fixture(params=["in memory", "moto"])
def store(request: pytest.FixtureRequest, server: Moto | None, tmp_path: Path) -> Iterator[S3]:
    """A store with a prefix of its own, of at most 2 MB."""
    folder = Folder(tmp_path / "blobs", 2_000_000)
    if request.param == "moto":
        running = real(server)
        credentials = Credentials(running.key, running.secret, "us-east-1", "s3")
        # No slash: moto verifies the query as its web framework decoded it.
        made = Bucket(BUCKET, f"{running.endpoint}/{BUCKET}", f"{tmp_path.name}-", credentials)
    else:
        made = in_memory(InMemory())
    found = S3(made, folder, 2_000_000)
    found.start()
    yield found
    made.close()


def in_memory(answers: InMemory, name: str = BUCKET) -> Bucket:
    http = httpx.Client(transport=httpx.MockTransport(answers))
    return Bucket(name, f"http://s3.test/{name}", "large/", CREDENTIALS, http)


def arrived(store: S3, body: bytes) -> Path:
    path = store.folder.incoming / f"{time.monotonic_ns()}"
    path.write_bytes(body)
    return path


def put(store: S3, number: int) -> None:
    store.put(NAMES[number], arrived(store, BODIES[number]), len(BODIES[number]))


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let the store's clock be ahead of the bucket's."""
    clock = SimpleNamespace(time=lambda: time.time() + seconds, monotonic=time.monotonic)
    monkeypatch.setattr("webhooks.blobs.s3.time", clock)


def test_what_is_stored_is_read(store: S3) -> None:
    """Byte for byte; a redelivery is the same object."""
    for number in (0, 1, 0):
        put(store, number)
    assert [store.read(name) for name in NAMES[:2]] == BODIES[:2]
    store._weight.forget()
    assert store.used() == len(BODIES[0]) + len(BODIES[1])
    assert store.bucket.listed(most=1).objects[0][0].startswith(store.bucket.prefix)


def test_what_is_not_there_was_deleted(store: S3) -> None:
    """To read and to renew raise NoBlob, so that a dead letter is made."""
    with pytest.raises(NoBlob):
        store.read(NAMES[2])
    with pytest.raises(NoBlob):
        store.renew(NAMES[2])


def test_objects_are_deleted_by_age(store: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    """In all pages of the listing; a day more than asked for, as `renew` leaves a fresh one alone. Foreign objects stay."""
    for number in range(3):
        put(store, number)
    store.bucket.send("PUT", f"{store.bucket.prefix}mine", None).expect(200)
    later(monkeypatch, 31 * DAY + FRESH - 60)
    assert store.sweep(31 * DAY) == 0
    later(monkeypatch, 31 * DAY + FRESH + 60)
    assert store.sweep(31 * DAY) == 3
    with pytest.raises(NoBlob):
        store.read(NAMES[0])
    assert [key for key, _, _ in store.bucket.listed().objects] == [f"{store.bucket.prefix}mine"]


def test_a_renewed_object_is_new(store: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is older than a day; its content stays."""
    put(store, 1)
    before = store._stored(NAMES[1])
    time.sleep(1.1)  # S3's times are whole seconds
    store.renew(NAMES[1])
    assert store._stored(NAMES[1]) == before
    later(monkeypatch, FRESH + 60)
    store.renew(NAMES[1])
    assert store._stored(NAMES[1]) > before
    assert store.read(NAMES[1]) == BODIES[1]


def test_a_full_bucket_refuses(store: S3) -> None:
    """Beyond its bytes nothing is stored, also where another process stored the most of them."""
    put(store, 0)
    put(store, 1)
    other = S3(store.bucket, store.folder, len(BODIES[0]) + 10)
    with pytest.raises(StoreFull, match="the bucket of blobs is full: 700007 of 700010 bytes"):
        put(other, 2)


def test_a_lifecycle_rule_may_delete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then a sweep asks the bucket nothing."""
    answers = InMemory()
    store = S3(in_memory(answers), Folder(tmp_path, 10), 10, sweeping=False)
    store.start()
    later(monkeypatch, 99 * DAY)
    assert store.sweep(DAY) == 0 and answers.asked == []


@pytest.mark.parametrize("broken", [503, 500, httpx.ConnectError("refused"), httpx.ReadTimeout("late")])
def test_what_may_pass_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: Any) -> None:
    """With backoff, four times in all; then the store is away."""
    pauses: list[float] = []
    monkeypatch.setattr("webhooks.blobs.bucket.time.sleep", pauses.append)
    answers = InMemory()
    store = S3(in_memory(answers), Folder(tmp_path, 2_000_000), 2_000_000)
    store.start()
    assert store.used() == 0
    answers.broken = [broken] * 3
    put(store, 0)
    assert store.read(NAMES[0]) == BODIES[0]
    assert len(pauses) == 3 and all(0 <= pause <= 0.2 * 2**n for n, pause in enumerate(pauses))
    answers.asked, answers.broken = [], [broken] * 4
    with pytest.raises(StoreAway, match="the bucket of blobs cannot be used now"):
        store.read(NAMES[0])
    assert answers.asked == ["GET"] * 4


def test_a_refusal_is_not_tried_again() -> None:
    """A wrong key stays wrong."""
    answers = InMemory()
    answers.broken = [403]
    with pytest.raises(StoreMisconfigured, match=r"403 SignatureDoesNotMatch: check blobs\.s3\.secret_access_key"):
        in_memory(answers).listed()
    assert answers.asked == ["GET"]


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>",
        b"<L><Contents><Size>x</Size></Contents></L>",
        b"<L><Contents><LastModified>x</LastModified></Contents></L>",
    ],
)
def test_what_is_no_listing_deletes_nothing(tmp_path: Path, answer: bytes) -> None:
    """A proxy's page with the status 200, or a listing without its numbers and times: the store is away."""
    http = httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200, content=answer)))
    store = S3(Bucket(BUCKET, "http://s3.test/b", "", CREDENTIALS, http), Folder(tmp_path, 10), 10)
    store.start()
    with pytest.raises(StoreAway, match="something other than a listing"):
        store.sweep(DAY)


def of(endpoint: str, key: str, secret: str, bucket: str = BUCKET) -> Settings:
    s3 = BlobsS3(bucket=bucket, endpoint=endpoint, access_key_id=key, secret_access_key=SecretStr(secret))
    return Settings(blobs=Blobs(s3=s3))


async def test_the_settings_are_checked_at_start(server: Moto | None) -> None:
    """A wrong key, another secret, no such bucket: a sentence each, and `threadline doctor` says it too."""
    running = real(server)
    check(of(running.endpoint, running.key, running.secret))
    wrong = [
        (of(running.endpoint, "AKIDNOTTHERE", running.secret), "403 InvalidAccessKeyId: check blobs.s3.access_key_id"),
        (of(running.endpoint, running.key, "other"), "403 SignatureDoesNotMatch: check blobs.s3.secret_access_key"),
        (of(running.endpoint, running.key, running.secret, "no-such"), "404 NoSuchBucket: check blobs.s3.bucket"),
    ]
    for settings, says in wrong:
        assert await misfits(settings) == [f"the bucket of blobs answers {says}"]
        [finding] = [finding async for finding in doctor(settings)]
        assert finding.state == "wrong" and f"{finding.found}: {finding.todo}" == f"the bucket of blobs answers {says}"
    [finding] = [finding async for finding in doctor(of(running.endpoint, running.key, running.secret))]
    assert (finding.state, finding.found) == ("ok", f"bucket {BUCKET} at {running.endpoint}")


async def test_a_bucket_that_is_away_stops_no_start() -> None:
    """It may come up later; `threadline doctor` says that it is away."""
    away = of(f"http://127.0.0.1:{ports.free()}", "key", "secret")
    assert refusal(away) is None
    [finding] = [finding async for finding in doctor(away)]
    assert finding.state == "wrong" and finding.found.startswith("the bucket of blobs cannot be used now")


def test_credentials_come_from_the_variables_of_aws_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them together; without any the start is refused."""
    settings = Settings(blobs=Blobs(s3=BlobsS3(bucket="b.with.dots", region="cn-north-1", prefix="a/")))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    assert "AWS_ACCESS_KEY_ID" in (refusal(settings) or "")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    _, store = stores_of(settings)
    assert isinstance(store, S3)
    assert store.bucket._credentials == Credentials("key", "secret", "cn-north-1", "s3", "token")
    assert store.bucket._url == "https://s3.cn-north-1.amazonaws.com.cn/b.with.dots"
    _, plain = stores_of(Settings(blobs=Blobs(s3=BlobsS3(bucket="bodies", region="eu-west-1"))))
    assert isinstance(plain, S3) and plain.bucket._url == "https://bodies.s3.eu-west-1.amazonaws.com"


@pytest.mark.parametrize(
    "given",
    [{"bucket": "b-1", "access_key_id": "key"}, {"endpoint": "http://s3.test"}, {"bucket": "b-1", "prefix": "a b/"}],
)
def test_half_of_the_settings_is_refused(given: dict[str, Any]) -> None:
    """A key without its secret, an endpoint without a bucket, a prefix that keys cannot have."""
    with pytest.raises(ValueError, match=r"belong together|bucket is not set|should match pattern"):
        BlobsS3(**given)


def door_with(store: S3) -> DoorUnderTest:
    made = DoorUnderTest(Limits(max_body=5_000), None)
    large = Large(store.folder, store, over=1000, in_memory=1 << 20)
    made.door = Door(made.door.sources, made.keep, Limits(max_body=5_000), large=large)  # type: ignore[arg-type]
    return made


async def test_the_door_keeps_large_bodies_in_the_bucket(store: S3) -> None:
    """Before the record with the reference; a redelivery is the same object, and no file is left."""
    door, body = door_with(store), b"[]".ljust(2000)
    for _ in range(2):
        answered = await door.ask("POST", "/webhooks/aggregate/open", body=body)
        assert answered is not None and answered.status == 200
    first, second = (webhook.blob for webhook, _ in door.keep.kept)
    assert first is not None and first == second and store.read(first.name) == body
    assert not list(store.folder.incoming.iterdir())


async def test_the_door_answers_503_where_the_bucket_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With Retry-After, and no record; small bodies are kept all the same."""
    monkeypatch.setattr("webhooks.blobs.bucket.FIRST_PAUSE", 0.001)
    made = Bucket(BUCKET, f"http://127.0.0.1:{ports.free()}/{BUCKET}", "", CREDENTIALS)
    store = S3(made, Folder(tmp_path / "blobs", 10_000), 10_000)
    store.start()
    door = door_with(store)
    answered = await door.ask("POST", "/webhooks/aggregate/open", body=b"[]".ljust(2000))
    assert answered is not None and (answered.status, answered.headers["retry-after"]) == (503, "10")
    small = await door.ask("POST", "/webhooks/aggregate/open", body=b"[]")
    assert small is not None and small.status == 200
    assert [webhook.blob for webhook, _ in door.keep.kept] == [None]
    assert not list(store.folder.incoming.iterdir())
    made.close()


async def test_a_bucket_that_never_answers_is_503(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a time that a provider waits for, whatever the store does meanwhile."""
    monkeypatch.setattr("webhooks.blobs.arriving.STORING", 0.05)
    store = S3(in_memory(InMemory()), Folder(tmp_path / "blobs", 10_000), 10_000)
    store.start()
    monkeypatch.setattr(S3, "put", lambda *_: time.sleep(0.3))
    answered = await door_with(store).ask("POST", "/webhooks/aggregate/open", body=b"[]".ljust(2000))
    assert answered is not None and (answered.status, answered.headers["retry-after"]) == (503, "10")


async def test_the_worker_waits_for_the_bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It tries again until the bucket answers; one that it was to remove is known, and one that was deleted makes a dead letter."""
    monkeypatch.setattr("webhooks.blobs.bucket.FIRST_PAUSE", 0.001)
    monkeypatch.setattr("agents.failures.FIRST_PAUSE", 0.001)
    answers, health, read = InMemory(), WorkerHealth(), []
    store = S3(in_memory(answers), Folder(tmp_path, 2_000_000), 2_000_000)
    store.start()
    put(store, 0)
    webhook = Webhook(
        "0193a5c2-1111-7aaa-8bbb-0123456789ab", "open", "sendgrid", "acme", "POST", "https://h.test/", {}, AT, True, b""
    )
    webhook.blob = Reference(NAMES[0], len(BODIES[0]))
    record = SimpleNamespace(
        topic="webhooks.received", partition=0, offset=1, timestamp=0, headers=(), value=encode(webhook)
    )
    answers.broken = [503] * 9
    large = LargeRecords(store, health, 1 << 20, SimpleNamespace(hours=HourKeys(SEAL)))
    outcome = await large.outcome(record, lambda _, body: read.append(body))
    assert read == [BODIES[0]] and outcome.letter is None and not answers.broken
    answers.broken = [503]
    await large.withhold(NAMES[0])
    assert [*answers.objects.values()] and store.read(NAMES[0]) == WITHHELD
    outcome = await large.outcome(record, lambda _, body: read.append(body))
    assert outcome.letter is None and outcome.rows == [] and len(read) == 1
    answers.objects.clear()
    outcome = await large.outcome(record, lambda _, body: read.append(body))
    assert outcome.letter is not None and outcome.letter.reason == GONE and len(read) == 1
