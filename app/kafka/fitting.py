"""Checks at start that the settings can be used, and are consistent with each other and with the broker's topics.

Each problem is a sentence that says what to do. If a topic did not accept the largest record, the process would get stuck at
the first one or have to drop it.
"""

import asyncio
import sys

import structlog
from aiokafka.errors import KafkaError

from adapters import PROVIDERS
from adapters.checked import nearest
from app import variables
from app.blobs import refusal
from app.kafka import LARGEST, TopicState, client_args, describe_topics
from app.kafka.topics import MOST_BODY, MOST_INLINE
from app.settings import Settings, settings_file
from sql.sealing import MAKE_ONE

log = structlog.get_logger(__name__)

#: Seconds to wait for Kafka. A process must start without it.
PATIENCE = 5.0


def unfit(settings: Settings) -> list[str]:
    """Return the problems of the settings themselves."""
    size, over, found = settings.door.max_body, settings.blobs.over, []
    if not 0 < size <= MOST_BODY:
        found.append(
            f"door.max_body is {size}: set THREADLINE_DOOR__MAX_BODY to 1 to {MOST_BODY} bytes, since "
            "each process has a larger body in memory several times"
        )
    if not 0 <= over <= MOST_INLINE:
        found.append(
            f"blobs.over is {over}: set THREADLINE_BLOBS__OVER to 0 to {MOST_INLINE} bytes, since the events of a larger "
            "record do not fit into one transaction"
        )
    if settings.door.tls.client_ca is None:
        found += [
            f"sources.{name}.client_names needs door.tls.client_ca: without it no caller has a verified certificate"
            for name, source in settings.sources.items()
            if source.client_names is not None
        ]
    try:
        client_args(settings.kafka)
    except OSError as error:  # ssl's errors too
        found.append(f"kafka.ca_file, cert_file or key_file cannot be used: {error.strerror or type(error).__name__}")
    except ValueError:  # no Kafka
        pass
    return found


def not_startable(settings: Settings) -> list[str]:
    """Return the problems that keep a process from starting: no key to encrypt with, a source without an adapter.
    Names no value."""
    known = sorted({*PROVIDERS, *settings.declared})
    found = [] if settings.secrets.given else [MAKE_ONE]
    for name, source in settings.sources.items():
        if settings.adapter_of(name) is None:
            adapter = source.adapter or name
            instead = nearest(adapter, known) or f"; adapter is one of: {', '.join(known)}"
            found.append(f"sources.{name} has no adapter {adapter!r}{instead}{_from(name)}")
    return found


def _from(source: str) -> str:
    """Return where a source's section is, in brackets."""
    where = variables.origin(("sources", source), settings_file())
    if where.startswith(variables.PREFIX):
        where = "the environment"  # the rest of the variable's name may be a secret in the wrong place
    return f" (from {where})" if where else ""


def too_small(states: list[TopicState]) -> list[str]:
    """Return a problem for each limit that is below the largest record, with all the topics that have it."""
    topics: dict[tuple[int, int], list[str]] = {}
    for state in states:
        if state.too_small:
            topics.setdefault(state.too_small, []).append(state.topic.name)
    found = []
    for (takes, needed), names in topics.items():
        one = names[0] if len(names) == 1 else "TOPIC"
        found.append(
            f"{', '.join(names)} {'accepts' if len(names) == 1 else 'accept'} records of at most {takes} bytes ({LARGEST}), but "
            f"{needed} are needed: run threadline topics, or kafka-configs.sh --alter --entity-type topics --entity-name "
            f"{one} --add-config {LARGEST}={needed}, or lower THREADLINE_BLOBS__OVER"
        )
    return found


async def misfits(settings: Settings) -> list[str]:
    """Return all problems. An unreachable Kafka, or bucket of blobs, is none, since it may come up later."""
    found = unfit(settings) + not_startable(settings)
    if not found and (refused := await asyncio.to_thread(refusal, settings)):
        found.append(refused)
    if found or not settings.kafka.bootstrap:
        return found
    try:
        async with asyncio.timeout(PATIENCE):
            return too_small(await describe_topics(settings))
    except (KafkaError, OSError, TimeoutError) as error:
        log.warning("kafka_away", reason=type(error).__name__, effect="its topics' limits are not checked")
        return found


def refuses(settings: Settings) -> bool:
    """Print and log all problems, and return whether there are any, so that the process must not start."""
    found = asyncio.run(misfits(settings))
    for sentence in found:
        log.critical("settings do not fit", what=sentence)
        print(sentence, file=sys.stderr)
    return bool(found)
