"""An OTLP/HTTP collector over a real socket, which remembers the spans that it is sent."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support.waiting import eventually


class Collector:
    """`spans` are protobuf messages of opentelemetry-proto."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.port = 0

    @property
    def url(self) -> str:
        """Where it listens: a value of `telemetry.otlp_endpoint`."""
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        while True:
            try:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            except (asyncio.IncompleteReadError, ConnectionError):
                break
            length = int(head.split("content-length:")[1].split("\r\n")[0])
            body = await reader.readexactly(length)
            request = ExportTraceServiceRequest()
            try:
                request.ParseFromString(gzip.decompress(body) if "content-encoding: gzip" in head else body)
            except DecodeError:
                break
            self.spans += [s for r in request.resource_spans for scope in r.scope_spans for s in scope.spans]
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            await writer.drain()
        writer.close()

    def traces(self) -> dict[bytes, list[Any]]:
        """Return the spans so far, by their trace's id."""
        found: dict[bytes, list[Any]] = {}
        for span in self.spans:
            found.setdefault(span.trace_id, []).append(span)
        return found

    async def trace(self, *names: str, of: bytes | None = None, within: float = 30.0) -> dict[str, Any]:
        """Return the spans of the first trace (or the trace `of` this id) that has spans of all these names, by their name,
        once there is one."""

        async def whole() -> list[dict[str, Any]]:
            traces = self.traces()
            chosen = traces.values() if of is None else [traces.get(of, [])]
            by_name = [{span.name: span for span in spans} for spans in chosen]
            return [spans for spans in by_name if set(names) <= spans.keys()]

        return (await eventually(whole, within=within))[0]


def attributes(span: Any) -> dict[str, Any]:
    """Return a span's attributes."""
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in span.attributes}


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """Run a collector during the block."""
    collector = Collector()
    server = await asyncio.start_server(collector.serve, "127.0.0.1", 0)
    collector.port = int(server.sockets[0].getsockname()[1])
    try:
        yield collector
    finally:
        server.close()
