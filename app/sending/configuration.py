"""Reads a client's configuration from its JSON (`schemas/client.json`). Pure. Times are in seconds."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from math import ceil
from typing import Any, Literal
from urllib.parse import urlsplit

from app.sending import windows as rules
from app.sending.windows import Windows
from app.sending.zones import zone_named
from schemas import SchemaError
from schemas.documents import check
from schemas.events import EVENT_TYPES
from schemas.faults import Faults

#: Calls by one account at once, and posts to one callback, where nothing else is configured.
CONCURRENCY, CALLBACKS = 64, 8


@dataclass(frozen=True, slots=True)
class Route:
    """One channel of a client, by one account. `windows` None: always open; `rate` (sends a second) None: no limit."""

    channel: str
    account: str
    sender: str | None = None
    windows: Windows | None = None
    rate: float | None = None
    burst: int = 1
    concurrency: int = CONCURRENCY


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a temporary failure is retried, and the pauses between: from `first`, doubling, to `longest`."""

    attempts: int = 8
    first: float = 2.0
    longest: float = 600.0


@dataclass(frozen=True, slots=True)
class Fallback:
    """When the next channel is tried: after a permanent failure, and `after` this many seconds without delivery."""

    on_failure: bool = False
    after: float | None = None


@dataclass(frozen=True, slots=True)
class Callback:
    """Where the client is notified of its messages. `types`: dotted event types, () for all; `concurrency`: most posts at
    once."""

    url: str
    types: tuple[str, ...] = ()
    concurrency: int = CALLBACKS


@dataclass(frozen=True, slots=True)
class Client:
    """A client, with its routes in the order of preference. `version` 0: configured by the settings' sources alone.

    `exempt`: the categories that opt-outs do not stop; `expires_after`: from the request, unless that has its own time.
    """

    id: str
    version: int
    routes: tuple[Route, ...]
    zone: str | None = None
    retry: Retry = field(default_factory=Retry)
    fallback: Fallback = field(default_factory=Fallback)
    unanswered: Literal["hold", "resend"] = "hold"
    exempt: frozenset[str] = frozenset()
    expires_after: float | None = None
    callback: Callback | None = None
    #: Whether providers are asked to erase what they keep of a customer who is erased.
    propagate: bool = False

    def route(self, channel: str) -> Route | None:
        """Return the route of a channel."""
        return next((route for route in self.routes if route.channel == channel), None)

    def route_by(self, channel: str, account: str) -> Route:
        """Return the route of a channel by an account, even if another account is configured for the channel now."""
        route = self.route(channel)
        return replace(route, account=account) if route else Route(channel, account)


def parse(client_id: str, version: int, document: Mapping[str, Any], http_hosts: Collection[str] | None = ()) -> Client:
    """Return the client that a document describes. `http_hosts`: the hosts whose callbacks need no https (None: all,
    for a document that was checked when it was set). Raises SchemaError with all errors and their paths."""
    faults = Faults()
    with faults:
        check("client", document)
    document = faults.sound(document)
    zone = document.get("zone")
    with faults:
        if zone is not None:
            zone_named(zone, "$.zone")
    tries = document.get("retry", {})
    retry = Retry(**tries | {"attempts": int(tries.get("attempts", 8))})  # JSON's 3.0 is an integer too
    if retry.first > retry.longest:
        faults.add("$.retry.first", f"must be at most retry.longest, which is {retry.longest:g}")
    with faults:
        routes = _routes(document)
    with faults:
        callback = _callback(document["callback"], http_hosts) if "callback" in document else None
    faults.refuse()
    fallback = document.get("fallback", {})
    return Client(
        id=client_id,
        version=version,
        routes=routes,
        zone=zone,
        retry=retry,
        fallback=Fallback(fallback.get("onFailure", False), fallback.get("after")),
        unanswered=document.get("unanswered", "hold"),
        exempt=frozenset(document.get("exempt", ())),
        expires_after=document.get("expiresAfter"),
        callback=callback,
        propagate=document.get("erasure", {}).get("propagate", False),
    )


def _routes(document: Mapping[str, Any]) -> tuple[Route, ...]:
    """Return the routes of the channels, by which a sound document has at least one. Raises SchemaError with all errors."""
    faults, windows, routes = Faults(), dict[str, Windows](), dict[str, Route]()
    with faults:
        windows = _windows(document)
    for index, each in enumerate(document.get("channels", ())):
        channel, rate = each["channel"], each.get("rate")
        if channel in routes:
            faults.add(f"$.channels[{index}].channel", f"{channel} is named twice; each channel has one place")
        routes[channel] = Route(
            channel=channel,
            account=each["account"],
            sender=each.get("sender"),
            windows=windows.get(channel),
            rate=rate,
            burst=int(each.get("burst", max(1, ceil(rate or 1)))),
            concurrency=int(each.get("concurrency", CONCURRENCY)),
        )
    if "channels" in document:
        for unused in document.get("windows", {}).keys() - routes.keys():
            faults.add(f"$.windows.{unused}", f"there is no {unused} among the channels: {', '.join(routes)}")
    faults.refuse()
    return tuple(routes.values())


def _windows(document: Mapping[str, Any]) -> dict[str, Windows]:
    """Return the windows of each channel, with the holidays that all share."""
    shared, given, faults = document.get("holidays", []), document.get("windows", {}), Faults()
    with faults:
        rules.parse({"daily": "never", "holidays": shared})  # alone, so that an error is reported at its own path
    for channel, spec in given.items():
        with faults:
            rules.parse(spec, f"$.windows.{channel}")
    faults.refuse()
    return {
        channel: rules.parse(
            spec | {"holidays": list(dict.fromkeys([*spec.get("holidays", []), *shared]))}, f"$.windows.{channel}"
        )
        for channel, spec in given.items()
    }


def _callback(document: Mapping[str, Any], http_hosts: Collection[str] | None) -> Callback:
    url, types = document["url"], document.get("types", ())
    faults = Faults()
    with faults:
        must_be_public(url, "$.callback.url", http_hosts)
    for index, type in enumerate(types):
        if type not in EVENT_TYPES.values():
            faults.add(f"$.callback.types[{index}]", f"is no event type{hint(type, EVENT_TYPES.values())}")
    faults.refuse()
    return Callback(url, tuple(types), int(document.get("concurrency", CALLBACKS)))


def must_be_public(url: str, path: str, http_hosts: Collection[str] | None = None) -> None:
    """Raise SchemaError unless `url` is an https URL (or http, where its host is in `http_hosts` or those are None). The name
    is not resolved: the transport checks the address as it connects."""
    try:
        parts = urlsplit(url)
        port = parts.port  # raises ValueError for an invalid port
    except ValueError:
        raise SchemaError(path, "must be a URL, as https://shop.example.com/messages") from None
    sound = url.isascii() and url.isprintable() and " " not in url and "\\" not in url
    if parts.scheme not in ("https", "http") or not parts.hostname or port == 0 or not sound:
        raise SchemaError(path, "must be a URL, as https://shop.example.com/messages")
    if parts.username is not None or parts.password is not None:
        raise SchemaError(path, "must not have a user or a password in it")
    if "#" in url:
        raise SchemaError(path, "must not have a fragment")
    if parts.scheme == "http" and http_hosts is not None and parts.hostname not in http_hosts:
        raise SchemaError(path, "must be https; http is for the hosts of the setting callbacks.http_hosts alone")


def hint(name: str, known: Collection[str]) -> str:
    """Return `; did you mean …?`, or the list of the known names."""
    close: Sequence[str] = get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else f"; there are: {', '.join(known) or 'none'}"
