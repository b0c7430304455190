"""Defines the topics and their settings."""

from dataclasses import dataclass

from app.settings import Settings
from schemas.events import CHANNELS

DAY = 24 * 3600 * 1000  # milliseconds, as Kafka counts retention

#: Bytes of a record beside the webhook's body: its head line with all headers, and Kafka's framing.
RECORD_OVERHEAD = 256 << 10
#: Bytes of a dead letter beside the record's value: the headers with the reason.
LETTER_OVERHEAD = 64 << 10
#: Records have room for a body of at least this many bytes, since small records are sent in batches of up to this size.
LEAST_BODY = 1 << 20
#: The largest body that may be configured to be in a record (`blobs.over`), and the largest at all (`door.max_body`). A
#: record makes up to four times its size of events (`agents.records.outcome`) in one transaction; PostgreSQL limits JSON to
#: 256 MB, brokers a request to 100 MiB (`socket.request.max.bytes`).
MOST_INLINE, MOST_BODY = 32 << 20, 128 << 20


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. `acknowledges`: its records were acknowledged to a caller with 2xx, so a single broker flushes them to disk."""

    name: str
    purpose: str
    acknowledges: bool = False
    retention_days: int = 7
    dead_letters: bool = False

    def partitions(self, settings: Settings) -> int:
        """Return the least number of partitions. Dead letters are few and are read in order, so they have one."""
        return 1 if self.dead_letters else settings.kafka.partitions

    def largest(self, settings: Settings) -> int:
        """Return the size of the largest record in bytes."""
        return max_letter(settings) if self.dead_letters else max_record(settings)

    def configs(self, settings: Settings) -> dict[str, str]:
        """Return its settings on the broker (https://kafka.apache.org/documentation/#topicconfigs)."""
        wanted = {"retention.ms": str(self.retention_days * DAY), "max.message.bytes": str(self.largest(settings))}
        if self.acknowledges and settings.kafka.flush_every_message:
            wanted["flush.messages"] = "1"
        if settings.kafka.replication > 1:
            wanted["min.insync.replicas"] = "2"
        return wanted


_LIVE = (
    Topic("webhooks.received", "webhooks as received", acknowledges=True),
    Topic("events.reported", "events of services, as CloudEvents"),
    Topic("events.recorded", "the log's events, keyed by customer"),
    Topic("messages.requested", "send requests; the client's configuration decides the channel", acknowledges=True),
    *(
        Topic(f"messages.requested.{channel}", f"send requests for {channel}", acknowledges=True)
        for channel in CHANNELS
    ),
)

#: Those that the workers read.
READ: tuple[Topic, ...] = tuple(topic for topic in _LIVE if topic.name != "events.recorded")

#: All topics, with those of their dead letters.
TOPICS: tuple[Topic, ...] = (
    *_LIVE,
    *(Topic(f"{t.name}.dlq", f"dead letters of {t.name}", retention_days=30, dead_letters=True) for t in _LIVE),
)


def max_record(settings: Settings) -> int:
    """Return the size of the largest record in bytes, used for `max_request_size` and `max.message.bytes`."""
    return max(min(settings.door.max_body, settings.blobs.over), LEAST_BODY) + RECORD_OVERHEAD


def max_letter(settings: Settings) -> int:
    """Return the size of the largest dead letter in bytes."""
    return max_record(settings) + LETTER_OVERHEAD
