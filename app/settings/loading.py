"""Loads the settings for a process or a command: with the providers of definition files in the registry, and with one error
for whatever is wrong."""

import os
import re
from collections.abc import Iterator
from tomllib import TOMLDecodeError
from types import UnionType
from typing import Any, Union, get_args, get_origin

import orjson
from pydantic import BaseModel, ValidationError
from pydantic_settings import SettingsError

from app import variables
from app.declared import register
from app.settings import Settings, settings_file

_FIELD = re.compile(r'field "(\w+)"')


class SettingsRefused(Exception):
    """The settings cannot be used. The message has a line for each fault, and no value of a setting."""

    def __init__(self, words: str) -> None:
        super().__init__(f"the settings do not fit:\n{words}")


def load() -> Settings:
    """Return the settings, and add the providers of definition files to the registry. Every process and command that reads
    settings begins with this. Raises SettingsRefused."""
    try:
        if fault := _file_fault():
            raise SettingsRefused(f"  {fault}")
        return register(Settings())
    except (ValueError, OSError) as error:
        if not (words := worded(error)):
            raise
        raise SettingsRefused(words) from None


def worded(error: Exception) -> str:
    """Return a line for each invalid setting: its name, the error, and the variable or file that its value comes from.
    Leave the value out, since it may be a secret. For a file that cannot be read, return the file and the error.
    Return "" for any other exception."""
    if isinstance(error, TOMLDecodeError):
        return f"  {settings_file()}: {_toml_error(str(error))}"
    if isinstance(error, UnicodeDecodeError):
        return f"  {settings_file()}: is not UTF-8 (byte {error.start})"
    if isinstance(error, OSError) and error.filename is not None:
        return f"  {error.filename} cannot be read: {error.strerror}"
    if isinstance(error, SettingsError):
        return "\n".join(f"  {line}" for line in _not_json(str(error)))
    if not isinstance(error, ValidationError):
        return ""
    return "\n".join(_line(one) for one in error.errors(include_input=False, include_url=False))


def _toml_error(text: str) -> str:
    """Return tomllib's error; for a section or a name that occurs twice, with its name and what to do."""
    if twice := re.fullmatch(r"Cannot declare \((.*?),?\) twice \(at (line \d+), .*", text):
        section = twice[1].replace("'", "").replace(", ", ".")
        return f"{twice[2]}: there is a section [{section}] already: put the settings of both into one"
    if again := re.fullmatch(r"Cannot overwrite a value \(at (line \d+), .*", text):
        return f"{again[1]}: this name has a value already: keep one of the two"
    return text


def _line(fault: Any) -> str:
    path = tuple(map(str, fault["loc"]))
    file = settings_file()
    if fault["type"] != "extra_forbidden":
        words, where = fault["msg"].removeprefix("Value error, "), variables.origin(path, file)
        return f"  {'.'.join(path)}{': ' if path else ''}{words}{f' (from {where})' if where else ''}"
    shown, words = variables.no_setting(Settings, path)
    # A name that is not shown is not shown as a part of the variable's name either.
    where = variables.origin(path if shown == path else path[:-1] or path, file)
    if shown != path and where not in (str(file), ""):
        where = "the environment"
    return f"  {'.'.join(shown)}{': ' if shown else ''}{words}{f' (from {where})' if where else ''}"


def _file_fault() -> str:
    """Return what is wrong with the path of the settings file, or "". A file that is not named need not exist."""
    file, named = settings_file(), os.environ.get("THREADLINE_CONFIG")
    try:
        if file.is_file():
            return ""
        missing = not file.exists()
    except OSError as error:
        return f"{file} cannot be read: {error.strerror}"
    if missing and not named:
        return ""
    fault = "there is no such file" if missing else "it is not a file"
    return f"{f'THREADLINE_CONFIG names {file}' if named else file}: {fault}"


def _not_json(words: str) -> Iterator[str]:
    """Yield a line for each variable below the setting that pydantic-settings names whose value must be JSON and is not."""
    found = _FIELD.search(words)
    top = found[1] if found else ""
    names = {name.upper(): name for name in os.environ}
    whole = variables.variable((top,))
    if (name := names.get(whole)) and not _is_json(os.environ[name]):
        below = [
            variables.variable(path) for path, _ in variables.fields_of(Settings) if path[0] == top and len(path) > 1
        ]
        instead = f"; or set {below[0]} and the like" if below else ""
        yield f"{name} must be JSON{instead}"
        return
    wrong = [
        names[variables.variable(path)]
        for path, field in variables.fields_of(Settings)
        if path[0] == top and (name := names.get(variables.variable(path))) and _takes_json(field.annotation)
        and not _is_json(os.environ[name])
    ]  # fmt: skip
    for name in wrong:
        yield f'{name} must be JSON, as ["a", "b"]'
    if not wrong:
        yield f"a variable that begins with {whole} must be JSON"


def _takes_json(annotation: Any) -> bool:
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        return any(map(_takes_json, get_args(annotation)))
    kind = origin or annotation
    return isinstance(kind, type) and issubclass(kind, list | dict | tuple | set | BaseModel)


def _is_json(text: str) -> bool:
    try:
        orjson.loads(text)
    except ValueError:
        return False
    return True
