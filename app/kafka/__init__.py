"""Connects to Kafka as configured, and creates and checks the topics."""

import ssl
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code

from app.kafka.topics import TOPICS, Topic
from app.settings import Kafka, Settings
from webhooks.cancelled import rest

SETTLE_WITHIN = 15.0  # seconds
#: The topic setting for the largest record, in bytes.
LARGEST = "max.message.bytes"
#: How brokers number the source of a topic's setting: set for this topic.
_OWN = 1


@dataclass(slots=True)
class TopicState:
    """The state of one topic. `created`: just now. `differs`: each setting that is not as wanted, as `(is, wanted)`."""

    topic: Topic
    partitions: int
    replication: int
    created: bool = False
    differs: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def too_small(self) -> tuple[int, int] | None:
        """The largest record that the topic accepts and the largest that we write, in bytes, if it is too small; else None."""
        found, wanted = self.differs.get(LARGEST, ("", ""))
        return (int(found), int(wanted)) if found.isdigit() and int(found) < int(wanted) else None


class TopicsFailed(Exception):
    """A topic could not be created. The message names it and gives the broker's reason."""


def client_args(kafka: Kafka) -> dict[str, Any]:
    """Return arguments for aiokafka's clients. Raises ValueError without bootstrap servers."""
    if not kafka.bootstrap:
        raise ValueError("no Kafka is configured: set THREADLINE_KAFKA__BOOTSTRAP, or start one with: threadline up")
    given: dict[str, Any] = {"bootstrap_servers": kafka.bootstrap, "security_protocol": kafka.security_protocol}
    if kafka.security_protocol.endswith("SSL"):
        context = ssl.create_default_context(cafile=kafka.ca_file)
        if kafka.cert_file:
            context.load_cert_chain(kafka.cert_file, kafka.key_file)
        given["ssl_context"] = context
    if kafka.security_protocol.startswith("SASL"):
        given["sasl_mechanism"] = kafka.sasl_mechanism
        given["sasl_plain_username"] = kafka.username
        given["sasl_plain_password"] = kafka.password.get_secret_value() if kafka.password else None
    return given


async def ensure_topics(settings: Settings) -> list[TopicState]:
    """Create missing topics, add partitions where there are too few, raise record limits that are too small, and return the
    state of each topic.

    Other differences are reported and not changed, since they may be intended. Raises TopicsFailed, or aiokafka's
    KafkaError if the cluster cannot be reached.
    """
    async with admin(settings.kafka) as client:
        before = await _states(client, settings)
        missing = [topic for topic in TOPICS if topic.name not in before]
        await _create(client, settings, missing)
        few = {
            name: NewPartitions(total_count=wanted)
            for name, state in before.items()
            if state.partitions < (wanted := state.topic.partitions(settings))
        }
        if few:
            await client.create_partitions(few)
        widened = await _widen(client, [state for state in before.values() if state.too_small])
        after = await _settled(client, settings, widened)
    for topic in missing:
        after[topic.name].created = True
    return [after[topic.name] for topic in TOPICS]


async def describe_topics(settings: Settings) -> list[TopicState]:
    """Return the state of those of our topics that exist. Changes nothing."""
    async with admin(settings.kafka) as client:
        return list((await _states(client, settings)).values())


@asynccontextmanager
async def admin(kafka: Kafka) -> AsyncIterator[AIOKafkaAdminClient]:
    """Give a connected administration client."""
    client = AIOKafkaAdminClient(**client_args(kafka), request_timeout_ms=20_000)
    try:
        await client.start()
        yield client
    finally:
        await client.close()


async def _create(client: AIOKafkaAdminClient, settings: Settings, missing: list[Topic]) -> None:
    wanted = [
        NewTopic(t.name, t.partitions(settings), settings.kafka.replication, topic_configs=t.configs(settings))
        for t in missing
    ]
    if not wanted:
        return
    answer = await client.create_topics(wanted)
    for name, code, *message in answer.topic_errors:
        if code not in (0, TopicAlreadyExistsError.errno):  # another process may have created it meanwhile
            raise TopicsFailed(
                f"cannot create {name}: {message[0] if message and message[0] else for_code(code).__name__}"
            )


async def _widen(client: AIOKafkaAdminClient, states: list[TopicState]) -> set[str]:
    """Raise the record limit of these topics, and return the names of those for which the broker accepted it. The request
    replaces all of a topic's own settings, so it repeats them. If the broker refuses, the difference remains and is
    reported."""
    if not states:
        return set()
    wanted = {state.topic.name: state.differs[LARGEST][1] for state in states}
    answers = await client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in wanted])
    own = {
        resource[3]: {entry[0]: entry[1] for entry in resource[4] if entry[3] == _OWN}
        for answer in answers
        for resource in answer.resources
    }
    altered = await client.alter_configs(
        [
            ConfigResource(ConfigResourceType.TOPIC, name, {**own.get(name, {}), LARGEST: size})
            for name, size in wanted.items()
        ]
    )
    # Each answer: error code, message, kind and name of the resource.
    return {resource[3] for answer in altered for resource in answer.resources if resource[0] == 0}


async def _settled(client: AIOKafkaAdminClient, settings: Settings, widened: Collection[str]) -> dict[str, TopicState]:
    """Wait until the brokers' metadata includes new topics, partitions and record limits, and return the state of each
    topic. A broker answers for what it knows, which may be older than what another has accepted."""
    deadline = time.monotonic() + SETTLE_WITHIN
    while True:
        after = await _states(client, settings)
        short = [t.name for t in TOPICS if t.name not in after or "partitions" in after[t.name].differs]
        short += [name for name in widened if name in after and after[name].too_small]
        if not short:
            return after
        if time.monotonic() > deadline:
            raise TopicsFailed(f"created or changed, but not visible after {SETTLE_WITHIN:.0f} s: {', '.join(short)}")
        await rest(0.1)


async def _states(client: AIOKafkaAdminClient, settings: Settings) -> dict[str, TopicState]:
    there = {t["topic"]: t["partitions"] for t in await client.describe_topics() if not t["error_code"]}
    ours = {
        topic.name: TopicState(topic, len(there[topic.name]), min(len(p["replicas"]) for p in there[topic.name]))
        for topic in TOPICS
        if there.get(topic.name)
    }
    for name, configs in (await _read_configs(client, list(ours))).items():
        state = ours[name]
        wanted = state.topic.configs(settings)
        state.differs = {k: (configs.get(k, ""), w) for k, w in wanted.items() if configs.get(k) != w}
        if state.replication < settings.kafka.replication:
            state.differs["replication"] = (str(state.replication), str(settings.kafka.replication))
        if state.partitions < (least := state.topic.partitions(settings)):
            state.differs["partitions"] = (str(state.partitions), str(least))
    return ours


async def _read_configs(client: AIOKafkaAdminClient, names: list[str]) -> dict[str, dict[str, str]]:
    if not names:
        return {}
    answers = await client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    return {
        resource[3]: {entry[0]: entry[1] for entry in resource[4]}
        for answer in answers
        for resource in answer.resources
    }
