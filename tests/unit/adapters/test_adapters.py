"""The conformance of every adapter: each fixture verifies, becomes what stands beside it, and is refused when changed.

A provider needs no test code of its own for this: its word in the registry and its folder in `tests/fixtures` are enough.
"""

import importlib
import inspect
import json
import re
import sys
from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import schemas
import schemas.events
from adapters import ADAPTERS, PROVIDERS, interpret
from adapters.contract import Adapter, Answer, InvalidSignature, Request, Setting
from app.cli.support.http_file import read_request
from schemas.events import CHANNELS, DIRECTIONS, EVENT_TYPES, HANDLE_KINDS, REASONS
from tests.fixtures import accounts, events_of, fixtures
from webhooks.recognise import Sources

CASES = [
    pytest.param(provider, file, id=f"{provider}/{file.stem}") for provider in PROVIDERS for file in fixtures(provider)
]
each_fixture = pytest.mark.parametrize(("provider", "file"), CASES)
each_provider = pytest.mark.parametrize("provider", PROVIDERS)


def request_of(provider: str, file: Path, **changes: Any) -> Request:
    came = replace(read_request(file.read_bytes()), **changes)
    return Request(came.method, came.url(), came.headers, came.body, accounts(provider, file.stem).at, provider)


def unsigned(provider: str, file: Path) -> Request:
    """The request without what `settings.json` calls its signature."""
    request = request_of(provider, file)
    headers = dict(request.headers)
    for place in accounts(provider, file.stem).signature:
        kind, _, name = place.partition(":")
        if kind == "header":
            headers.pop(name.lower(), None)
        elif kind == "query":
            address, _, query = request.url.partition("?")
            request.url = f"{address}?{without(query, name)}"
        elif kind == "field":
            request.body = without(request.body.decode(), name).encode()
        else:
            assert kind == "json", place
            document = json.loads(request.body)
            part, (*path, last) = document, name.split(".")
            for key in path:
                part = part[key]
            part.pop(last, None)
            request.body = json.dumps(document).encode()
    request.headers = headers
    return request


def without(query: str, name: str) -> str:
    return "&".join(field for field in query.split("&") if field.partition("=")[0] != name)


@each_provider
def test_an_adapter_has_the_members_of_the_contract(provider: str) -> None:
    """Each package makes an `Adapter`, under the provider's own word, with settings that explain themselves."""
    adapter = ADAPTERS[provider]
    assert isinstance(adapter, Adapter)
    assert provider == adapter.name
    assert adapter.title and adapter.signature and adapter.docs.startswith("https://")
    assert adapter.channels and adapter.channels <= set(CHANNELS)
    assert adapter.sends <= adapter.channels
    assert all(isinstance(setting, Setting) and setting.help for setting in adapter.settings)
    assert list(inspect.signature(adapter.recognise).parameters) == ["request"]
    assert list(inspect.signature(adapter.verify).parameters) == ["request", "values", "fresh"]
    assert list(inspect.signature(adapter.normalize).parameters) == ["request"]
    assert list(inspect.signature(adapter.answer).parameters) == ["request"]
    assert list(inspect.signature(adapter.handshake).parameters) == ["request", "values"]


@each_provider
def test_a_provider_has_fixtures(provider: str) -> None:
    """Requests to hold it to, which meet exactly the types of events that it declares."""
    met = {
        event.type for file in fixtures(provider) for event in interpret(request_of(provider, file), provider).events
    }
    assert met == ADAPTERS[provider].events


class _Source:
    def __init__(self, adapter: str, values: dict[str, tuple[str, ...]]) -> None:
        self.adapter: str | None = adapter
        self.client = "default"
        self.url: str | None = None
        self.accept_unsigned = False
        self.values = values


def flipped(request: Request) -> Iterator[tuple[int, Request]]:
    """The request once for each byte of its body, with that byte changed, and the byte's place."""
    for at, byte in enumerate(request.body):
        body = request.body[:at] + bytes([byte ^ 1]) + request.body[at + 1 :]
        yield at, replace(request, body=body)


def covers_bodies(provider: str) -> bool:
    """Whether the signature of each fixture covers its body. Plivo's are signed by V3, which does; its V2 does not."""
    return ADAPTERS[provider].signs_body or provider == "plivo"


