"""The check of `threadline doctor` on the configured sources."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

from adapters import ADAPTERS
from adapters.contract import Adapter, InvalidSignature, Request, Unconfigured, Values
from app.cli.doctor.finding import Finding
from app.clients.configured import implied
from app.clients.trial import unable_to_send
from app.settings import Settings, Source

#: Settings that authenticate the caller of an unsigned webhook.
_CALLERS = frozenset({"basic_auth", "url_secret", "webhook_header"})


async def sources(settings: Settings) -> AsyncIterator[Finding]:
    """Check that each source has an adapter and can verify its webhooks, and note which cannot send, and which channels a
    client without a configuration sends by it. Invalid settings are refused when they are read."""
    if not settings.sources:
        yield Finding("Sources", "look", "none configured", "add [sources.NAME] to threadline.toml")
    made = {client_id: implied(client_id, settings) for client_id in {one.client for one in settings.sources.values()}}
    routes = {client_id: client.routes for client_id, client in made.items() if client is not None}
    for name, source in settings.sources.items():
        what, adapter = f"Source {name}", ADAPTERS.get(source.adapter or name)
        if adapter is None:
            known = f"adapter is one of: {', '.join(sorted(ADAPTERS))}"
            yield Finding(what, "wrong", f"no adapter {source.adapter or name}", known)
            continue
        found = _judged(what, name, adapter, source)
        used = [route.channel for route in routes.get(source.client, ()) if route.account == name]
        if used and found.state != "wrong" and not unable_to_send(adapter, source.values):
            by = f"client {source.client} sends {', '.join(used)} by it unless configured otherwise"
            found = replace(found, found=f"{found.found}; {by}")
        yield found


def _judged(what: str, name: str, adapter: Adapter, source: Source) -> Finding:
    given = ", ".join(sorted(source.values)) or "no settings"
    has = f"{adapter.name} for client {source.client}, has {given}"
    lacking = unable_to_send(adapter, source.values)
    settings = f"threadline providers {adapter.name}"
    if not adapter.events:
        if lacking:
            return Finding(what, "wrong", f"{has}; it cannot send: {lacking}", f"set what is missing: {settings}")
        return Finding(what, "ok", f"{has}; it only sends")
    if verifies(name, adapter, source.values):
        has = f"{has}; verifies {_proof(name, adapter, source.values)}"
        todo = f"to send by it too, set what is missing: {settings}"
        if lacking:
            return Finding(what, "note", f"{has}; it only receives: {lacking}", todo)
        if unsent := unable_to_send(adapter, source.values, sender=False):
            return Finding(what, "note", f"{has}; it sends only messages that name their sender: {unsent}", todo)
        return Finding(what, "ok", has)
    todo = f"set the setting that verifies webhooks: threadline providers {adapter.name}"
    if source.accept_unsigned:
        return Finding(what, "look", "accepts anything, unsigned", todo)
    return Finding(what, "wrong", "has nothing to verify webhooks with, so all are refused", todo)


def _proof(name: str, adapter: Adapter, values: Values) -> str:
    """Return by what a webhook is verified: the provider's own scheme, or the caller's secret, which covers no body."""
    callers = {key: value for key, value in values.items() if key in _CALLERS}
    own = verifies(name, adapter, {key: value for key, value in values.items() if key not in _CALLERS})
    secret = bool(callers) and verifies(name, adapter, callers)
    if own and secret:
        return "a signature, and the caller's secret where there is none"
    return "the caller's secret, not a signature" if secret else "as the provider signs"


def verifies(name: str, adapter: Adapter, values: Values) -> bool:
    """Return whether an adapter with these settings refuses an empty webhook: with nothing to verify by, it cannot."""
    nothing = Request("POST", "https://localhost/", {}, b"{}", datetime.now(UTC), name)
    try:
        return adapter.verify(nothing, values) is not None
    except Unconfigured:
        return False
    except InvalidSignature:
        return True
