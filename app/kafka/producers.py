"""Makes all Kafka producers, with limits that follow from the settings."""

from typing import Any

from aiokafka import AIOKafkaProducer

from app.kafka import client_args
from app.kafka.topics import max_letter, max_record
from app.settings import Settings
from webhooks.producer import BATCH


def producer(settings: Settings, **more: Any) -> AIOKafkaProducer:
    """Return a producer that is not started. `more` overrides the default arguments."""
    return AIOKafkaProducer(**{**producer_args(settings), **more})


def producer_args(settings: Settings) -> dict[str, Any]:
    """Return arguments for an AIOKafkaProducer: acknowledged by all replicas, idempotent."""
    return {
        **client_args(settings.kafka),
        "acks": "all",
        "enable_idempotence": True,
        # One record may be larger than a batch, and goes alone then.
        "max_batch_size": 2 * BATCH,
        # Checked by the client; the topic has its own limit. Dead letters are the largest records.
        "max_request_size": max_letter(settings),
        # At least the timeout of a spooled batch: a shorter one would make the client send it again.
        "request_timeout_ms": 15_000,
    }


def faust_limits(settings: Settings) -> dict[str, Any]:
    """Return the limits under Faust's names: of its producer, which publishes dead letters, and of its consumer."""
    return {
        "producer_acks": -1,
        "producer_max_request_size": max_letter(settings),
        "producer_max_batch_size": 2 * BATCH,
        "consumer_max_fetch_size": max_record(settings),
    }
