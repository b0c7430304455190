"""Simulated providers, for tests, demonstrations and fault runs, and for people without a provider account."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path

import adapters
from adapters import PROVIDERS
from adapters.simulating import Api, Simulator, Webhooks


class _Simulators(Mapping[str, Simulator]):
    """Simulators by provider. The names are known without an import; a simulator is imported at its first access."""

    def __init__(self) -> None:
        folder = Path(adapters.__path__[0])
        self._names = dict.fromkeys(name for name in PROVIDERS if (folder / name / "simulator.py").is_file())
        self._imported: dict[str, Simulator] = {}

    def __getitem__(self, name: str) -> Simulator:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._imported:
            simulator = import_module(f"adapters.{name}.simulator").SIMULATOR
            if not isinstance(simulator, Simulator):
                raise TypeError(f"adapters.{name}.simulator.SIMULATOR is not a Simulator")
            self._imported[name] = simulator
        return self._imported[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names


#: The simulators by provider, in the order of PROVIDERS.
SIMULATED: Mapping[str, Simulator] = _Simulators()


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
