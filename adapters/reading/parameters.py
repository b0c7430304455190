"""Reads the parameters of a webhook by GET: the provider's, and those that Threadline itself put into the URL."""

from typing import Any

from adapters.contract import Request, Unprocessable
from adapters.reading.bodies import Pairs, fields_of, form_of, json_of, query_of
from adapters.reading.own_ids import NAME
from schemas.events import CHANNELS

#: The name by which the URL of a source has its `url_secret`: no part of what a provider says.
SECRET = "key"  # noqa: S105  a parameter's name


def given(request: Request) -> Pairs:
    """Return the parameters of the URL's query, in order, without those of ours: the source's secret and our message id.
    Raise Unprocessable."""
    return [pair for pair in query_of(request) if pair[0] not in (SECRET, NAME)]


def whole_of(request: Request) -> Any:
    """Return all parameters: those of a GET's query, of a form, or the JSON that the body is, with repeated names as lists.
    Raise Unprocessable."""
    if request.method == "GET":
        return fields_of(given(request))
    if request.body[:1] in (b"{", b"[") or "json" in request.headers.get("content-type", ""):
        return json_of(request)
    return fields_of(form_of(request))


def channel_of(request: Request) -> str | None:
    """Return the channel that a source's URL names (`?channel=sms`), for webhooks that do not say theirs; else None."""
    if "channel=" not in request.url:
        return None
    try:
        channel = dict(query_of(request)).get("channel")
    except Unprocessable:
        return None
    return channel if channel in CHANNELS else None
