"""Providers played from their documentation, for tests, demonstrations, fault runs, and whoever has no account."""

from importlib import import_module
from importlib.util import find_spec
from typing import cast

from adapters import PROVIDERS
from adapters.simulating import Simulated

#: The providers that can be played: each has a `simulator` in its package.
SIMULATED: dict[str, Simulated] = {
    name: cast(Simulated, import_module(f"adapters.{name}.simulator"))
    for name in PROVIDERS
    if find_spec(f"adapters.{name}.simulator") is not None
}
