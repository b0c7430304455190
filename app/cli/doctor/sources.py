"""The check of `threadline doctor` on the configured sources."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

from adapters import ADAPTERS
from adapters.contract import (
    Adapter,
    InvalidSignature,
    Message,
    Request,
    Unconfigured,
    Unsendable,
    Values,
    WrongSetting,
)
from app.cli.doctor.finding import Finding
from app.settings import Settings, Source
from app.simulator import samples
from schemas.handles import handle_of

#: Settings that authenticate the caller of an unsigned webhook.
_CALLERS = frozenset({"basic_auth", "url_secret", "webhook_header"})


async def sources(settings: Settings) -> AsyncIterator[Finding]:
    """Check that each source has an adapter and can verify its webhooks, and note which cannot send. Invalid settings are
    refused when they are read."""
    if not settings.sources:
        yield Finding("Sources", "look", "none configured", "add [sources.NAME] to threadline.toml")
    for name, source in settings.sources.items():
        what, adapter = f"Source {name}", ADAPTERS.get(source.adapter or name)
        if adapter is None:
            known = f"adapter is one of: {', '.join(sorted(ADAPTERS))}"
            yield Finding(what, "wrong", f"no adapter {source.adapter or name}", known)
            continue
        yield _judged(what, name, adapter, source)


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


def unable_to_send(adapter: Adapter, values: Values, *, sender: bool = True) -> str:
    """Return why no message can be sent with these settings, by building one for each channel of the adapter, which names
    its sender or not; an empty string if one can, or if the adapter only receives."""
    send, now = adapter.send, datetime.now(UTC)
    if send is None:
        return ""
    reasons = []
    for channel in sorted(send.channels):
        to, named = handle_of(samples.customer(channel), channel), samples.ours(channel) if sender else None
        try:
            if send.token is not None:
                send.token.build(values, now)
            known = {"access_token": ("…",), **values} if send.token is not None else values
            send.build_request(Message("doctor", channel, to, named, text="…", subject="…"), known, now)
        except WrongSetting as error:
            reasons.append(str(error))
        except Unsendable:  # of this message alone
            return ""
        else:
            return ""
    return reasons[0]


def verifies(name: str, adapter: Adapter, values: Values) -> bool:
    """Return whether an adapter with these settings refuses an empty webhook: with nothing to verify by, it cannot."""
    nothing = Request("POST", "https://localhost/", {}, b"{}", datetime.now(UTC), name)
    try:
        return adapter.verify(nothing, values) is not None
    except Unconfigured:
        return False
    except InvalidSignature:
        return True
