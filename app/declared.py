"""Providers that definition files describe: `read` makes their adapters, `register` adds them to the registry."""

import tomllib
from pathlib import Path
from typing import Protocol, TypeVar

import orjson

from adapters import ADAPTERS, PROVIDERS
from adapters.contract import Adapter
from adapters.declared import InvalidDefinition, adapter_of, definition_of

#: Most bytes of one file. A definition has a few thousand.
MOST = 1 << 18


class Declaring(Protocol):
    """Settings that hold the adapters of a folder's definition files."""

    @property
    def declared(self) -> dict[str, Adapter]: ...


S = TypeVar("S", bound=Declaring)


def register(settings: S) -> S:
    """Add the declared adapters to the registry, for the processes and commands that look adapters up there. Return the
    settings."""
    ADAPTERS.update(settings.declared)
    return settings


def read(folder: Path) -> tuple[dict[str, Adapter], list[str]]:
    """Make an adapter of each `*.toml` and `*.json` in the folder. Return them by name, and a text for each file that cannot
    be used, which begins with the file's name. Without a folder there are none."""
    found: dict[str, Adapter] = {}
    faults: list[str] = []
    try:
        files = definition_files(folder)
    except OSError as error:  # the folder is another account's, mostly
        return {}, [f"{error.filename} cannot be read: {error.strerror}"]
    for file in files:
        try:
            adapter = adapter_of(definition_of(_read(file), file.stem))
            if adapter.name in PROVIDERS:
                raise InvalidDefinition(f"name: {adapter.name} is built in; give yours another")
            if adapter.name in found:
                raise InvalidDefinition(f"name: another file of this folder has {adapter.name} already")
        except InvalidDefinition as error:
            faults.append(f"{file} cannot be used:\n{error}")
        else:
            found[adapter.name] = adapter
    return found, faults


def definition_files(folder: Path) -> list[Path]:
    """Return the definition files of a folder, in order."""
    if not folder.is_dir():
        return []
    return [file for file in sorted(folder.iterdir()) if file.suffix in (".toml", ".json") and file.is_file()]


def _read(file: Path) -> object:
    try:
        if file.stat().st_size > MOST:
            raise InvalidDefinition(f"has more than {MOST} bytes")
        if file.suffix == ".json":
            return orjson.loads(file.read_bytes())
        return tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidDefinition(f"cannot be read: {error}") from error
