"""Shows the settings of a process that starts now: of each its value, with secrets masked, and where it comes from."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from adapters.checked import public_names
from app import variables
from app.settings import KEYS_FILE, Settings, Source, settings_file
from app.settings.reloaded import SOURCES, flat, is_reloaded
from webhooks.cutting import Cutter

#: User and password in a URL.
_USER = re.compile(r"(?<=://)[^/@\s]+@")


@dataclass(frozen=True, slots=True)
class Shown:
    """One setting. `value` is None if it is not set, and `set` if it is a secret. `origin`: `default`, the file with the
    line, or the name of the variable. `reload`: whether a change takes effect without a restart."""

    name: str
    value: Any
    origin: str
    reload: bool


def shown(settings: Settings, *, every: bool) -> Iterator[Shown]:
    """Yield the settings that differ from their defaults, or all of them."""
    defaults = flat(Settings.model_construct())
    for path, value in flat(settings).items():
        if path[0] == SOURCES:
            yield from _source(settings, path[1], every=every)
        elif every or value != defaults.get(path):
            yield Shown(".".join(path), _plain(value), _origin(path, settings), is_reloaded(path))


def _source(settings: Settings, name: str, *, every: bool) -> Iterator[Shown]:
    source, adapter = settings.sources[name], settings.adapter_of(name)
    public = public_names(adapter) if adapter is not None else frozenset()
    defaults = Source()
    for field in Source.model_fields:
        value = getattr(source, field)
        if field == "url" and value is not None and adapter is not None:
            value = Cutter(adapter, source.values).url(value)
        if every or value != getattr(defaults, field):
            path = (SOURCES, name, field)
            yield Shown(".".join(path), _plain(value), _origin(path, settings), True)
    for key, values in source.values.items():
        path = (SOURCES, name, key)
        given = list(values) if len(values) != 1 else values[0]
        value = _plain(given) if key in public else _masked(len(values))
        yield Shown(".".join(path), value, _origin(path, settings), True)


def _plain(value: Any) -> Any:
    """Return a value as JSON has it."""
    if isinstance(value, SecretStr):
        return _masked(1)
    if isinstance(value, list | tuple):
        if value and isinstance(value[0], SecretStr):
            return _masked(len(value))
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, str):
        return _USER.sub("", value)
    return value if value is None or isinstance(value, bool | int | float) else str(value)


def _masked(count: int) -> str:
    return "set" if count == 1 else f"set ({count} values)"


def _origin(path: tuple[str, ...], settings: Settings) -> str:
    if found := variables.origin(path, settings_file()):
        return found
    keys = Path(settings.data, KEYS_FILE)
    return str(keys) if path == ("secrets", "keys") and settings.secrets.keys else "default"
