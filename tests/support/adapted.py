"""Adapters with changed capabilities, for tests that cannot wait as long as the provider requires."""

from dataclasses import replace
from typing import Any

from adapters import ADAPTERS
from adapters.contract import Adapter


def sending(name: str, **changes: Any) -> Adapter:
    """Return the adapter, with these fields of its `Send` changed."""
    adapter = ADAPTERS[name]
    assert adapter.send is not None
    return replace(adapter, send=replace(adapter.send, **changes))


def asked_after(name: str, seconds: float) -> Adapter:
    """Return the adapter, with its look-up `seconds` after a call without an answer."""
    send = ADAPTERS[name].send
    assert send is not None and send.look_up is not None
    return sending(name, look_up=replace(send.look_up, after=seconds))
