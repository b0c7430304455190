"""One publication to the door: posted until it is kept, however long that takes."""

import asyncio
import random
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode
from uuid import uuid4

import httpx
import structlog

from app.mqtt.account import Account
from webhooks.backoff import exponential

#: Posts under way at once; seconds before the first repetition, and at most.
AT_ONCE, SOON, LATE = 32, 0.2, 30.0
#: Characters of a topic, percent-encoded, and of its properties, that a request's head has room for.
MAX_TOPIC, MAX_PROPERTIES = 8192, 16_384
#: Refusals that the same publication meets again whenever it is posted: too large, another media type.
_FOR_GOOD = frozenset({413, 415})

log = structlog.get_logger("mqtt")


@dataclass(slots=True)
class Publication:
    """What the broker gave. `mid` is its packet's number within the session, `connection` which of ours it came by; `id`
    tells it from the next, and stays the same where the broker gives it again to this process."""

    topic: str
    payload: bytes
    qos: int
    mid: int
    connection: int
    retain: bool = False
    properties: list[tuple[str, str]] = field(default_factory=list)
    id: str = field(default_factory=lambda: uuid4().hex)


class Posting:
    """Posts publications of one account. A refusal is logged when it begins and when it ends, not for each."""

    def __init__(self, account: Account, http: httpx.AsyncClient) -> None:
        self._account, self._http = account, http
        self._places = asyncio.Semaphore(AT_ONCE)
        self._refused = False

    async def post(self, one: Publication) -> None:
        """Returns once it is kept, or can never be, which is logged."""
        headers = headers_of(one) | dict(self._account.headers)
        if len(headers["x-mqtt-topic"]) > MAX_TOPIC:
            log.error("dropped: the topic is too long", source=self._account.source, topic=one.topic[:200])
            return
        failures = 0
        while True:
            async with self._places:
                status, after = await self._try(one, headers)
            if 200 <= status < 300:
                self._told(refused=False, status=status)
                return
            if status in _FOR_GOOD:
                what = {"topic": one.topic[:200], "bytes": len(one.payload), "status": status}
                log.error("dropped: the door takes no such request", source=self._account.source, **what)
                return
            self._told(refused=True, status=status)
            # Chance to keep many from coming back at once.
            wait = exponential(SOON, LATE, failures)
            await asyncio.sleep(max(after, wait * random.uniform(0.5, 1.0)))  # noqa: S311
            failures += 1

    async def _try(self, one: Publication, headers: dict[str, str]) -> tuple[int, float]:
        """The status (0: no answer), and the seconds that the door asks to wait."""
        try:
            answer = await self._http.post(self._account.url, content=one.payload, headers=headers)
        except httpx.HTTPError:
            return 0, 0.0
        said = answer.headers.get("retry-after", "")
        return answer.status_code, min(float(said), LATE) if said.isascii() and said.isdigit() else 0.0

    def _told(self, *, refused: bool, status: int) -> None:
        if refused is self._refused:
            return
        self._refused = refused
        if refused:
            log.warning("the door does not keep it; trying again", source=self._account.source, status=status)
        else:
            log.info("the door keeps it again", source=self._account.source)


def headers_of(one: Publication) -> dict[str, str]:
    """The headers that `adapters.mqtt` reads."""
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
