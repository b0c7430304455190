"""The check of `threadline doctor` on the configured sources."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

from adapters import ADAPTERS
from adapters.contract import Adapter, InvalidSignature, Request, Unconfigured, Values
from app.cli.doctor.finding import Finding
from app.settings import Settings, Source

#: Settings that authenticate the caller of an unsigned webhook.
_CALLERS = frozenset({"basic_auth", "url_secret", "webhook_header"})


async def sources(settings: Settings) -> AsyncIterator[Finding]:
    """Check that each source has an adapter and can verify its webhooks. Invalid settings are refused when they are read."""
    if not settings.sources:
        yield Finding("Sources", "look", "none configured", "add [sources.NAME] to threadline.toml")
    for name, source in settings.sources.items():
        what, adapter = f"Source {name}", ADAPTERS.get(source.adapter or name)
        if adapter is None:
            known = f"adapter is one of: {', '.join(sorted(ADAPTERS))}"
            yield Finding(what, "wrong", f"no adapter {source.adapter or name}", known)
            continue
        yield _verifying(what, name, adapter, source)


def _verifying(what: str, name: str, adapter: Adapter, source: Source) -> Finding:
    given = ", ".join(sorted(source.values)) or "no settings"
    has = f"{adapter.name} for client {source.client}, has {given}"
    if not adapter.events:
        return Finding(what, "ok", f"{has}; it only sends")
    if verifies(name, adapter, source.values):
        return Finding(what, "ok", f"{has}; verifies {_proof(name, adapter, source.values)}")
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
