"""Nothing that a customer is or says leaves by logs, metrics or traces, or stands in clear in the database, Kafka, the spool or a
blob: every provider's fixtures go through a door and a worker whose requests are all traced, services report events, records are
refused, and what is personal in them, and each id that a provider gave, is looked for in every coding."""

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaProducer
from google.protobuf import text_format
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from adapters import PROVIDERS, interpret
from adapters.contract import Request
from app.cli.support.http_file import read_request
from app.kafka import client_args
from app.simulator import SIMULATED
from schemas.events import Event
from schemas.personal import personal_paths
from sql.personal.payloads import plan_of, walk
from sql.whole import whole
from tests.fixtures import accounts, fixtures
from tests.fixtures.sign import sign
from tests.support.collector import collecting
from tests.support.leaks import LONG, forms_of, found
from tests.support.stack import Stack
from tests.support.waiting import eventually

#: Shorter texts occur by chance. Up to `WHOLE` characters a text counts where it stands by itself: "Error 1" of a fixture is also
#: the beginning of aiokafka's "[Error 15] GroupCoordinatorNotAvailableError".
SHORTEST, WHOLE = 3, 8
#: Of a customer of a service.
ADDRESS, NUMBER = "ana.lopez.4711@example.org", "+15558675309"


def at(value: Any, path: tuple[str, ...]) -> Iterator[str]:
    """The texts in a value at a path of `personal_paths`."""
    if not path or isinstance(value, str):
        yield from ([value] if isinstance(value, str) else ())
        if not path and isinstance(value, dict | list):
            for part in value.values() if isinstance(value, dict) else value:
                yield from at(part, ())
    elif isinstance(value, list):
        for part in value:
            yield from at(part, path[1:] if path[0] == "*" else path)
    elif isinstance(value, dict):
        for part in value.values() if path[0] == "*" else [value.get(path[0])]:
            yield from at(part, path[1:])


#: A time that is also one of an event, so not hidden.
TIME = re.compile(r"20\d{12}|2\d{9}|\d{4}-\d\d-\d\d[T ][\d:.]+(Z|[+-]\d\d:?\d\d)?")
#: A provider's word for a status or a kind, which logs and metrics name on purpose; seven digits in it are a number.
WORD, DIGITS = re.compile(r"[A-Za-z0-9_.-]+"), re.compile(r"\d{7}")
#: What the schemas count as unknown keys and so as personal, and what is named beside it on purpose: providers' own words.
NAMED = ("providerStatus", "providerEventType", "channel")


def personal(event: Event) -> set[str]:
    """What is personal in an event: the address, and the texts that its schema marks."""
    found = {event.handle.value} if event.handle else set()
    for path in personal_paths(event.type):
        if path[-1] not in NAMED:
            found.update(at({key: value for key, value in event.payload.items() if key not in NAMED}, path))
    return {text for text in found if len(text) >= SHORTEST and (not WORD.fullmatch(text) or DIGITS.search(text))}


def signed(provider: str, file: Path) -> bytes:
    """A fixture, signed now where its provider is simulated."""
    raw = file.read_bytes()
    if provider in SIMULATED and SIMULATED[provider].webhooks is not None:
        return sign(provider, raw, replace(accounts(provider, file.stem), at=datetime.now(UTC)))
    return raw


def stands_in(text: str, page: str) -> bool:
    """Whether a text, or its form in JSON, is in a page; a short one not as a part of a longer word or number."""
    forms = {text, json.dumps(text)[1:-1]}
    if len(text) >= WHOLE:
        return any(form in page for form in forms)
    return any(form in page and re.search(rf"(?<!\w){re.escape(form)}(?!\w)", page) for form in forms)


def text_of(span: Span) -> str:
    """All that a span says, but for its ids, which are random bytes: three of them may be any short text."""
    said = Span()
    said.CopyFrom(span)
    for each in (said, *said.links):
        for name in ("trace_id", "span_id"):
            each.ClearField(name)
    said.ClearField("parent_span_id")
    text: str = text_format.MessageToString(said, as_utf8=True)
    return text


