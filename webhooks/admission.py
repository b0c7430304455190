"""Admits webhooks that are verified, makes their records, counts them, and reports those that are refused.

All webhooks go through it, whether they are served by `webhooks.aggregate` or, without a task, by `webhooks.at_once`.
"""

from opentelemetry.trace import Span

from adapters.contract import Request
from sql.hour_keys import HourKeys
from webhooks import tracing
from webhooks.blobs import Reference
from webhooks.body import Message
from webhooks.counters import Counters
from webhooks.keep import Keep
from webhooks.limits import Limits
from webhooks.recognise import Sources, Verdict, named
from webhooks.recording import Recording
from webhooks.refusals import Refusals
from webhooks.replies import SOON, Refused, Reply, refusal
from webhooks.shares import Room
from webhooks.used import Used, once_of

#: The member of a request's scope that has the request and its verdict, if it was verified before.
VERIFIED = "verified"
#: The label under which webhooks of clients' accounts are counted.
CLIENTS = "clients"
#: Why a request with a valid signature is refused.
AGAIN = "its signed token was used before with another body, which the signature does not cover"
STRANGER = "its connection has no client certificate with a name of the source's client_names"


class Admission:
    """The sources, the limits and what is in progress: what decides whether a verified webhook is kept."""

    def __init__(self, sources: Sources, keep: Keep, limits: Limits, hours: HourKeys | None = None) -> None:
        """`hours` has the keys that seal records; without it they are kept as they are."""
        #: The configured sources.
        self.sources = sources
        self.counters = Counters()
        self.keeping = Room(limits.max_in_flight, limits.max_bytes)
        self.keep = keep
        self.limits = limits
        self._recording = Recording(hours)
        self._refusals = Refusals(self.counters)
        self._used = Used()

    def use(self, sources: Sources, limits: Limits) -> None:
        """Use other sources and limits from now on. A request that is being verified keeps those that it began with."""
        self.sources, self.limits = sources, limits
        self.keeping.resize(limits.max_in_flight, limits.max_bytes)

    def most(self, scope: Message) -> int:
        """Return the most bytes that a body may have: the source's own limit if the path names a source that has one."""
        return self.limits.max_body_of.get(named(scope["path"]) or "", self.limits.max_body)

    def admit(self, verdict: Verdict, request: Request, scope: Message) -> None:
        """Reserve a place for a verified request; the caller of this method frees it. Raises Refused (401, 403, 429)."""
        names = self.limits.client_names_of.get(verdict.source)
        if names is not None and names.isdisjoint(scope.get("client_names", ())):
            raise Refused(403, STRANGER, source=verdict.source)
        if verdict.authentic and (once := once_of(verdict.adapter, verdict.request)) is not None:
            if not self._used.first(verdict.source, once, request.received_at):
                raise Refused(401, AGAIN, source=verdict.source)
        if not self.keeping.take(verdict.source, len(request.body)):
            in_flight = f"{self.keeping.requests} requests with {self.keeping.bytes} bytes are in progress"
            raise Refused(429, in_flight, source=verdict.source, retry_after=SOON)

    def record(self, verdict: Verdict, blob: Reference | None = None) -> tuple[str, bytes]:
        """Return the id and the record of a verified webhook; if `blob` is given, the record refers to it as its body. Raises Refused
        (413, 431, 503)."""
        return self._recording.of(verdict, blob, self.limits.max_record)

    def count(self, verdict: Verdict) -> None:
        """Count a webhook that was kept."""
        # Names chosen by clients are unbounded, so they must not become metric labels.
        self.counters.kept[verdict.source if verdict.events_source is None else CLIENTS] += 1
        self.counters.size.observe(len(verdict.request.body))

    def refuse(self, refused: Refused, span: Span | None, began: float) -> Reply:
        """Report a refusal, and return its answer. `began`: when the request began, by `perf_counter`."""
        self._refusals.record(refused)
        tracing.answered(span, refused.status, "receive", began, {"webhook.source": refused.source})
        return refusal(refused)
