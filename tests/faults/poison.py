"""Makes hostile records for every topic that the worker reads, the same ones from the same seed.

Webhooks are fixtures of every provider, changed, and encoded as by the door; events and requests of services are
documents with values of the fixtures. Besides: false headers, bytes that are no document, tombstones, odd keys, headers
and times, every codec, and sizes up to the default limits.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from adapters import PROVIDERS
from app.kafka.topics import max_record
from app.settings import Settings
from schemas.events import CHANNELS
from tests.faults.mutations import HIDDEN, ODD, mutated
from tests.faults.trees import Raw, Sample, as_json, samples
from webhooks.record import Webhook, encode

#: The time of the first webhook's receipt.
AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
CODECS: tuple[str | None, ...] = (None, "gzip", "snappy", "lz4", "zstd")
WEBHOOKS, REPORTED, REQUESTED = "webhooks.received", "events.reported", "messages.requested"
REQUESTS = (REQUESTED, *(f"{REQUESTED}.{channel}" for channel in CHANNELS))
#: Sizes in bytes, and how many records of a thousand have each.
SIZES = ((600, 600), (4_000, 300), (40_000, 80), (400_000, 15), (1 << 20, 5))
_HEAD = ("id", "source", "adapter", "client", "method", "url", "headers", "receivedAt", "authentic")
_ODD_HEAD: dict[str, tuple[Any, ...]] = {
    "id": ("x", "", "0" * 36, str(UUID(int=0)), "\x00"),
    "source": (5, "", "\x1f", "a\x00b", "s" * 5_000, "threadline"),
    "adapter": ("nothing", "../adapters", "__init__", "mqtt", "declared"),
    "client": (5, "", "c" * 5_000, "a\x00b", "nobody"),
    "headers": ([["a", "b"]], {"a": 5}, {"": ""}, {"content-type": "\x00"}, {"content-type": "x" * 100_000}),
    "receivedAt": (
        "0000-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-03-02", 1e300, "2026-03-02T09:30:00",
        "1066-10-14T00:00:00Z",
    ),
    "url": ("", "//", "http://[", "https://hooks.example.com/?" + "a&" * 30_000, "x" * 200_000),
    "method": (5, "", "GET", "\x00"),
}  # fmt: skip
_NO_DOCUMENTS = (
    b"", b"\n", b"{}", b"{}\n", b"[]\n[]", b"null", b"\x00", b"\xff\xfe\x00", b"\xef\xbb\xbf{}", b"PK\x03\x04", b"\x1f\x8b\x08\x00",
    b"\x28\xb5\x2f\xfd", b"{" * 5_000, b"[" * 100_000, b'"\\ud800"', b"\n" * 10_000, b"NaN", b"-", b'{"a":1}{"a":1}',
)  # fmt: skip
_TIMES = (None, 0, 1, -1, -(10**17), 10**13, 253402300799999, 253402300800000, 2**62)
_TRACES = (
    b"", b"00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-01", b"00-" + b"f" * 32 + b"-" + b"f" * 16 + b"-01", b"\xff" * 55, b"ff-x", None,
    b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", b"0" * 10_000,
)  # fmt: skip


@dataclass(slots=True)
class Record:
    """One record. `made`: how it was made; `id`: that of the webhook, event or message, if the change left it as it
    was."""

    topic: str
    value: bytes | None
    made: str
    id: str
    codec: str | None = None
    key: bytes | None = None
    headers: list[tuple[str, bytes | None]] = field(default_factory=list)
    timestamp: int | None = None


class Poison:
    """Yields records without end."""

    def __init__(self, seed: int, settings: Settings) -> None:
        self.seed, self._rng, self._number = seed, Random(seed), 0
        self.largest, self._body = max_record(settings), settings.door.max_body
        self._samples: list[list[Sample]] = [found for name in PROVIDERS if (found := samples(name))]

    def __iter__(self) -> Iterator[Record]:
        while True:
            yield self.one()

    def one(self) -> Record:
        """Return the next record."""
        rng = self._rng
        self._number += 1
        size = rng.choices([size for size, _ in SIZES], [share for _, share in SIZES])[0]
        make = rng.choices((self._webhook, self._reported, self._requested), (6, 2, 2))[0]
        record = make(rng, size)
        if rng.random() < 0.03:
            record.value, record.made = None, "tombstone"
        elif rng.random() < 0.04:
            record.value, record.made = rng.choice(_NO_DOCUMENTS), "no document"
        elif record.value and rng.random() < 0.03:
            at = rng.randrange(len(record.value))
            record.value = record.value[:at] + rng.randbytes(3) + record.value[at + rng.randrange(4) :]
            record.made += ", damaged"
        if record.value is not None and len(record.value) > self.largest - 20_000:
            record.value, record.made = record.value[: self.largest - 20_000], record.made + ", cut"
        return self._odd_envelope(record, rng)

    def _odd_envelope(self, record: Record, rng: Random) -> Record:
        record.codec = rng.choice(CODECS)
        if rng.random() < 0.2:
            record.key = rng.choice((b"", b"\x00\xff", b"k" * 10_000, rng.randbytes(16)))
        if rng.random() < 0.2:
            odd: list[list[tuple[str, bytes | None]]] = [
                [("traceparent", rng.choice(_TRACES))],
                [("traceparent", rng.choice(_TRACES))] * 2 + [("tracestate", b"a=b," * 100)],
                [("é\u202e", b"\xff"), ("", b""), ("null", None)],
                [(f"h{number}", b"x") for number in range(300)],
                [("", b"")] * rng.choice((1_000, 1_001, 40_000)),
            ]
            record.headers = rng.choice(odd)
        if rng.random() < 0.15:
            record.timestamp = rng.choice(_TIMES)
        return record

    def _webhook(self, rng: Random, size: int) -> Record:
        chosen = rng.choice(rng.choice(self._samples))
        way, url, body = self._mutated(chosen, rng, size)
        id = str(UUID(int=rng.getrandbits(128), version=4))
        now = AT + timedelta(milliseconds=self._number)
        # A source name of its own, so that its events do not repeat those of another record.
        webhook = Webhook(
            id, f"{chosen.provider}.{self._number}", chosen.provider, rng.choice(("default", "north", "south")), chosen.method,
            url[: self._body], chosen.headers, now, True, body[: self._body],
        )  # fmt: skip
        value, made = encode(webhook), f"{chosen.provider}/{chosen.name} {way}"
        if rng.random() < 0.1:
            name = rng.choice(_HEAD)
            line, _, rest = value.partition(b"\n")
            head = json.loads(line)
            if rng.random() < 0.2:
                del head[name]
            else:
                head[name] = rng.choice(_ODD_HEAD.get(name, ()) + ODD)
            value, made = as_json(head).encode() + b"\n" + rest, f"{made}, head {name}"
        return Record(WEBHOOKS, value, made, id)

    def _mutated(self, chosen: Sample, rng: Random, size: int) -> tuple[str, str, bytes]:
        root = chosen.tree()
        way = mutated(root, rng, size)
        return way, *chosen.written(root)

    def _reported(self, rng: Random, size: int) -> Record:
        id = f"poison-{self.seed}-{self._number}"
        data = {
            "messageId": id, "channel": "sms", "from": "+15551234567", "to": "+15557654321", "userId": f"u{self._number}",
            "content": {"text": "hello", "media": [{"url": "https://example.com/1", "type": "image/png"}]},
            "error": {"code": "1", "text": "words", "reason": "unknown"}, "timestamp": "2026-03-02T09:30:00Z",
            "handles": [{"kind": "email", "value": "ana@example.com"}], "price": {"amount": "0.01", "currency": "EUR"},
        }  # fmt: skip
        type = rng.choice(
            ("message.received", "message.failed", "message.delivered", "call.completed", "recipient.unsubscribed")
        )
        root: list[Any] = [data]
        way = mutated(root, rng, size)
        document = {
            "specversion": "1.0", "id": id, "source": "poison", "type": type, "time": "2026-03-02T09:30:00Z",
            "clientid": rng.choice(("default", "north")), "data": root[0],
        }  # fmt: skip
        if rng.random() < 0.15:
            document[rng.choice(list(document))] = rng.choice((*ODD, *HIDDEN))
        return Record(REPORTED, as_json(document).encode("utf-8", "surrogatepass"), f"reported {type} {way}", id)

    def _requested(self, rng: Random, size: int) -> Record:
        id = f"poison-{self.seed}-{self._number}"
        root: list[Any] = [
            {
                "clientId": "default", "messageId": id, "channel": "sms", "to": {"sms": "+15551234567"},
                "content": {"text": "hello", "media": [{"url": "https://example.com/1"}]}, "notBefore": "2099-01-01T00:00:00Z",
                "variables": {"1": "a"}, "channels": ["sms"], "category": "transactional", "reference": "r",
            }
        ]  # fmt: skip
        if isinstance(root[0], dict) and rng.random() < 0.8:  # both of a pair are refused together
            del root[0]["channels" if rng.random() < 0.5 else "channel"]
        way = mutated(root, rng, size)
        if isinstance(root[0], Raw):
            return Record(rng.choice(REQUESTS), root[0].text.encode("utf-8", "surrogatepass"), f"request {way}", id)
        return Record(rng.choice(REQUESTS), as_json(root[0]).encode("utf-8", "surrogatepass"), f"request {way}", id)
