"""The webhook door as the settings describe it."""

from functools import partial
from typing import Any

from aiokafka import AIOKafkaProducer

from app.kafka import client_args
from app.settings import Settings
from app.telemetry import share
from app.topics import max_record
from webhooks.admit import Authenticate
from webhooks.aggregate import Door, Limits
from webhooks.keep import Keep
from webhooks.producer import BATCH
from webhooks.recognise import Accounts, Sources
from webhooks.spool import Spool


def make(settings: Settings, authenticate: Authenticate | None = None, accounts: Accounts | None = None) -> Door:
    """A door that is not yet started, for the settings' sources and the accounts of clients. Raises ValueError for a source whose adapter does not exist, or without Kafka."""
    door = settings.door
    spool = Spool(settings.data / "spool", door.spool_max)
    keep = Keep(partial(AIOKafkaProducer, **producer_args(settings)), spool, timeout=door.keep_timeout)
    limits = Limits(
        max_body=door.max_body,
        body_timeout=door.body_timeout,
        max_in_flight=door.max_in_flight,
        share=share(settings.telemetry),
        trust_traceparent=settings.telemetry.trust_traceparent,
    )
    return Door(Sources(settings.sources, accounts), keep, limits, authenticate)


def producer_args(settings: Settings) -> dict[str, Any]:
    """Arguments for the door's AIOKafkaProducer: acknowledged by all replicas, and no doubles from its own retries."""
    return {
        **client_args(settings.kafka),
        "acks": "all",
        "enable_idempotence": True,
        # One record may be larger than a batch, and goes alone then.
        "max_batch_size": 2 * BATCH,
        "max_request_size": max_record(settings),
        # No shorter than a spooled batch may take: an earlier end would make the client send the same again.
        "request_timeout_ms": 15_000,
    }
