"""The providers that files describe: read, checked, and put beside those that are modules in `adapters/`."""

import tomllib
from pathlib import Path

import orjson

from adapters import ADAPTERS, PROVIDERS
from adapters.declared import InvalidDefinition, adapter_of, definition_of

#: Bytes of one file. A definition has some thousands.
MOST = 1 << 18


def register(folder: Path) -> list[str]:
    """Make adapters of all `*.toml` and `*.json` of a folder; returns their names. Again, it reads them anew.

    Raises InvalidDefinition, with the file's name, for one that cannot be used.
    """
    names = []
    for file in sorted(folder.iterdir()) if folder.is_dir() else []:
        if file.suffix in (".toml", ".json") and file.is_file():
            try:
                adapter = adapter_of(definition_of(_read(file), file.stem))
                if adapter.name in PROVIDERS:
                    raise InvalidDefinition(f"name: {adapter.name} is built in; give yours another")
                if adapter.name in names:
                    raise InvalidDefinition(f"name: another file of this folder has {adapter.name} already")
            except InvalidDefinition as error:
                raise InvalidDefinition(f"{file} cannot be used:\n{error}") from error
            ADAPTERS[adapter.name] = adapter
            names.append(adapter.name)
    return names


def _read(file: Path) -> object:
    try:
        if file.stat().st_size > MOST:
            raise InvalidDefinition(f"has more than {MOST} bytes")
        if file.suffix == ".json":
            return orjson.loads(file.read_bytes())
        return tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidDefinition(f"cannot be read: {error}") from error
