"""Posts a publication to the door until it is kept, however long that takes."""

import asyncio
import random
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode
from uuid import uuid4

import httpx
import structlog

from webhooks.backoff import exponential
from webhooks.cancelled import rest
from webhooks.mqtt.subscription import Subscription

#: Posts in progress at once; seconds before the first retry, and at most.
AT_ONCE, SOON, LATE = 32, 0.2, 30.0
#: Characters of a percent-encoded topic, and of its properties, that fit into a request's head.
MAX_TOPIC, MAX_PROPERTIES = 8192, 16_384
#: Statuses that no retry changes: too large, unsupported media type.
_FOR_GOOD = frozenset({413, 415})

log = structlog.get_logger("mqtt")


@dataclass(slots=True)
class Publication:
    """A publication from the broker. `mid` is its packet identifier, `connection` the number of the connection it came by. `id`
    identifies it, and stays the same when the broker redelivers it to this process."""

    topic: str
    payload: bytes
    qos: int
    mid: int
    connection: int
    retain: bool = False
    properties: list[tuple[str, str]] = field(default_factory=list)
    id: str = field(default_factory=lambda: uuid4().hex)


class Posting:
    """Posts the publications of one subscription. The start and the end of a series of refusals are logged, not each one."""

    def __init__(self, subscription: Subscription, http: httpx.AsyncClient) -> None:
        self._subscription, self._http = subscription, http
        self._places = asyncio.Semaphore(AT_ONCE)
        self._refused = False

    async def post(self, one: Publication) -> None:
        """Return once the publication is kept, or log that it can never be kept."""
        headers = headers_of(one) | dict(self._subscription.headers)
        if len(headers["x-mqtt-topic"]) > MAX_TOPIC:
            log.error("dropped: the topic is too long", source=self._subscription.source, topic=one.topic[:200])
            return
        failures = 0
        while True:
            async with self._places:
                status, after = await self._try(one, headers)
            if 200 <= status < 300:
                self._log_change(refused=False, status=status)
                return
            if status in _FOR_GOOD:
                what = {"topic": one.topic[:200], "bytes": len(one.payload), "status": status}
                log.error("dropped: the door rejects it permanently", source=self._subscription.source, **what)
                return
            self._log_change(refused=True, status=status)
            wait = exponential(SOON, LATE, failures)
            # Jitter.
            await rest(max(after, wait * random.uniform(0.5, 1.0)))  # noqa: S311
            failures += 1

    async def _try(self, one: Publication, headers: dict[str, str]) -> tuple[int, float]:
        """Return the status (0 without a response) and the seconds of Retry-After."""
        try:
            answer = await self._http.post(self._subscription.url, content=one.payload, headers=headers)
        except httpx.HTTPError:
            return 0, 0.0
        after = answer.headers.get("retry-after", "")
        return answer.status_code, min(float(after), LATE) if after.isascii() and after.isdigit() else 0.0

    def _log_change(self, *, refused: bool, status: int) -> None:
        if refused is self._refused:
            return
        self._refused = refused
        if refused:
            log.warning("the door refuses publications; retrying", source=self._subscription.source, status=status)
        else:
            log.info("the door keeps publications again", source=self._subscription.source)


def headers_of(one: Publication) -> dict[str, str]:
    """Return the headers that `adapters.mqtt` reads."""
    made = {
        "content-type": _type(one.payload),
        "x-mqtt-topic": quote(one.topic, safe="/"),
        "x-mqtt-qos": str(one.qos),
        "x-mqtt-retain": "1" if one.retain else "0",
        "x-mqtt-id": one.id,
    }
    if one.properties and len(written := urlencode(one.properties)) <= MAX_PROPERTIES:
        made["x-mqtt-properties"] = written
    return made


def _type(payload: bytes) -> str:
    return "application/json" if payload[:64].lstrip()[:1] in (b"{", b"[") else "application/octet-stream"
