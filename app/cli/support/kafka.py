"""Errors of Kafka, in words."""

import logging

from aiokafka.errors import KafkaConnectionError

from app.settings import Settings


def quiet() -> None:
    """Keep aiokafka from logging what a command then prints as its error."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


def kafka_error_text(error: Exception, settings: Settings) -> str:
    """Return the first line of an error of Kafka, with the addresses it was looked for at."""
    if isinstance(error, KafkaConnectionError):
        return f"Kafka cannot be reached at {settings.kafka.bootstrap}"
    words = (str(error) or type(error).__name__).strip().splitlines()[0]
    return f"Kafka at {settings.kafka.bootstrap}: {words}"
