"""Traces the requests of the API: a span each for those that are sampled, and one for each that fails by our fault."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from opentelemetry.trace import Span
from starlette.routing import Route
from starlette.types import Scope

from app.settings import Telemetry
from app.telemetry import share
from webhooks import tracing

#: Paths of requests that are traced: not the health pages, which are asked every few seconds.
PREFIXES = ("/v1/", "/api/")
#: The end of the path of a stream, which stays open for hours.
STREAM = "/stream"


class Requests:
    """Decides which requests of these routes are traced."""

    def __init__(self, telemetry: Telemetry, routes: Sequence[Route]) -> None:
        self._paths: dict[object, str] = {route.endpoint: route.path for route in routes}
        self._sampling = tracing.Sampling(share(telemetry), telemetry.trust_traceparent)

    def span(self, scope: Scope) -> AbstractContextManager[Span | None]:
        """Give the span of a request during the block, or None if it is not sampled."""
        if self._sampling.off or not _traced(scope["path"]):
            return nullcontext()
        return self._sampling.receive(scope["headers"], "request")

    def answered(self, span: Span | None, status: int, scope: Scope, began: float) -> None:
        """Note the status of an answer to a request that `began` at a time of `perf_counter`. The span is named by the method
        and the route's template, never by the path, which may hold an address."""
        if span is None and (status < tracing.FAILURE or not _traced(scope["path"])):
            return
        path = self._paths.get(scope.get("endpoint"), "")
        name = f"{scope['method']} {path}".rstrip()
        if span is not None:
            span.update_name(name)
        tracing.answered(span, status, name, began, {"http.request.method": scope["method"], "http.route": path})


def _traced(path: str) -> bool:
    return path.startswith(PREFIXES) and not path.endswith(STREAM)
