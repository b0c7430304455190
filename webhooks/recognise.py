"""Finds the source of a request and verifies the request. Pure: no I/O.

The source is named by the path (`/webhooks/aggregate/{source}`) or the query (`?source=`). Without a name each adapter is asked
whether it recognises the request; among several sources of one adapter, the one whose secret verifies is chosen. Clients'
accounts are named `client/account` and are found by that name only, since there may be any number of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import parse_qs, unquote

from adapters import ADAPTERS
from adapters.contract import Adapter, Answer, InvalidSignature, Needed, Request, Unconfigured
from adapters.reading.bodies import UNPROVEN, proved
from webhooks.urls import urls_of

DOOR = "/webhooks/aggregate"
ENVELOPE = "envelope"


class Source(Protocol):
    """One configured provider account, like `app.settings.Source`. If `adapter` is None, the source's name is the adapter's."""

    @property
    def adapter(self) -> str | None: ...
    @property
    def client(self) -> str: ...
    @property
    def url(self) -> str | None: ...
    @property
    def accept_unsigned(self) -> bool: ...
    @property
    def values(self) -> Mapping[str, Sequence[str]]: ...


class UnknownSource(Exception):
    """No source has this name, or none recognises the request (404). The message is for the operator."""


class Accounts(Protocol):
    """Looks up clients' accounts (see `app.clients.account_sources.AccountSources`)."""

    def find(self, name: str) -> tuple[str, Adapter, Source] | None:
        """Return the source name for events, the adapter and the settings of the account with this name, or None. Raises
        AccountUnavailable."""
        ...


class AccountUnavailable(Exception):
    """The account exists, or may exist, but cannot be read now (503). The message is for the operator."""


@dataclass(slots=True)
class Verdict:
    """The result of recognising and verifying a request.

    `authentic` is None if no secret is configured. `accepted` is whether the request may be kept: it is authentic, or unsigned
    and its source accepts that. `reason`, for the operator only, says why `authentic` is not True. `handshake` is the answer
    if the request is a handshake, which is not kept. `needs` is the URL of a document that must be fetched (into the
    request's `parsed["fetched"]`) before the request can be verified. `request` is a copy of the given one, with `source` and the
    source's public `url`; both share `parsed`. `events_source` is the source's name in events, where it differs from
    its name at the door.
    """

    source: str
    adapter: Adapter
    client: str
    request: Request
    authentic: bool | None
    accepted: bool
    reason: str | None = None
    handshake: Answer | None = None
    needs: str | None = None
    #: The source's settings.
    values: Mapping[str, Sequence[str]] = field(default_factory=dict)
    #: The source's name in events, if it differs from its name at the door.
    events_source: str | None = None


@dataclass(slots=True)
class _Unset:
    adapter: str | None = None
    client: str = "default"
    url: str | None = None
    accept_unsigned: bool = False

    @property
    def values(self) -> Mapping[str, Sequence[str]]:
        return {}


