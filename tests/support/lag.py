"""Asks Kafka how far a consumer group is behind."""

from typing import Any

from app.kafka.unread import Log


async def measure_lag(client: dict[str, Any], group: str, topics: tuple[str, ...]) -> dict[str, int]:
    """Return the number of uncommitted records of each topic."""
    kafka = Log(client, group, topics)
    try:
        lag = dict.fromkeys(topics, 0)
        for tp, reach in (await kafka.reach()).items():
            lag[tp.topic] += reach.behind
        return lag
    finally:
        await kafka.close()
