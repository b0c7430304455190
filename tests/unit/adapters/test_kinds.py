"""The word that names a kind decides what an event is: no field's absence, spelling or unknown value makes another kind."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest

from adapters import interpret
from adapters.contract import Request, Unprocessable
from tests.fixtures import fixtures
from tests.unit.adapters.test_adapters import request_of

PROVIDERS = (
    "africastalking bandwidth clickatell infobip jasmin kaleyra messagebird plivo seven sinch telnyx vonage onesignal"
    " pusher_beams emqx mqtt the_things_stack standard_webhooks zenvia"
).split()
CASES = [pytest.param(name, file, id=f"{name}/{file.stem}") for name in PROVIDERS for file in fixtures(name)]
each = pytest.mark.parametrize(("provider", "file"), CASES)
UNKNOWN = "ProviderEventReceived"
#: A word that no provider has.
NEW = "Zz-Unheard"
#: Items of one body that are changed: of a batch, all are alike.
_MOST = 60


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict):
        for key in value:
            yield from leaves(value[key], (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from leaves(inner, (*path, index))
    else:
        yield path


def changed(document: Any, path: tuple[Any, ...], how: str) -> Any:
    """A copy of the document with one leaf removed, its name in another case, or its text another word or in another case."""
    copy = json.loads(json.dumps(document))
    part = copy
    for step in path[:-1]:
        part = part[step]
    last = path[-1]
    value = part[last]
    if how == "removed":
        part.pop(last)
    elif how == "renamed" and isinstance(last, str):
        part[last.swapcase()] = part.pop(last)
    elif how == "unheard" and isinstance(value, str):
        part[last] = NEW
    elif how == "recased" and isinstance(value, str):
        part[last] = value.swapcase()
    return copy


def documents(request: Request) -> tuple[str, Any] | None:
    """What the request says, as JSON or as a mapping of parameters, and where it is."""
    if request.method == "GET":
        return "query", dict(parse_qsl(request.url.partition("?")[2], keep_blank_values=True))
    if "urlencoded" in request.headers.get("content-type", ""):
        return "form", dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
    try:
        return "json", json.loads(request.body)
    except ValueError:
        return None


def with_document(request: Request, kind: str, document: Any) -> Request:
    if kind == "query":
        return replace(request, url=f"{request.url.partition('?')[0]}?{urlencode(document)}")
    body = urlencode(document) if kind == "form" else json.dumps(document)
    return replace(request, body=body.encode())


@each
def test_no_single_field_makes_another_kind(provider: str, file: Path) -> None:
    """With any one value missing, misnamed, unheard or in another case, what comes of it is of the same direction, or an
    unknown event: a report never becomes a message from our own number, nor a message a report."""
    request = request_of(provider, file)
    found = documents(request)
    directions = {event.direction for event in interpret(request, provider).events if event.type != UNKNOWN}
    received = any(event.direction == "inbound" for event in interpret(request, provider).events)
    if found is None or directions in ({"inbound", "outbound"}, {None}):
        return
    kind, document = found
    for path in list(leaves(document))[:_MOST]:
        for how in ("removed", "renamed", "unheard", "recased"):
            if path[-1] in ("direction", "Direction"):  # the word of the direction itself
                continue
            try:
                events = interpret(with_document(request, kind, changed(document, path, how)), provider).events
            except Unprocessable:
                continue
            for event in events:
                if event.type == UNKNOWN:
                    continue
                assert event.direction in {*directions, None} or not directions, (how, path, event)
                assert received or event.type != "MessageReceived", (how, path, event)


@each
def test_without_its_direction_a_message_is_of_none(provider: str, file: Path) -> None:
    """Where a word names the direction, one that no page has does not become the other one."""
    request = request_of(provider, file)
    found = documents(request)
    if found is None:
        return
    kind, document = found
    before = {event.direction for event in interpret(request, provider).events}
    for path in leaves(document):
        if path[-1] not in ("direction", "Direction"):
            continue
        for how in ("removed", "unheard"):
            try:
                events = interpret(with_document(request, kind, changed(document, path, how)), provider).events
            except Unprocessable:
                continue
            assert {event.direction for event in events} <= {*before, None}, (how, events)
