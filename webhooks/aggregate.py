"""The door: `/webhooks/aggregate[/{source}]` as an ASGI application. It verifies a webhook, makes it durable, and answers.

It runs before the router and works on ASGI messages directly, since a framework's request objects cost as much as all of
the work here. Most webhooks do not even need that: see `webhooks.at_once`.
"""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

from opentelemetry.trace import Span

from adapters.contract import Answer, Request
from sql.hour_keys import HourKeys
from webhooks import tracing
from webhooks.admission import VERIFIED, Admission
from webhooks.admit import LATER, Authenticate
from webhooks.amazon_sns import AmazonSns
from webhooks.blobs.arriving import Arriving, Large
from webhooks.body import Disconnected, Message, Receive, Send, discard, read_body
from webhooks.doubts import Doubts, caller_of
from webhooks.keep import Keep
from webhooks.limits import Limits
from webhooks.recognise import DOOR, AccountUnavailable, Sources, UnknownSource, Verdict, named
from webhooks.recording import unkept
from webhooks.replies import SOON, UNKNOWN, Refused, Reply, options, reply
from webhooks.scope import headers_of, url_of
from webhooks.spans import trace_of
from webhooks.spool import Unkept
from webhooks.turns import Turns

#: Requests that are verified in one round of the event loop, a few milliseconds; one with a larger body counts as several, one for each
#: so many bytes.
MOST, HEAVY = 8, 2 << 10


def at_door(path: str) -> bool:
    """Return whether the door serves this path."""
    return path.startswith(DOOR) and (len(path) == len(DOOR) or path[len(DOOR)] == "/")


