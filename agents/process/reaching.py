"""Waits for Kafka at the start of a worker. Faust gives up at the first refusal, which would end the process."""

from functools import partial

from agents.failures import until_done
from agents.health import WorkerHealth
from app.kafka import admin
from app.settings import Kafka


async def kafka_reached(kafka: Kafka, health: WorkerHealth) -> None:
    """Return once the brokers answer. Until then the part `watch` of /readyz fails, and each attempt that failed is logged."""
    await until_done("kafka", partial(_ask, kafka), health)


async def _ask(kafka: Kafka) -> None:
    async with admin(kafka) as client:
        await client.describe_cluster()
