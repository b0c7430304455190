"""Takes the usual webhook without a task of its own. Its body has arrived, it can be verified at once, and it is not traced.

A task, ASGI's messages and the coroutines around them cost as much as verifying, encoding and sealing a webhook. Webhooks that came
at the same time are taken stage by stage: all pass one stage before any enters the next. This costs about half of running all stages
for each webhook, since the code of a stage stays in the processor's caches.

All other webhooks are served by `webhooks.aggregate`, by the same rules.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from time import perf_counter
from typing import Any, Protocol

import structlog

from adapters.contract import Request
from webhooks.admission import VERIFIED
from webhooks.aggregate import Door, at_door
from webhooks.body import Message
from webhooks.recognise import AccountUnavailable, UnknownSource, Verdict
from webhooks.recording import unkept
from webhooks.replies import Refused, Reply, reply
from webhooks.scope import headers_of, url_of
from webhooks.spool import Unkept

#: Webhooks that are taken before other tasks run, two or three milliseconds; and the bytes of their bodies after which no more are.
MOST, ENOUGH = 32, 64 << 10

log = structlog.get_logger("webhooks")


class Offered(Protocol):
    """A request that came whole: its ASGI scope and its body."""

    scope: Message
    body: bytes

    def answer(self, start: dict[str, Any], body: dict[str, Any]) -> None:
        """Answer it, with ASGI's messages."""
        ...

    def leave(self) -> None:
        """Have it served by the ASGI application."""
        ...


@dataclass(slots=True)
class _Taken:
    offered: Offered
    began: float = field(default_factory=perf_counter)
    request: Request = field(init=False)
    verdict: Verdict = field(init=False)
    made: Reply = field(init=False)
    record: bytes = b""
    #: Whether a place is reserved for it among the webhooks that are being kept.
    admitted: bool = False


class AtOnce:
    """Takes webhooks for a door."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._waiting: deque[_Taken] = deque()
        #: Each stage returns whether the webhook goes on to the next stage.
        self._stages: tuple[Callable[[_Taken], bool], ...] = (
            self._read, self._verify, self._admit, self._encode, self._keep
        )  # fmt: skip

    def __call__(self, offered: Offered) -> None:
        """Take a request, soon. A request that is not of the usual kind is left to the application, which does not verify it again."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._take)
        self._waiting.append(_Taken(offered))

    def _take(self) -> None:
        some: list[_Taken] = []
        size = 0
        while self._waiting and len(some) < MOST and size < ENOUGH:
            some.append(self._waiting.popleft())
            size += len(some[-1].offered.body)
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._take)
        for stage in self._stages:
            some = [each for each in some if self._goes_on(each, stage)]

    def _goes_on(self, each: _Taken, stage: Callable[[_Taken], bool]) -> bool:
        try:
            return stage(each)
        except Refused as refused:
            self._end(each)
            self._answer(each, self._door.refuse(refused, None, each.began))
        except Exception:  # a bug: the application meets it again, reports it, and answers 500
            self._end(each)
            each.offered.leave()
        return False

    def _read(self, each: _Taken) -> bool:
        scope, body, door = each.offered.scope, each.offered.body, self._door
        if scope["method"] == "POST" and door.untraced and at_door(scope["path"]):
            headers = headers_of(scope["headers"])
            if "content-encoding" not in headers and len(body) <= door.most(scope):
                each.request = Request("POST", url_of(scope, headers), headers, body, datetime.now(UTC), "")
                return True
        each.offered.leave()
        return False

    def _verify(self, each: _Taken) -> bool:
        try:
            each.verdict = verdict = self._door.sources.recognise(each.request)
        except (UnknownSource, AccountUnavailable):
            each.offered.leave()
            return False
        if verdict.accepted and verdict.handshake is None:
            return True
        each.offered.scope[VERIFIED] = each.request, verdict
        each.offered.leave()
        return False

    def _admit(self, each: _Taken) -> bool:
        self._door.admit(each.verdict, each.request, each.offered.scope)
        each.admitted = True
        each.made = reply(each.verdict.adapter.answer(each.verdict.request))
        return True

    def _encode(self, each: _Taken) -> bool:
        _, each.record = self._door.record(each.verdict)
        return True

    def _keep(self, each: _Taken) -> bool:
        self._door.keep.put(each.record).add_done_callback(partial(self._kept, each))
        return True

    def _kept(self, each: _Taken, kept: "asyncio.Future[None]") -> None:
        self._end(each)
        error = asyncio.CancelledError() if kept.cancelled() else kept.exception()
        if error is None:
            self._door.count(each.verdict)
            self._answer(each, each.made)
        else:
            self._answer(each, self._door.refuse(_refusal(error, each.verdict.source), None, each.began))

    def _end(self, each: _Taken) -> None:
        if each.admitted:
            each.admitted = False
            self._door.keeping.give(each.verdict.source, len(each.offered.body))

    def _answer(self, each: _Taken, made: Reply) -> None:
        start, body = made
        each.offered.answer(start, body)
        self._door.counters.answered[start["status"]] += 1
        self._door.counters.latency.observe(perf_counter() - each.began)


def _refusal(error: BaseException, source: str) -> Refused:
    if isinstance(error, Unkept):
        return unkept(error, source)
    log.error("cannot keep a webhook", source=source, error=type(error).__name__, exc_info=error)
    return Refused(500, type(error).__name__, source=source)