def unmarked(event: Event) -> str:
    """What an event has in properties without a mark; a text that is there too is not hidden by sealing the other one."""
    rest = walk(plan_of(event.type), event.payload, lambda *_: None, lambda name: ("", name))
    return json.dumps([event.message_id, event.error and event.error.code, rest], ensure_ascii=False)


def ids(event: Event) -> set[str]:
    """The ids that the provider gave, but for numbers and for what is ours or a word: a number of ten digits may be a time."""
    given = {event.source_event_id, event.provider_message_id} - {None, event.message_id, event.echoed_message_id}
    return {id for id in given if id and len(id) >= LONG and not id.isdigit() and not id.isalpha()}


async def database(dsn: str) -> bytes:
    """All tables as text."""
    return b"\n".join([block async for _, block in whole(dsn) if block])


def files(folder: Path, *but: str) -> bytes:
    """The content of all files under a folder, but those whose path has one of these names."""
    return b"\n".join(
        at.read_bytes() for at in sorted(folder.rglob("*")) if at.is_file() and not any(name in str(at) for name in but)
    )


async def test_none_of_it_leaves(servers_folder: Path) -> None:
    """Not an address, not a name, not a text, of any fixture: not in a log line of either process, not on a page of health or
    metrics, not in a span; nor in a table, a topic, the spool or a blob."""
    providers = [provider for provider in PROVIDERS if fixtures(provider)]
    sources = {provider: accounts(provider).settings for provider in providers}
    secrets: set[str] = set()
    words: set[str] = set()
    named: set[str] = set()
    clear: list[str] = []
    posts: list[tuple[str, bytes]] = []
    for provider in providers:
        for file in fixtures(provider):
            raw = signed(provider, file)
            came = read_request(raw)
            request = Request(came.method, came.url(), came.headers, came.body, datetime.now(UTC), provider)
            for event in interpret(request, provider).events:
                secrets |= personal(event)
                named |= ids(event)
                clear.append(unmarked(event))
                words.add(str(event.payload.get("providerStatus")))
            posts.append((provider, raw))
    secrets -= words
    assert len(secrets) > 500 and len(named) > 500
    # A service's own id of an event, which has an address in it, and what is refused with a reason that quotes it.
    reported = {
        "specversion": "1.0", "id": f"order {ADDRESS} {NUMBER}", "source": "/shop", "type": "message.received", "data":
        {"channel": "sms", "from": NUMBER, "providerMessageId": f"shop {NUMBER}", "content": {"text": f"I am {ADDRESS}"}},
    }  # fmt: skip
    # A request under a key that is an address, and two whose id has one, of which one is invalid besides.
    asked: dict[str, Any] = {
        "clientId": "default", "to": ADDRESS, "channel": "email", "content": {"subject": "x", "text": "y"}, "notBefore":
        "2099-01-01T00:00:00Z", "idempotencyKey": f"for {ADDRESS}", "reference": f"call {NUMBER}", "userId": f"u {NUMBER}",
    }  # fmt: skip
    requests = [asked, asked | {"messageId": f"m-{NUMBER}"}, asked | {"messageId": f"n-{NUMBER}", "surprise": 1}]
    secrets |= {ADDRESS, NUMBER}
    forms = forms_of({text for text in secrets | named if not TIME.fullmatch(text)})
    for text in found(forms, "\n".join(clear).encode()):
        forms = {form: whose for form, whose in forms.items() if whose != text}
    async with collecting() as collector:
        telemetry = {"sample": 1.0, "otlp_endpoint": collector.url, "log_level": "debug"}
        async with Stack(
            servers_folder / "personal", sources, telemetry=telemetry, kafka={"partitions": 1}, sealing={"events": True}
        ) as stack:
            await asyncio.gather(stack.start("serve"), stack.start("work"))
            kept = 0
            async with httpx.AsyncClient(base_url=stack.url, timeout=30) as http:
                for provider, raw in posts:
                    came = read_request(raw)
                    query = came.url().partition("?")[2]
                    headers = {
                        name: value for name, value in came.headers.items() if name not in ("host", "content-length")
                    }
                    url = f"/webhooks/aggregate/{provider}" + (f"?{query}" if query else "")
                    answer = await http.request(came.method, url, content=came.body, headers=headers)
                    kept += answer.status_code < 300
                assert kept > 0.5 * len(posts), kept

                async def pages() -> str:
                    worker = f"http://127.0.0.1:{stack.worker}"
                    found = [
                        await http.get(f"{at}/{page}") for at in (stack.url, worker) for page in ("metrics", "readyz")
                    ]
                    return "\n".join(each.text for each in found)

                def read(page: str, name: str) -> float:
                    return sum(float(line.split()[-1]) for line in page.splitlines() if line.startswith(name))

                def done(page: str) -> bool:
                    return read(page, "threadline_worker_records_total") >= read(page, "threadline_webhooks_kept_total")

                async with AIOKafkaProducer(**client_args(stack.settings.kafka)) as producer:
                    for document in (reported, reported | {"type": ADDRESS}):
                        await producer.send_and_wait("events.reported", json.dumps(document).encode())
                    for document in requests:
                        await producer.send_and_wait("messages.requested", json.dumps(document).encode())
                letters = "SELECT id FROM threadline.dead_letters WHERE topic = 'events.reported'"
                await eventually(lambda: stack.rows(letters), bool, within=60)
                taken = "SELECT id FROM threadline.message_keys"
                await eventually(lambda: stack.rows(taken), lambda rows: len(rows) == 1, within=60)
                refused = "SELECT id FROM threadline.dead_letters WHERE topic = 'messages.requested'"
                await eventually(lambda: stack.rows(refused), lambda rows: len(rows) == 2, within=60)
                shop = "SELECT id FROM threadline.events WHERE source = '/shop'"
                await eventually(lambda: stack.rows(shop), bool, within=60)
                shown = await eventually(pages, done, within=60)
                relayed = "SELECT position FROM threadline.relay_cursor WHERE position >= (SELECT max(position) FROM threadline.events)"
                await eventually(lambda: stack.rows(relayed), bool, within=60)
                rest = {"database": await database(stack.dsn("owner"))}
                await stack.kafka.stop()
                # Services put their own reports and requests on Kafka, readably.
                rest["topics"] = files(stack.folder / "kafka", "/events.reported-", "/messages.requested-")
                for provider, raw in posts[:200]:
                    came = read_request(raw)
                    headers = {
                        name: value for name, value in came.headers.items() if name not in ("host", "content-length")
                    }
                    await http.request(
                        came.method, f"/webhooks/aggregate/{provider}", content=came.body, headers=headers
                    )
                rest |= {name: files(stack.folder / name) for name in ("spool", "blobs")}
            await asyncio.gather(*(child.stop() for child in stack.children.values()))
            logs = "\n".join((stack.folder / f"{name}.log").read_text("utf-8") for name in ("serve", "work"))
    spans = "\n".join(map(text_of, collector.spans))
    assert {span.name for span in collector.spans} >= {"receive", "keep", "process"}
    assert '"event"' in logs
    left = {"logs": logs, "pages": shown, "spans": spans}
    leaks = {where: [text for text in sorted(secrets) if stands_in(text, page)] for where, page in left.items()}
    coded = {
        where: found(forms, data)
        for where, data in (rest | {name: text.encode() for name, text in left.items()}).items()
    }
    assert {where for where, data in rest.items() if len(data) > 10_000} == {"database", "topics", "spool"}
    if any(leaks.values()) or any(coded.values()):
        pytest.fail(f"personal data left: {leaks}, {coded}")


def test_a_short_text_is_looked_for_by_itself() -> None:
    """It is found between quotes and signs, not within a word; a long one is found anywhere."""
    assert stands_in("Hi :)", '{"text": "Hi :)"}') and stands_in("Error 1", "x Error 1.")
    assert not stands_in("Error 1", "[Error 15] away")
    assert stands_in("+15551230001", "to=x+155512300019")
