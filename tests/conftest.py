"""What tests run against: one PostgreSQL and one Kafka for the whole run, started when first asked for.

Both are real, on free ports, in a temporary folder, and end with the run however it ends. The fixtures hold nothing that
belongs to an event loop, so every test has a loop of its own.
"""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import psutil
import pytest
import pytest_asyncio
from aiokafka.admin import NewTopic
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from app.embedded.kafka import QUICK_JVM, Kafka
from app.embedded.postgres import SMALL, Postgres
from app.kafka import admin, ensure_topics
from app.settings import Kafka as KafkaSettings
from app.settings import Settings
from sql.migrate import migrate

PREFIX = "threadline-tests-"

#: Where Linux has a file system in memory. The servers' files are there if it fits: a database, of some 800 files, is copied in
#: a twentieth of the time. What these files bear is the kill of a process, never the machine's: memory is as good as a disk.
MEMORY = Path("/dev/shm")
#: What the servers of one process of the tests may come to: PostgreSQL's WAL, some databases, Kafka's segments.
ROOM = 2 << 30

# No test, nor a process that one starts, reads what the user of this checkout has set or runs in it.
for name in [name for name in os.environ if name.startswith("THREADLINE_")]:
    del os.environ[name]
# Nor the width of the terminal, by which commands wrap what they say: readline, in the processes of pytest-xdist, sets it to 80.
os.environ.pop("COLUMNS", None)
os.environ["THREADLINE_DATA"] = str(Path(tempfile.gettempdir(), f"threadline-no-data-{os.getpid()}"))

# How long an example takes says what else the machine does, not that the code is wrong. The examples are the same in every
# run, so that a run tells of the change that it tests; `--hypothesis-profile=search` looks for new ones.
hypothesis_settings.register_profile("search", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.register_profile("same", hypothesis_settings.get_profile("search"), derandomize=True)
hypothesis_settings.load_profile("same")


def fits_in_memory() -> bool:
    """Return whether there is memory for the servers of all processes of this run, and twice as much is free."""
    wanted = ROOM * int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    return (
        MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > wanted and psutil.virtual_memory().available > 2 * wanted
    )


class Dsns(NamedTuple):
    """Connection URIs of one database: as its owner, and as the service."""

    owner: str
    service: str


@pytest.fixture(scope="session")
def servers_folder() -> Iterator[Path]:
    """A folder that other accounts may pass through: PostgreSQL does not run as root. Removed at the end, and so are
    those that killed runs left."""
    for left in [left for place in (MEMORY, Path(tempfile.gettempdir())) for left in place.glob(f"{PREFIX}*")]:
        if not psutil.pid_exists(int(left.name.removeprefix(PREFIX).partition("-")[0])):
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=MEMORY if fits_in_memory() else None))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres(servers_folder: Path) -> AsyncIterator[Postgres]:
    """A running PostgreSQL whose database `threadline` is migrated, to be copied, not to be used."""
    server = Postgres(servers_folder / "postgres", servers_folder / "postgres.log", tuning=SMALL)
    await server.start()
    await migrate(server.dsn("owner"))
    yield server
    await server.stop()


@pytest_asyncio.fixture
async def postgres_dsn(postgres: Postgres) -> AsyncIterator[Dsns]:
    """A fresh migrated database of the test's own."""
    name = f"test_{uuid4().hex}"
    await postgres.execute("copy_database", name=name, template="threadline")
    yield Dsns(postgres.dsn("owner", name), postgres.dsn("service", name))
    await postgres.execute("drop_database", name=name)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def kafka(servers_folder: Path) -> AsyncIterator[Kafka]:
    """A running broker, shared: use topics and groups of your own (`new_topic`), or `topics` and unique ids."""
    broker = Kafka(servers_folder / "kafka", servers_folder / "kafka.log", jvm=QUICK_JVM, secured=False)
    await broker.start()
    yield broker
    await broker.stop()


@pytest.fixture(scope="session")
def kafka_bootstrap(kafka: Kafka) -> str:
    """`host:port` of the shared broker."""
    return kafka.bootstrap


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first, in the random order that they have: one that begins last keeps one process busy while the
    others are done."""
    items.sort(key=lambda item: item.path.parent.name not in ("faults", "e2e"))


NewTopicFunction = Callable[..., Awaitable[str]]


@pytest.fixture
def new_topic(kafka_bootstrap: str) -> NewTopicFunction:
    """`await new_topic("name", partitions=4, **configs)` makes a topic of that test alone and returns its name."""

    async def make(name: str = "test", partitions: int = 1, **configs: str) -> str:
        unique = f"{name}.{uuid4().hex[:12]}"
        async with admin(KafkaSettings(bootstrap=kafka_bootstrap)) as client:
            await client.create_topics([NewTopic(unique, partitions, 1, topic_configs=configs)])
        return unique

    return make


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def topics(kafka_bootstrap: str) -> str:
    """The shared broker's bootstrap, once it has all of Threadline's topics."""
    await ensure_topics(Settings(kafka=KafkaSettings(bootstrap=kafka_bootstrap)))
    return kafka_bootstrap
