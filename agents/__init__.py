"""The stream process: builds the Faust app with its agents, named here because autodiscovery can silently find none."""

import socket
import ssl
from functools import partial
from typing import Any

import faust
from faust.types.auth import SASLMechanism

from agents import inbound, outbound, reported
from agents.consumer import BatchTransport
from agents.health import WorkerHealth
from agents.pipeline import Pipeline, Prepare
from agents.process.sources import SourceIds
from agents.records.large import LargeRecords
from agents.records.letters import Letters
from app.blobs import blobs_of
from app.clients.configured import Clients
from app.kafka import unpacking
from app.kafka.producers import faust_limits
from app.kafka.topics import max_letter, max_record
from app.kafka.unread import GROUP as GROUP
from app.settings import Kafka, Settings
from schemas import load_words
from sql import EventStore
from webhooks.blobs import Blobs

#: Agent name → the topics it reads.
READS: dict[str, tuple[str, ...]] = {
    "inbound": ("webhooks.received",),
    "reported": ("events.reported",),
    "outbound": outbound.TOPICS,
}
TOPICS: tuple[str, ...] = tuple(topic for topics in READS.values() for topic in topics)

#: Seconds after which the consumer group considers a silent worker dead. A worker that returns under the same name (host and
#: health port: static membership, KIP-345) gets its partitions back at once.
SESSION = 15.0

#: Milliseconds after which the consumer asks again which topics and partitions there are. With the default of five minutes it
#: would read nothing of a topic that was recreated, or of added partitions, for as long.
METADATA = 10_000

#: Batches (fast consumer) or records (stock consumer) that an agent buffers, which bounds its memory.
BUFFER = {True: 16, False: 16384}


def build(
    settings: Settings,
    store: EventStore,
    health: WorkerHealth,
    clients: Clients,
    blobs: Blobs | None = None,
    ids: SourceIds | None = None,
) -> faust.App:
    """Return the Faust app with its agents. Opens no connection. `ids`: by default those of the settings. Raises ValueError
    without Kafka settings."""
    bootstrap = settings.kafka.bootstrap
    if not bootstrap:
        raise ValueError("no Kafka is configured: set THREADLINE_KAFKA__BOOTSTRAP")
    largest = max_record(settings)
    unpacking.install(largest)
    fast = settings.worker.fast_batches
    app = faust.App(
        GROUP,
        broker=[f"kafka://{server}" for server in bootstrap.split(",")],
        broker_credentials=credentials(settings.kafka),
        broker_commit_interval=1.0,
        broker_session_timeout=SESSION,
        broker_heartbeat_interval=SESSION / 5,
        consumer_group_instance_id=f"{socket.gethostname()}:{settings.worker.port}",
        broker_max_poll_records=settings.worker.batch,
        stream_buffer_maxsize=BUFFER[fast],
        consumer_auto_offset_reset="earliest",
        consumer_metadata_max_age_ms=METADATA,
        **faust_limits(settings),
        topic_allow_declare=False,
        topic_disable_leader=True,
        store="memory://",
        datadir=settings.data / "faust",
        autodiscover=False,
        web_enabled=False,
    )
    if fast:
        app.transport = BatchTransport(app.conf.broker_consumer, app)

    parts = (store, Letters(app, max_letter(settings), store), health, settings.worker.batch)
    ids = ids or SourceIds(settings)
    large = LargeRecords(blobs or blobs_of(settings), health, largest, store)
    webhooks = partial(inbound.begin, health=health, most=largest, accounts=ids.accounts, jobs=ids.jobs, large=large)
    events, requests = Pipeline(*parts, large.withhold), outbound.Intake(*parts, clients=clients)
    work: dict[str, tuple[Pipeline, Prepare]] = {
        "inbound": (events, webhooks),
        "reported": (events, partial(reported.prepare, most=largest, accounts=ids.accounts, jobs=ids.jobs)),
        "outbound": (requests, partial(outbound.prepare, most=largest)),
    }
    load_words()
    for name, topics in READS.items():
        _agent(app, name, topics, *work[name])
    return app


def _agent(app: faust.App, name: str, topics: tuple[str, ...], pipeline: Pipeline, prepare: Prepare) -> None:
    async def read(stream: Any) -> None:
        await pipeline.run(stream, prepare)

    read.__doc__ = f"Reads {', '.join(topics)}."
    app.agent(app.topic(*topics, value_serializer="raw", key_serializer="raw"), name=name)(read)


def credentials(kafka: Kafka) -> faust.SASLCredentials | faust.SSLCredentials | None:
    """Return the connection's security settings in Faust's form, or None for plain text."""
    if kafka.security_protocol == "PLAINTEXT":
        return None
    context: ssl.SSLContext | None = None
    if "SSL" in kafka.security_protocol:
        context = ssl.create_default_context(cafile=kafka.ca_file)
        if kafka.cert_file:
            context.load_cert_chain(kafka.cert_file, kafka.key_file)
    if kafka.security_protocol == "SSL":
        return faust.SSLCredentials(context)
    return faust.SASLCredentials(
        mechanism=SASLMechanism(kafka.sasl_mechanism),
        username=kafka.username,
        password=kafka.password.get_secret_value() if kafka.password else None,
        ssl_context=context,
    )
