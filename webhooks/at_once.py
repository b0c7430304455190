"""Takes the usual webhook without a task of its own: one whose body is there, that is authentic at first sight, and not traced.

A task, ASGI's messages and the coroutines around them cost as much as to verify, encode and seal a webhook. All others are served by
`webhooks.aggregate`, by the same rules.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from time import perf_counter
from typing import Any

import structlog

from adapters.contract import Request
from webhooks.aggregate import VERIFIED, Door, at_door
from webhooks.body import Message
from webhooks.recognise import AccountUnavailable, UnknownSource, Verdict
from webhooks.recording import unkept
from webhooks.replies import Refused, Reply, reply
from webhooks.scope import headers_of, url_of
from webhooks.spool import Unkept

#: Gets the start and the body of an answer.
Answering = Callable[[dict[str, Any], dict[str, Any]], None]

log = structlog.get_logger("webhooks")


class AtOnce:
    """Takes webhooks for a door."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def __call__(self, scope: Message, body: bytes, answer: Answering) -> bool:
        """Take a request (its ASGI scope) with its whole body, and return whether it was taken: `answer` then gets its answer, now or
        once it is durable. One that is not taken must be served by the door's ASGI application; nothing has come of it yet, and it
        is not verified again."""
        door, began = self._door, perf_counter()
        if scope["method"] != "POST" or not door.untraced or not at_door(scope["path"]):
            return False
        headers = headers_of(scope["headers"])
        if "content-encoding" in headers or len(body) > door.most(scope):
            return False
        request = Request("POST", url_of(scope, headers), headers, body, datetime.now(UTC), "")
        try:
            verdict = door.sources.recognise(request)
        except (UnknownSource, AccountUnavailable):
            return False
        if not verdict.accepted or verdict.handshake is not None:
            scope[VERIFIED] = request, verdict
            return False
        try:
            door.admit(verdict, request, scope)
        except Refused as refused:
            self._answer(answer, door.refuse(refused, None, began), began)
            return True
        try:
            made = reply(verdict.adapter.answer(verdict.request))
            kept = door.keep.put(door.record(verdict)[1])
        except Refused as refused:
            door.keeping.give(verdict.source, len(body))
            self._answer(answer, door.refuse(refused, None, began), began)
            return True
        except BaseException:
            door.keeping.give(verdict.source, len(body))
            raise
        kept.add_done_callback(partial(self._kept, verdict, made, answer, began))
        return True

    def _kept(
        self, verdict: Verdict, made: Reply, answer: Answering, began: float, kept: "asyncio.Future[None]"
    ) -> None:
        door = self._door
        door.keeping.give(verdict.source, len(verdict.request.body))
        error = asyncio.CancelledError() if kept.cancelled() else kept.exception()
        if error is None:
            door.count(verdict)
        else:
            made = door.refuse(_refusal(error, verdict.source), None, began)
        self._answer(answer, made, began)

    def _answer(self, answer: Answering, made: Reply, began: float) -> None:
        start, body = made
        answer(start, body)
        self._door.counters.answered[start["status"]] += 1
        self._door.counters.latency.observe(perf_counter() - began)


def _refusal(error: BaseException, source: str) -> Refused:
    if isinstance(error, Unkept):
        return unkept(error, source)
    log.error("cannot keep a webhook", source=source, error=type(error).__name__, exc_info=error)
    return Refused(500, type(error).__name__, source=source)