class Door(Admission):
    """Verifies, keeps and answers webhooks."""

    def __init__(
        self,
        sources: Sources,
        keep: Keep,
        limits: Limits,
        authenticate: Authenticate | None = None,
        sns: AmazonSns | None = None,
        large: Large | None = None,
        hours: HourKeys | None = None,
    ) -> None:
        """Take the parts of the door. `authenticate` looks up API keys, `sns` fetches certificates of Amazon SNS. Without `large`,
        bodies that are too large for a record are refused. `hours` has the keys that seal records; without it they are not sealed."""
        super().__init__(sources, keep, limits, hours)
        self._doubts = Doubts(sources, limits.max_in_flight // 4, limits.max_bytes // 4, authenticate, sns)
        self._turns = Turns(MOST)
        self._large = large
        self._sampling = tracing.Sampling(limits.share, limits.trust_traceparent)
        #: Whether no request is traced.
        self.untraced = self._sampling.off

    def use(self, sources: Sources, limits: Limits) -> None:
        """Extend the method of Admission."""
        super().use(sources, limits)
        self._doubts.sources = sources
        self._doubts.room.resize(max(1, limits.max_in_flight // 4), limits.max_bytes // 4)

    async def start(self) -> None:
        """Start keeping webhooks. Raises OSError if the folder of the spool or that of the blobs cannot be used."""
        if self._large is not None:
            await asyncio.to_thread(self._large.folder.start)
        await self.keep.start()

    async def stop(self) -> None:
        """Finish the requests in progress."""
        await self._doubts.close()
        await self.keep.stop()

    @property
    def in_flight(self) -> int:
        """The number of complete requests that are being verified or kept."""
        return self.keeping.requests + self._doubts.room.requests

    @property
    def held(self) -> int:
        """The bytes of their bodies."""
        return self.keeping.bytes + self._doubts.room.bytes

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request for the door's path (`at_door`)."""
        began = perf_counter()
        span = None
        try:
            if self.untraced:
                start, body, close = await self._reply(scope, receive, None, began)
            else:
                with self._sampling.receive(scope["headers"]) as span:
                    start, body, close = await self._reply(scope, receive, span, began)
        except Disconnected:
            self.counters.disconnected += 1
            return
        await send(start)
        if close:
            await send(body | {"more_body": True})
            await discard(receive, 4 * self.limits.max_body, 2.0)
            body = {"type": "http.response.body", "body": b""}
        await send(body)
        self.counters.answered[start["status"]] += 1
        self.counters.latency.observe(perf_counter() - began, trace_of(span))

    async def _reply(
        self, scope: Message, receive: Receive, span: Span | None, began: float
    ) -> tuple[dict[str, Any], dict[str, Any], bool]:
        """Serve a request; return its answer, and whether the connection is to be closed. Raises Disconnected."""
        try:
            start, body = await self._serve(scope, receive, span)
        except Refused as refused:
            if refused.source == UNKNOWN:
                refused.source = self._configured_name(scope)
            return *self.refuse(refused, span, began), refused.close
        except Exception as error:
            tracing.crashed(span, error, "receive", began)
            raise
        if span is not None:
            span.set_attribute(tracing.STATUS, start["status"])
        return start, body, False

    def _configured_name(self, scope: Message) -> str:
        """Return the source named by the path if it is configured, else `-`. Callers can invent any number of other names."""
        name = named(scope["path"])
        return name if name is not None and name in self.sources.by_name else UNKNOWN

    async def _serve(self, scope: Message, receive: Receive, span: Span | None) -> Reply:
        method = scope["method"]
        if method != "POST" and method != "GET":
            if method == "OPTIONS":
                return options()
            # Some providers probe the URL before they post to it.
            if method == "HEAD":
                return reply(Answer())
            raise Refused(405, f"method {method[:20]}")
        headers = headers_of(scope["headers"])
        async with AsyncExitStack() as stack:
            body = await read_body(receive, headers, self.most(scope), self._large, stack)
            if isinstance(body, bytes):
                if not await self._turns.begin(caller_of(scope), len(body), 1 + len(body) // HEAVY):
                    raise Refused(429, "too many requests wait", retry_after=SOON)
                return await self._take(
                    scope, Request(method, url_of(scope, headers), headers, body, datetime.now(UTC), ""), span
                )
            assert self._large is not None
            await stack.enter_async_context(self._large.turn(body.size))
            whole = await body.read()
            request = Request(method, url_of(scope, headers), headers, whole, datetime.now(UTC), "")
            return await self._take(scope, request, span, body)

    async def _take(self, scope: Message, request: Request, span: Span | None, file: Arriving | None = None) -> Reply:
        """Verify a request and keep it. `file` has its body if that is large. Raises Refused."""
        method, body = request.method, request.body
        try:
            # Hashing and parsing megabytes takes long, so it is done in a thread.
            if (verified := scope.pop(VERIFIED, None)) is not None:
                request, verdict = verified
            elif file is None:
                verdict = self.sources.recognise(request)
            else:
                verdict = await asyncio.to_thread(self.sources.recognise, request)
            if verdict.handshake is not None and verdict.handshake.visit is None:
                return reply(verdict.handshake)
            if not verdict.accepted or method == "GET":
                verdict = await self._doubts.settle(verdict, request, scope)
                if verdict.handshake is not None:
                    return reply(verdict.handshake)
        except UnknownSource as unknown:
            raise await self._doubts.unrecognised(request, scope, str(unknown)) from None
        except AccountUnavailable as error:
            raise Refused(503, str(error), retry_after=LATER) from None
        self.admit(verdict, request, scope)
        try:
            answer = reply(verdict.adapter.answer(verdict.request))
            await self._keep(verdict, span, file)
            return answer
        finally:
            self.keeping.give(verdict.source, len(body))

    async def _keep(self, verdict: Verdict, span: Span | None, file: Arriving | None = None) -> None:
        """Return once the webhook is durable. Raises Refused (413, 431, 503)."""
        blob = None
        if file is not None and self._large is not None:
            blob = await self._large.keep(file, verdict.client, verdict.source)
        id, record = self.record(verdict, blob)
        try:
            if span is None:
                await self.keep.put(record)
            else:
                with tracing.keeping(
                    {"webhook.id": id, "webhook.source": verdict.events_source or verdict.source}
                ) as traceparent:
                    await self.keep.put(record, traceparent)
        except Unkept as error:
            raise unkept(error, verdict.source) from None
        self.count(verdict)