def passes(adapter: Adapter, request: Request, values: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether the adapter accepts the request's signature."""
    try:
        adapter.verify(request, values)
    except InvalidSignature:
        return False
    return True


def verifies_and_becomes_its_events(provider: str, file: Path) -> None:
    """The request is recognised by its adapter and no other, is authentic, and becomes exactly the events beside it."""
    request = request_of(provider, file)
    assert [name for name, adapter in ADAPTERS.items() if adapter.recognise(request)] == [provider]
    assert ADAPTERS[provider].verify(request, accounts(provider, file.stem).values) is True
    assert ADAPTERS[provider].handshake(request, accounts(provider, file.stem).values) is None
    answer = ADAPTERS[provider].answer(request)
    assert isinstance(answer, Answer) and 200 <= answer.status < 300
    assert events_of(interpret(request, provider)) == json.loads(file.with_suffix(".json").read_text("utf-8"))


def events_use_the_words_that_all_parts_share(provider: str, file: Path) -> None:
    """Types, channels, directions, handle kinds and reasons are of the tables; times are in UTC and since 2000."""
    for event in interpret(request_of(provider, file), provider).events:
        assert event.type in EVENT_TYPES
        assert event.channel is None or event.channel in CHANNELS
        assert event.direction is None or event.direction in DIRECTIONS
        assert event.handle is None or event.handle.kind in HANDLE_KINDS
        assert event.error is None or event.error.reason in REASONS
        assert event.occurred_at is None or event.occurred_at.utcoffset() == timedelta(0)
        assert event.source_event_id and len(event.source_event_id) <= 512


def without_its_signature_it_is_refused(provider: str, file: Path) -> None:
    """What the provider signs does not pass without a signature, whatever else it says."""
    with pytest.raises(InvalidSignature):
        ADAPTERS[provider].verify(unsigned(provider, file), accounts(provider, file.stem).values)


def with_another_secret_it_is_refused_and_with_both_it_passes(provider: str, file: Path) -> None:
    """A wrong secret refuses; while a secret is rotated, the old and the new count, in either order."""
    request, account = request_of(provider, file), accounts(provider, file.stem)
    secret = {setting.name for setting in ADAPTERS[provider].settings if setting.secret}
    wrong: dict[str, tuple[str, ...]] = {
        name: (f"{value[:-9]}AAAAAAAA=",) for name, value in account.settings.items() if name in secret
    }
    wrong |= {name: (value,) for name, value in account.wrong.items()}
    with pytest.raises(InvalidSignature):
        ADAPTERS[provider].verify(request, account.values | wrong)
    both: dict[str, tuple[str, ...]] = {
        name: (*wrong[name], value) for name, value in account.settings.items() if name in wrong
    }
    assert ADAPTERS[provider].verify(request, account.values | both) is True
    assert (
        ADAPTERS[provider].verify(request, account.values | {name: each[::-1] for name, each in both.items()}) is True
    )


def with_any_byte_changed_it_is_refused(provider: str, file: Path) -> None:
    """Where the scheme covers the body, not one byte of it can be another: each is changed in turn."""
    adapter = ADAPTERS[provider]
    if not covers_bodies(provider):  # test_a_body_that_is_said_to_be_unsigned_is holds the adapter to that
        return
    request, values = request_of(provider, file), accounts(provider, file.stem).values
    taken = [at for at, changed in flipped(request) if passes(adapter, changed, values)]
    assert not taken, f"accepted with another byte at {taken}"


def a_redelivery_is_the_same_facts(provider: str, file: Path) -> None:
    """The same request, a day later, gives the same events with the same ids, and no id twice within it."""
    first = interpret(request_of(provider, file), provider)
    again = request_of(provider, file)
    again.received_at += timedelta(minutes=5) if f"{provider}/{file.stem}" in TIMELESS else timedelta(days=1)
    assert events_of(interpret(again, provider)) == events_of(first)
    ids = [event.source_event_id for event in first.events]
    assert len(ids) == len(set(ids))


def a_source_is_found_without_being_named(provider: str, file: Path) -> None:
    """Among sources of all adapters, the one whose secret verifies is it, even where another has the same adapter."""
    source = _Source(provider, accounts(provider, file.stem).values)
    other = _Source(provider, {name: ("another secret of another account",) for name in source.values})
    sources = Sources(
        {"other": other, "mine": source, **{name: _Source(name, {}) for name in PROVIDERS if name != provider}}
    )
    request = request_of(provider, file)
    request.url = request.url.replace(f"/webhooks/aggregate/{provider}", "/webhooks/aggregate")
    source.url = request_of(provider, file).url  # some signatures cover it
    verdict = sources.recognise(request)
    assert (verdict.source, verdict.authentic, verdict.accepted) == ("mine", True, True)


#: Fixtures of facts that are told with neither id nor time, so that only the time of receipt tells two apart.
TIMELESS = {f"africastalking/{name}" for name in ("opt_out", "subscription_addition", "subscription_deletion")}

CHECKS = (
    verifies_and_becomes_its_events,
    events_use_the_words_that_all_parts_share,
    without_its_signature_it_is_refused,
    with_another_secret_it_is_refused_and_with_both_it_passes,
    with_any_byte_changed_it_is_refused,
    a_redelivery_is_the_same_facts,
    a_source_is_found_without_being_named,
)


@each_fixture
def test_a_fixture_conforms(provider: str, file: Path) -> None:
    """Hold one request to each of `CHECKS`. A failure names the check, by its function and its docstring."""
    for check in CHECKS:
        try:
            check(provider, file)
        except BaseException as error:  # also pytest's own, where nothing was raised
            error.add_note(f"{provider}/{file.stem}, {check.__name__}: {check.__doc__}")
            raise


@each_provider
def test_a_body_that_is_said_to_be_unsigned_is(provider: str) -> None:
    """An adapter that says that its scheme leaves the body out accepts a fixture of which a byte was changed."""
    adapter = ADAPTERS[provider]
    bodies = [file for file in fixtures(provider) if request_of(provider, file).body]
    if bodies and not covers_bodies(provider):
        assert any(
            passes(adapter, changed, accounts(provider, file.stem).values)
            for file in bodies
            for _, changed in flipped(request_of(provider, file))
        )


@each_provider
def test_different_requests_are_different_facts(provider: str) -> None:
    """No two fixtures share an id, except one mail in both forms of inbound parse."""
    seen: dict[str, Path] = {}
    for file in fixtures(provider):
        for event in interpret(request_of(provider, file), provider).events:
            other = seen.setdefault(event.source_event_id, file)
            assert other == file or {other.stem, file.stem} == {"inbound", "inbound_raw"}


#: Tables of our own words, which modules have from `schemas`.
OURS = [table for module in (schemas, schemas.events) for table in vars(module).values() if isinstance(table, dict)]
#: Modules whose tables rest on a standard, not on one provider: tests of their own hold them.
SHARED = {
    importlib.import_module(name) for name in ("adapters", "adapters.reading.smtp_codes", "adapters.signing.unsigned")
}


def modules_of(provider: str) -> set[ModuleType]:
    """The adapter's module, and those of ours whose functions and tables it uses."""
    found: set[ModuleType] = set()
    waiting = [importlib.import_module(f"adapters.{provider}")]
    while waiting:
        module = waiting.pop()
        if module in found or not module.__name__.startswith("adapters.") or module.__name__.endswith(".simulator"):
            continue
        found.add(module)
        for value in vars(module).values():
            name = value.__name__ if inspect.ismodule(value) else getattr(value, "__module__", None)
            if isinstance(name, str) and name.startswith("adapters."):
                waiting.append(sys.modules[name])
    return found


@each_provider
def test_every_key_of_every_table_is_met_by_a_fixture(provider: str) -> None:
    """A row that no fixture uses is a guess: each key of a table of a provider's words occurs in its requests."""
    written = b"\n".join([file.read_bytes() for file in fixtures(provider)])
    # Pub/Sub's messages have their data in base64.
    output = b"\n".join(
        [written, *map(b64decode, re.findall(rb'"data":"([A-Za-z0-9+/]{64,}={0,2})"', written))]
    ).lower()
    for module in modules_of(provider) - SHARED:
        for name, table in vars(module).items():
            if (
                name[0] != "_"
                and name.isupper()
                and isinstance(table, dict)
                and not any(table is ours for ours in OURS)
            ):
                missing = [key for key in table if isinstance(key, str) and key.lower().encode() not in output]
                assert not missing, f"{module.__name__}.{name}: {missing}"
