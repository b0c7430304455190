"""By which dates what was kept of a customer outside the store's rows cannot be read any more, from the settings. Pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from app.kafka.topics import TOPICS
from app.settings import Settings
from sql.personal.keys import LIFETIME

#: Kafka removes whole segments of its log, and closes one after 7 days (`segment.ms`,
#: https://kafka.apache.org/documentation/#topicconfigs_segment.ms): a record may stay so much longer than its time.
SEGMENT_DAYS = 7


def unreadable_by(
    settings: Settings, fenced: datetime, destroyed: datetime, emptied: datetime | None
) -> dict[str, datetime | None]:
    """Return for each place the time by which what it has of the customer is gone; None: never by itself. `fenced`: the time after
    which nothing was added; `destroyed`: when the keys went; `emptied`: when all was emptied whose keys stay (None: no such)."""
    times = dict(_times(settings, fenced, destroyed))
    if emptied is not None:
        times["backups, of what was emptied"] = emptied + timedelta(days=settings.erasure.backup_days)
    return times


def _times(settings: Settings, fenced: datetime, destroyed: datetime) -> Iterator[tuple[str, datetime | None]]:
    yield "caches of processes", destroyed + timedelta(seconds=LIFETIME)
    for topic in TOPICS:
        yield f"topic {topic.name}", fenced + timedelta(days=topic.retention_days + SEGMENT_DAYS)
    raw = settings.worker.retain_raw_days
    # Whole days are dropped; large bodies a day after the webhooks that name them, in a bucket another one.
    yield "raw webhooks", fenced + timedelta(days=raw + 1)
    yield "large bodies", fenced + timedelta(days=raw + 3)
    age = settings.retention.ages["dead_letters"]
    yield "dead letters", None if age is None else fenced + age
    yield "backups", destroyed + timedelta(days=settings.erasure.backup_days)
