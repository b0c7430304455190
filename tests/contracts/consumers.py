"""The consumers and what each relies on. A contract is written only if its consumer's own code reads what the contract promises."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from pact import Pact, generate, match
from pact.match.matcher import GenericMatcher

from app.sending.requests import read_request
from schemas.events import CHANNELS

HANDLE = "+15551234567"
CUSTOMER = "6a3f52a0-52c1-6a9e-3d3c-0c1d7c2f8b11"
UNKNOWN = "00000000-0000-0000-0000-000000000000"
NOBODY, OTHER = f"/api/customers/{UNKNOWN}/interactions", "+15559999999"
CURSOR = "AAYNnBBjoAAbR94Qr-Jj1rQ2aYkz1l4PPp2hXk9c3mZ7"
UUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
TIME = r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z"
AT = "2026-11-21T12:00:04Z"
JSON = "application/json"
CLOUDEVENT = "application/cloudevents+json; charset=utf-8"


@dataclass(frozen=True)
class Page:
    """A page of a timeline as the BFF shows it: a line for each interaction, and the cursor of the next page."""

    lines: list[tuple[str, str, str]]
    next: str | None


class Bff:
    """A backend for a frontend, which shows a customer's timeline."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def customer(self, handle: str) -> str:
        """Return the id of the customer with a handle. Raises LookupError where there is none."""
        answer = self._http.get("/api/customers", params={"handle": handle})
        if answer.status_code == 404:
            raise LookupError(answer.json()["title"])
        id: str = answer.raise_for_status().json()["customerId"]
        return id

    def page(self, customer: str, **query: str) -> Page:
        """Return a page of a customer's timeline. Raises LookupError for an unknown customer."""
        answer = self._http.get(f"/api/customers/{customer}/interactions", params={"limit": "2", **query})
        if answer.status_code == 404:
            raise LookupError(answer.json()["title"])
        body = answer.raise_for_status().json()
        lines = [(one["timestamp"], one["channel"], one["direction"]) for one in body["interactions"]]
        return Page(lines, body["next"])


def bff(folder: Path) -> None:
    """Write the contract of the BFF."""
    pact = Pact("bff", "threadline").with_specification("V4")
    cursor = match.type(CURSOR, generator=generate.provider_state("${cursor}"))
    timeline: Any = GenericMatcher(  # the path itself, unless the provider's state gives another customer
        "equality",
        f"/api/customers/{CUSTOMER}/interactions",
        generator=generate.provider_state("/api/customers/${customerId}/interactions"),
    )
    known, unknown = "a customer with three messages", "no such customer"
    customer = {
        "customerId": match.regex(CUSTOMER, regex=UUID),
        "handles": match.each_like({"kind": match.string("phone"), "value": match.string(HANDLE)}, min=1),
    }
    refused = {"status": 404, "title": match.string("Not Found")}
    problem = "application/problem+json"
    for what, state, path, query, status, body, media_type in (
        ("the customer of a handle", known, "/api/customers", {"handle": HANDLE}, 200, customer, JSON),
        ("the customer of an unknown handle", unknown, "/api/customers", {"handle": OTHER}, 404, refused, problem),
        ("the first page of a timeline", known, timeline, {"limit": "2"}, 200, _page(2, more=True), JSON),
        ("the next page", known, timeline, {"limit": "2", "cursor": cursor}, 200, _page(1, more=False), JSON),
        ("the timeline of an unknown customer", unknown, NOBODY, {"limit": "2"}, 404, refused, problem),
    ):
        asked = pact.upon_receiving(what).given(state).with_request("GET", path).with_query_parameters(query)
        asked.will_respond_with(status).with_body(body, media_type)
    with pact.serve() as server, httpx.Client(base_url=str(server.url), trust_env=False) as http:
        reader = Bff(http)
        assert reader.customer(HANDLE) == CUSTOMER
        first = reader.page(CUSTOMER)
        assert first == Page([(AT, "sms", "inbound")] * 2, CURSOR)
        assert reader.page(CUSTOMER, cursor=CURSOR) == Page(first.lines[:1], None)
        for ask in (lambda: reader.customer(OTHER), lambda: reader.page(UNKNOWN)):
            with pytest.raises(LookupError, match="Not Found"):
                ask()
    pact.write_file(folder, overwrite=True)


def _page(length: int, *, more: bool) -> dict[str, Any]:
    """Return a page of exactly so many interactions."""
    interaction = {
        "interactionId": match.regex(CUSTOMER, regex=UUID),
        "customerId": match.regex(CUSTOMER, regex=UUID),
        "channel": match.regex("sms", regex="|".join(CHANNELS)),
        "direction": match.regex("inbound", regex="inbound|outbound"),
        "timestamp": match.regex(AT, regex=TIME),
        "content": {"text": match.string("Where is my order?")},
        "status": match.string("received"),
    }
    return {"interactions": [interaction] * length, "next": match.string(CURSOR) if more else None}


def reporting(folder: Path) -> None:
    """Write the contract of a service that counts messages on `events.recorded`, once by the event's id."""
    pact = Pact("reporting", "threadline").with_specification("V4")
    for type, extra in (
        ("message.delivered", {}),
        ("message.received", {"content": {"text": match.string("Where is my order?")}}),
    ):
        event = {
            "specversion": "1.0",
            "id": match.regex(CUSTOMER, regex=UUID),
            "source": match.string("twilio"),
            "type": type,
            "clientid": match.string("default"),
            "customerid": match.regex(CUSTOMER, regex=UUID),
            "sequence": match.regex(f"{1042:019d}-{7:019d}", regex=r"\d{19}-\d{19}"),
            "recordedtime": match.regex(AT, regex=TIME),
            "dataschema": match.regex("urn:threadline:schema:X:1", regex=r"urn:threadline:schema:[A-Za-z]+:\d+"),
            "data": {
                "channel": match.string("sms"),
                "handle": {"kind": match.string("phone"), "value": match.string(HANDLE)},
                **extra,
            },
        }
        message = pact.upon_receiving(type, "Async").given(f"a {type} of a customer")
        message.with_body(event, CLOUDEVENT).with_metadata({"key": match.regex(CUSTOMER, regex=UUID)})
    seen: set[tuple[str, str]] = set()

    def count(body: str | bytes | None, metadata: dict[str, object]) -> None:
        event = json.loads(str(body))
        assert metadata["key"] == event["customerid"]
        seen.add((event["type"], event["data"]["handle"]["value"]))

    pact.verify(count, "Async")
    assert seen == {("message.delivered", HANDLE), ("message.received", HANDLE)}
    pact.write_file(folder, overwrite=True)


def requests(folder: Path) -> None:
    """Write Threadline's contract with a shop that puts requests on `messages.requested`: what Threadline needs of them."""
    pact = Pact("threadline", "shop").with_specification("V4")
    request = {
        "clientId": match.string("default"),
        "messageId": match.regex("order-1001", regex="[!-~]{1,128}"),
        "channel": match.regex("sms", regex="|".join(CHANNELS)),
        "to": match.string(HANDLE),
        "body": match.string("Your order is on its way."),
    }
    pact.upon_receiving("message.requested", "Async").given("an order was shipped").with_body(request, JSON)
    read: list[str] = []

    def take(body: str | bytes | None, metadata: dict[str, object]) -> None:
        read.append(read_request(json.loads(str(body))).message_id)

    pact.verify(take, "Async")
    assert read == ["order-1001"]
    pact.write_file(folder, overwrite=True)


#: What writes the contracts.
CONTRACTS: tuple[Callable[[Path], None], ...] = (bff, reporting, requests)
