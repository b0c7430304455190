"""Every producer of ours, made in one place, with limits that follow from the settings."""

from typing import Any

from aiokafka import AIOKafkaProducer

from app.kafka import client_args
from app.kafka.topics import max_letter, max_record
from app.settings import Settings
from webhooks.producer import BATCH


def producer(settings: Settings, **more: Any) -> AIOKafkaProducer:
    """One that is not yet started. `more` are arguments in place of these."""
    return AIOKafkaProducer(**{**producer_args(settings), **more})


def producer_args(settings: Settings) -> dict[str, Any]:
    """Arguments for an AIOKafkaProducer: acknowledged by all replicas, and no doubles from its own retries."""
    return {
        **client_args(settings.kafka),
        "acks": "all",
        "enable_idempotence": True,
        # One record may be larger than a batch, and goes alone then.
        "max_batch_size": 2 * BATCH,
        # A check of the client's: the topic is what decides. Dead letters are the largest.
        "max_request_size": max_letter(settings),
        # No shorter than a spooled batch may take: an earlier end would make the client send the same again.
        "request_timeout_ms": 15_000,
    }


def faust_limits(settings: Settings) -> dict[str, Any]:
    """The same limits in Faust's words: of its producer, which dead letters go by, and of its consumer."""
    return {
        "producer_acks": -1,
        "producer_max_request_size": max_letter(settings),
        "producer_max_batch_size": 2 * BATCH,
        "consumer_max_fetch_size": max_record(settings),
    }
