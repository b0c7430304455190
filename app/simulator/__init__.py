"""Providers played from their documentation, for tests, demonstrations, fault runs, and whoever has no account."""

from importlib import import_module
from importlib.util import find_spec
from typing import cast

from adapters import PROVIDERS
from app.simulator.base import Simulated

#: The providers that can be played: each has a module of its name here.
SIMULATED: dict[str, Simulated] = {
    name: cast(Simulated, import_module(f"app.simulator.{name}"))
    for name in PROVIDERS
    if find_spec(f"app.simulator.{name}") is not None
}
