"""Simulated providers, for tests, demonstrations and fault runs, and for people without a provider account."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

import adapters
from adapters import PROVIDERS, Registry
from adapters.simulating import Api, Simulator, Webhooks


def _simulator(name: str) -> Simulator:
    simulator = import_module(f"adapters.{name}.simulator").SIMULATOR
    if not isinstance(simulator, Simulator):
        raise TypeError(f"adapters.{name}.simulator.SIMULATOR is not a Simulator")
    return simulator


_FOLDER = Path(adapters.__path__[0])
#: The simulators by provider, in the order of PROVIDERS; each is imported when it is first read.
SIMULATED: Mapping[str, Simulator] = Registry(
    (name for name in PROVIDERS if (_FOLDER / name / "simulator.py").is_file()), _simulator
)


def webhooks_of(name: str) -> Webhooks:
    """Return the webhooks of a simulated provider. Raises KeyError if there is no simulator, or it posts none."""
    webhooks = SIMULATED[name].webhooks
    if webhooks is None:
        raise KeyError(f"{name} posts no webhooks")
    return webhooks


def api_of(name: str) -> Api:
    """Return the API of a simulated provider. Raises KeyError if there is no simulator, or it has no API."""
    api = SIMULATED[name].api
    if api is None:
        raise KeyError(f"{name} has no API for sending")
    return api
