"""The door: `/webhooks/aggregate[/{source}]` as an ASGI application. A request in; kept, then answered, or refused.

It stands before the router and works on ASGI's messages, as the objects that a framework makes of them cost as much as
everything that is done here.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter

from opentelemetry.trace import Span

from adapters.base import Answer, Request
from webhooks import tracing
from webhooks.admit import LATER, Authenticate, admit
from webhooks.amazon_sns import AmazonSns, Unfetched
from webhooks.body import Bodies, Disconnected, Message, Receive, Send, discard
from webhooks.counters import Counters
from webhooks.ids import uuid7
from webhooks.keep import Keep
from webhooks.recognise import DOOR, Sources, UnknownSource, Verdict, named
from webhooks.record import DROPPED_HEADERS, Webhook, encode
from webhooks.refusals import Refusals
from webhooks.replies import UNKNOWN, Refused, Reply, options, refusal, reply
from webhooks.scope import headers_of, url_of
from webhooks.spool import Unkept
from webhooks.used import Used, once_of

#: Seconds after which a caller may come again, of whom there were too many at once.
SOON = 1
EMPTY = Answer()
#: Why a signature that holds is refused.
AGAIN = "its signed token came before with another body, which the signature does not cover"


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one door. Sizes in bytes, times in seconds; `share` of the webhooks is traced."""

    max_body: int = 1 << 20
    body_timeout: float = 10.0
    max_in_flight: int = 2000
    max_bytes: int = 64 << 20
    share: float = 0.0
    trust_traceparent: bool = False


def at_door(path: str) -> bool:
    """Whether a request for this path is the door's."""
    return path.startswith(DOOR) and (len(path) == len(DOOR) or path[len(DOOR)] == "/")


class Door:
    """Judges, keeps and answers webhooks."""

    def __init__(
        self,
        sources: Sources,
        keep: Keep,
        limits: Limits,
        authenticate: Authenticate | None = None,
        sns: AmazonSns | None = None,
    ) -> None:
        self.counters = Counters()
        self.in_flight = 0
        #: Bytes of the bodies that are being judged and kept.
        self.held = 0
        self._bodies = Bodies(limits.max_body, limits.body_timeout, limits.max_bytes)
        self._sources = sources
        self.keep = keep
        self._limits = limits
        self._authenticate = authenticate
        self._sns = sns or AmazonSns()
        self._sampling = tracing.Sampling(limits.share, limits.trust_traceparent)
        self._untraced = self._sampling.off
        self._refusals = Refusals(self.counters)
        self._used = Used()

    async def start(self) -> None:
        """Begin to keep webhooks. Raises OSError where the spool's folder cannot be used."""
        self._bodies.start()
        await self.keep.start()

    async def stop(self) -> None:
        """Finish what is under way."""
        await self._bodies.stop()
        await self._sns.close()
        await self.keep.stop()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request whose path is the door's (`at_door`)."""
        began = perf_counter()
        self.in_flight += 1
        close = False
        try:
            if self._untraced:
                start, body = await self._serve(scope, receive, None)
            else:
                with self._sampling.receive(scope["headers"]) as span:
                    start, body = await self._serve(scope, receive, span)
        except Refused as refused:
            if refused.source == UNKNOWN:
                refused.source = self._told(scope)
            self._refusals.tell(refused)
            start, body = refusal(refused)
            close = refused.close
        except Disconnected:
            self.counters.disconnected += 1
            return
        finally:
            self.in_flight -= 1
        await send(start)
        if close:
            await send(body | {"more_body": True})
            await discard(receive, 4 * self._limits.max_body, 2.0)
            body = {"type": "http.response.body", "body": b""}
        await send(body)
        self.counters.answered[start["status"]] += 1
        self.counters.latency.observe(perf_counter() - began)

    def _told(self, scope: Message) -> str:
        """The configured source that the path names. Another name is not repeated: anyone can make up many."""
        name = named(scope["path"])
        return name if name is not None and name in self._sources.by_name else UNKNOWN

    async def _serve(self, scope: Message, receive: Receive, span: Span | None) -> Reply:
        method = scope["method"]
        if method != "POST" and method != "GET":
            if method == "OPTIONS":
                return options()
            # Some providers look whether the door is there before they post to it.
            if method == "HEAD":
                return reply(EMPTY)
            raise Refused(405, f"method {method[:20]}")
        if self.in_flight > self._limits.max_in_flight:
            raise Refused(429, f"{self.in_flight} in flight", retry_after=SOON)
        headers = headers_of(scope["headers"])
        body = await self._bodies.read(receive, headers)
        self.held += len(body)
        try:
            if self.held > self._limits.max_bytes:
                raise Refused(429, f"{self.held} bytes in flight", retry_after=SOON)
            request = Request(method, url_of(scope, headers), headers, body, datetime.now(UTC), "")
            verdict = self._sources.recognise(request)
            if verdict.needs is not None:
                request.parsed["fetched"] = {verdict.needs: await self._sns.certificate(verdict.needs)}
                request.url = url_of(scope, headers)  # as it came: it was judged as that of a source since
                verdict = self._sources.recognise(request)
            if verdict.handshake is not None:
                if verdict.handshake.visit is not None:
                    await self._sns.confirm(verdict.handshake.visit)
                return reply(verdict.handshake)
            if not verdict.accepted or method == "GET":
                await admit(verdict, self._authenticate)
            if verdict.authentic and (once := once_of(verdict.adapter, request)) is not None:
                if not self._used.first(verdict.source, once, request.received_at):
                    raise Refused(401, AGAIN, source=verdict.source)
            answer = reply(verdict.adapter.answer(request))
            await self._keep_it(verdict, span)
            return answer
        except UnknownSource as unknown:
            raise Refused(404, str(unknown)) from None
        except Unfetched as error:
            raise Refused(503, str(error), source=verdict.source, retry_after=LATER) from None
        finally:
            self.held -= len(body)

    async def _keep_it(self, verdict: Verdict, span: Span | None) -> None:
        """Return once the webhook is durable. Raises Refused (503)."""
        request = verdict.request
        headers = request.headers
        if not DROPPED_HEADERS.isdisjoint(headers):
            headers = {name: value for name, value in headers.items() if name not in DROPPED_HEADERS}
        webhook = Webhook(
            uuid7(),
            verdict.source,
            verdict.adapter.NAME,
            verdict.client,
            request.method,
            request.url,
            headers,  # type: ignore[arg-type]
            request.received_at,
            verdict.authentic,
            request.body,
        )
        try:
            if span is None:
                await self.keep.put(encode(webhook))
            else:
                with tracing.keeping({"webhook.id": webhook.id, "webhook.source": webhook.source}) as traceparent:
                    await self.keep.put(encode(webhook), traceparent)
        except Unkept as error:
            raise Refused(503, str(error), source=verdict.source, retry_after=LATER) from None
        self.counters.kept[webhook.source] += 1
        self.counters.size.observe(len(request.body))