class Sources:
    """The configured sources, indexed by name and by adapter.

    A source named `envelope` exists even if none is configured, since the envelope needs no provider account.
    """

    def __init__(self, configured: Mapping[str, Source], accounts: Accounts | None = None) -> None:
        """Index the sources. A configured source takes precedence over an account of the same name. Raises ValueError for an
        unknown adapter."""
        self._accounts = accounts
        self.by_name: dict[str, tuple[str, Adapter, Source]] = {}
        self._by_adapter: dict[str, list[tuple[str, Adapter, Source]]] = {}
        unset: dict[str, Source] = {ENVELOPE: _Unset()} if ENVELOPE in ADAPTERS else {}
        for name, source in (unset | dict(configured)).items():
            adapter = ADAPTERS.get(source.adapter or name)
            if adapter is None:
                known = ", ".join(sorted(ADAPTERS))
                raise ValueError(f"source {name!r} has no adapter {source.adapter or name!r}; there are: {known}")
            self.by_name[name] = entry = (name, adapter, source)
            self._by_adapter.setdefault(adapter.name, []).append(entry)

    def recognise(self, request: Request, name: str | None = None, *, fresh: bool = True) -> Verdict:
        """Return the verdict on a request. `name` is the source's name; without it the URL is read.

        `fresh=False` skips the check of the signature's age. Raises UnknownSource and AccountUnavailable.
        """
        request.parsed[UNPROVEN] = True
        try:
            return self._recognise(request, name or named(request.url), fresh)
        finally:
            proved(request)

    def _recognise(self, request: Request, name: str | None, fresh: bool) -> Verdict:
        if name is not None:
            entry = self.by_name.get(name)
            if entry is None:
                return self._of_account(request, name, fresh)
            return _judge(request, entry, fresh)
        first: Verdict | None = None
        for entries in self._by_adapter.values():
            if not entries[0][1].recognise(request):
                continue
            unsigned, forged = None, False
            for entry in entries:
                verdict = _judge(request, entry, fresh)
                if verdict.authentic or verdict.handshake is not None:
                    return verdict
                forged = forged or verdict.authentic is False
                if verdict.accepted:
                    unsigned = unsigned or entry
                elif first is None:
                    first = verdict
            if unsigned is not None and not forged:
                # Only if no source of this adapter found a bad signature: a forgery must not pass as an unsigned request.
                return _judge(request, unsigned, fresh)
        if first is None:
            raise UnknownSource("no configured source recognises the request")
        return first

    def _of_account(self, request: Request, name: str, fresh: bool) -> Verdict:
        """Return the verdict on a request to the account of this name. Raises UnknownSource and AccountUnavailable."""
        entry = self._accounts.find(name) if self._accounts is not None else None
        if entry is None:
            raise UnknownSource(f"no source is named {name!r}")
        verdict = _judge(request, entry, fresh)
        verdict.source, verdict.events_source = name, entry[0]
        return verdict


def named(url: str) -> str | None:
    """Return the source that a URL of the door names, in its path or else its query, or None."""
    place, _, query = url.partition("#")[0].partition("?")
    door = place.find(DOOR)
    if door < 0:
        return None
    path = place[door + len(DOOR) :]
    if len(path) > 1 and path[0] == "/":
        return unquote(path[1:].rstrip("/")) or None
    if path in ("", "/") and "source=" in query:
        return parse_qs(query).get("source", [None])[0]
    return None


def _judge(request: Request, entry: tuple[str, Adapter, Source], fresh: bool) -> Verdict:
    verdict = _judged(request, entry, fresh)
    verdict.values = entry[2].values
    return verdict


def _judged(request: Request, entry: tuple[str, Adapter, Source], fresh: bool) -> Verdict:
    name, adapter, source = entry
    tried = [_at(request, name, url) for url in urls_of(source.url, request.url)]
    reason = None
    for each in tried:
        try:
            handshake = adapter.handshake(each, source.values)
            if handshake is not None:
                return Verdict(name, adapter, source.client, each, True, False, None, handshake)
            authentic = adapter.verify(each, source.values, fresh=fresh)
        except Needed as needed:
            return Verdict(name, adapter, source.client, each, None, False, str(needed), needs=needed.url)
        except Unconfigured as missing:
            return Verdict(name, adapter, source.client, each, None, False, str(missing))
        except InvalidSignature as refusal:
            reason = reason or str(refusal)
            continue
        if authentic is None:
            reason = "no secret is configured to verify it"
            return Verdict(name, adapter, source.client, each, None, source.accept_unsigned, reason)
        return Verdict(name, adapter, source.client, each, True, True)
    return Verdict(name, adapter, source.client, tried[0], False, False, reason)


def _at(request: Request, source: str, url: str) -> Request:
    """Return the request as posted to this source at this URL; it shares what was parsed of the body."""
    copy = Request(request.method, url, request.headers, request.body, request.received_at, source)
    copy.parsed = request.parsed
    return copy
