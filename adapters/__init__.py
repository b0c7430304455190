"""The registry of adapters: one word per provider, which is its module, its default source name and its fixture folder."""

from importlib import import_module
from typing import cast

from adapters.base import Adapter

PROVIDERS: tuple[str, ...] = ()

ADAPTERS: dict[str, Adapter] = {name: cast(Adapter, import_module(f"adapters.{name}")) for name in PROVIDERS}
