"""Shortens the delay after which a provider is asked about an unanswered call."""

from dataclasses import replace

from adapters import ADAPTERS


def look_up_after(provider: str, seconds: float) -> None:
    """Have this process ask the provider so many seconds after a call."""
    adapter = ADAPTERS[provider]
    assert adapter.send is not None and adapter.send.look_up is not None
    send = replace(adapter.send, look_up=replace(adapter.send.look_up, after=seconds))
    ADAPTERS[provider] = replace(adapter, send=send)
