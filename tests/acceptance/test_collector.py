"""Traces and logs through a real collector: to be found in Jaeger and in VictoriaLogs, with addresses and numbers masked."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from app.embedded import ports
from app.embedded.process import Child
from tests.acceptance.programs import program
from tests.support import traffic
from tests.support.stack import ROOT, Stack
from tests.support.waiting import eventually

FILE = ROOT / "deploy" / "collector" / "collector.yml"
COLLECTOR = "in deploy/collector: go run go.opentelemetry.io/collector/cmd/builder@v0.165.0 --config builder.yml"
JAEGER = "go get -tool github.com/jaegertracing/jaeger/cmd/all-in-one@v1.76.0, then go build it as jaeger-all-in-one"
VICTORIA = "go get -tool github.com/VictoriaMetrics/VictoriaLogs/app/victoria-logs@v1.52.1, then go build it"
#: Of a person who does not exist; in a span's attribute and in a log line that no process of ours would write.
MAIL, PHONE = "ana.example@mail.example.com", "+49 30 5550 1234"


@asynccontextmanager
async def running(*children: Child) -> AsyncIterator[None]:
    """Run these programs during the block."""
    for child in children:
        child.start()
    try:
        yield
    finally:
        for child in reversed(children):
            await child.stop()


@asynccontextmanager
async def observed(folder: Path, logs: str, otlp: int) -> AsyncIterator[tuple[str, str]]:
    """Run the collector by its file, Jaeger and VictoriaLogs; gives the URLs of the last two."""
    query, traces, victoria = ports.free(), ports.free(), ports.free()
    others = (
        "admin.http",
        "collector.grpc-server",
        "collector.http-server",
        "collector.otlp.grpc",
        "query.grpc-server",
    )
    jaeger = [f"--query.http-server.host-port=127.0.0.1:{query}", f"--collector.otlp.http.host-port=127.0.0.1:{traces}"]
    jaeger += [f"--{name}.host-port=127.0.0.1:{ports.free()}" for name in others]
    where = {
        "OTLP_LISTEN": f"127.0.0.1:{otlp}",
        "THREADLINE_LOGS": logs,
        "JAEGER": f"http://127.0.0.1:{traces}",
        "VICTORIALOGS": f"http://127.0.0.1:{victoria}",
    }
    kept = [f"-storageDataPath={folder}/logs", f"-httpListenAddr=127.0.0.1:{victoria}"]
    async with running(
        _child("jaeger-all-in-one", JAEGER, jaeger, folder, {}),
        _child("victoria-logs", VICTORIA, kept, folder, {}),
        _child("otelcol", COLLECTOR, ["--config", str(FILE)], folder, where),
    ):
        yield f"http://127.0.0.1:{query}", f"http://127.0.0.1:{victoria}"


def _child(name: str, how: str, arguments: list[str], folder: Path, environment: Mapping[str, str]) -> Child:
    command = [program(name, how), *arguments]
    return Child(name, command, folder / f"{name}.log", environment={**os.environ, **environment})


async def test_a_trace_and_its_log_lines_are_found_without_addresses(open_folder: Path) -> None:
    """A webhook's trace is in Jaeger with its spans, a refused one's log line in VictoriaLogs by the trace's id; an address in a
    span's attribute, in a line's body and in a line's field arrives masked."""
    otlp = ports.free()
    stack = Stack(open_folder / "stack", telemetry={"sample": 1.0, "otlp_endpoint": f"http://127.0.0.1:{otlp}"})
    foreign = stack.folder / "foreign.log"
    async with (
        stack,
        observed(open_folder, f"{stack.folder}/*e*.log", otlp) as (jaeger, victoria),
        httpx.AsyncClient(timeout=20) as http,
    ):
        await asyncio.gather(stack.start("serve"), stack.start("work"))
        form = {"AccountSid": "AC1", "From": "+18005550199", "To": "+15557000009", "MessageSid": "SM" + "c" * 32}
        good = traffic.twilio({**form, "MessageStatus": "sent"})
        wrong = traffic.twilio({**form, "MessageStatus": "sent"}, "https://wrong.example.com/")
        answers = [
            (
                await http.post(f"{stack.url}/webhooks/aggregate/twilio", content=post.body, headers=post.headers)
            ).status_code
            for post in (good, wrong)
        ]
        assert answers == [200, 401]

        async def traces() -> list[dict[str, Any]]:
            services = "threadline-worker", "threadline-http"
            try:
                found = [await http.get(f"{jaeger}/api/traces", params={"service": name}) for name in services]
            except httpx.TransportError:
                return []
            return [trace for answer in found for trace in answer.json().get("data") or []]

        whole = {"receive", "keep", "process"}
        names = await eventually(
            traces,
            lambda found: any(whole <= {span["operationName"] for span in trace["spans"]} for trace in found),
            60,
        )
        ids = {trace["traceID"] for trace in names}

        async def lines(query: str) -> list[dict[str, Any]]:
            try:
                answer = await http.get(f"{victoria}/select/logsql/query", params={"query": query, "limit": 100})
            except httpx.TransportError:
                return []
            return [json.loads(line) for line in answer.text.splitlines()]

        (refused, *_) = await eventually(lambda: lines('"webhook_refused"'), within=60)
        assert refused["trace_id"] in ids and refused["service"] == "http"
        assert await lines(f'trace_id:"{refused["trace_id"]}"') != []

        record = {
            "event": f"cannot write to {MAIL}",
            "to": PHONE,
            "level": "error",
            "service": "http",
            "marked": "masking",
        }
        foreign.write_text(json.dumps(record | {"timestamp": "2026-11-29T05:00:00.000001Z"}) + "\n")
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"http://127.0.0.1:{otlp}/v1/traces")))
        with provider.get_tracer("test").start_as_current_span("masked") as span:
            span.set_attributes({"mail": f"to {MAIL}", "phone": PHONE, "count": 12})
            trace_id = f"{span.get_span_context().trace_id:032x}"
        await asyncio.to_thread(provider.shutdown)

        async def arrived() -> list[dict[str, Any]]:
            return (await http.get(f"{jaeger}/api/traces/{trace_id}")).json().get("data") or []

        (trace,) = await eventually(arrived, within=60)
        values = {tag["key"]: tag["value"] for tag in trace["spans"][0]["tags"]}
        assert "@" not in values["mail"] and values["mail"].startswith("to ") and "5550" not in values["phone"]
        assert values["count"] == 12
        (line,) = await eventually(lambda: lines("marked:masking"), within=60)
        assert line["_msg"].startswith("cannot write to ") and "@" not in line["_msg"] and "5550" not in line["to"]
        assert MAIL not in json.dumps(await lines("*")) and PHONE not in json.dumps(await lines("*"))
