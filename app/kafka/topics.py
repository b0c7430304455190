"""Which topics there are, and how each shall be."""

from dataclasses import dataclass

from app.settings import Settings
from schemas.events import CHANNELS

DAY = 24 * 3600 * 1000  # milliseconds, as Kafka counts retention

#: What a record needs beside the body of the webhook in it: its head line with all headers, and Kafka's own frame.
RECORD_OVERHEAD = 256 << 10
#: What a dead letter needs beside the record in it: the headers that say what is wrong.
LETTER_OVERHEAD = 64 << 10
#: Bytes of a body for which there is room in any case: small records go to Kafka together, as much as this at once.
LEAST_BODY = 1 << 20
#: The largest body that may be configured. A record makes up to four times itself of events (`agents.records.outcome`), which one
#: transaction takes; PostgreSQL's JSON ends at 256 MB, and brokers at 100 MiB a request (`socket.request.max.bytes`).
MOST_BODY = 32 << 20


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. `acknowledges`: a caller was told 2xx because of what is in it, so a lone broker flushes it to disk."""

    name: str
    purpose: str
    acknowledges: bool = False
    retention_days: int = 7
    dead_letters: bool = False

    def partitions(self, settings: Settings) -> int:
        """How many it shall have, at the least. Dead letters are few, and read in order."""
        return 1 if self.dead_letters else settings.kafka.partitions

    def largest(self, settings: Settings) -> int:
        """Bytes of the largest record that goes there."""
        return max_letter(settings) if self.dead_letters else max_record(settings)

    def configs(self, settings: Settings) -> dict[str, str]:
        """Its settings on the broker (https://kafka.apache.org/documentation/#topicconfigs)."""
        wanted = {"retention.ms": str(self.retention_days * DAY), "max.message.bytes": str(self.largest(settings))}
        if self.acknowledges and settings.kafka.flush_every_message:
            wanted["flush.messages"] = "1"
        if settings.kafka.replication > 1:
            wanted["min.insync.replicas"] = "2"
        return wanted


_LIVE = (
    Topic("webhooks.received", "webhooks as they came", acknowledges=True),
    Topic("events.reported", "what services report, as CloudEvents"),
    Topic("events.recorded", "what the log holds, keyed by customer"),
    Topic("messages.requested", "send requests, channel by the client's configuration", acknowledges=True),
    *(
        Topic(f"messages.requested.{channel}", f"send requests for {channel}", acknowledges=True)
        for channel in CHANNELS
    ),
)

#: Every topic, each with its dead letters.
TOPICS: tuple[Topic, ...] = (
    *_LIVE,
    *(Topic(f"{t.name}.dlq", f"dead letters of {t.name}", retention_days=30, dead_letters=True) for t in _LIVE),
)


def max_record(settings: Settings) -> int:
    """The largest record in bytes: a producer's `max_request_size`, a topic's `max.message.bytes`."""
    return max(settings.door.max_body, LEAST_BODY) + RECORD_OVERHEAD


def max_letter(settings: Settings) -> int:
    """The largest dead letter in bytes: that of the largest record."""
    return max_record(settings) + LETTER_OVERHEAD
