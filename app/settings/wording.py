"""Puts what is wrong with the settings into words: the name, the fault, and the variable or the line of the file that has
the value. Never the value itself, since it may be a secret."""

import os
import re
from tomllib import TOMLDecodeError
from types import UnionType
from typing import Any, Union, get_args, get_origin

import orjson
from pydantic import BaseModel, ValidationError
from pydantic_settings import SettingsError

from app import variables
from app.settings import Settings, settings_file

_FIELD = re.compile(r'field "(\w+)"')
#: What is said of pydantic's faults, by their types and with their limits (https://docs.pydantic.dev/latest/errors/validation_errors/).
_WORDS = {
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "dict_type": "must be a section of names and values",
    "enum": "must be {expected}",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be {ge} or more",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be {le} or less",
    "list_type": 'must be a list, as ["a", "b"]',
    "literal_error": "must be {expected}",
    "missing": "is required",
    "model_attributes_type": "must be a section of names and values",
    "model_type": "must be a section of names and values",
    "path_type": "must be a path, as text",
    "string_pattern_mismatch": "must match {pattern}",
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must have at least {min_length} characters",
    "string_type": "must be text",
    "too_long": "must have at most {max_length} items",
    "too_short": "must have at least {min_length} items",
}


def worded(error: Exception) -> list[str]:
    """Return a text for each invalid setting of an error: its name, the fault, and the variable or file that its value comes
    from. For a file that cannot be read, return the file and the fault. Return nothing for any other exception."""
    if isinstance(error, TOMLDecodeError):
        return [f"{settings_file()}: {_toml_error(str(error))}"]
    if isinstance(error, UnicodeDecodeError):
        return [f"{settings_file()}: is not UTF-8 (byte {error.start})"]
    if isinstance(error, OSError) and error.filename is not None:
        return [f"{error.filename} cannot be read: {error.strerror}"]
    if isinstance(error, SettingsError):
        return list(not_json(str(error)).values())
    if not isinstance(error, ValidationError):
        return []
    return [line for one in error.errors(include_input=False, include_url=False) for line in _lines(one)]


def _toml_error(text: str) -> str:
    """Return tomllib's error; for a section or a name that occurs twice, with its name and what to do."""
    if twice := re.fullmatch(r"Cannot declare \((.*?),?\) twice \(at (line \d+), .*", text):
        section = twice[1].replace("'", "").replace(", ", ".")
        return f"{twice[2]}: there is a section [{section}] already: put the settings of both into one"
    if again := re.fullmatch(r"Cannot overwrite a value \(at (line \d+), .*", text):
        return f"{again[1]}: this name has a value already: keep one of the two"
    return text


def _lines(fault: Any) -> list[str]:
    path = tuple(map(str, fault["loc"]))
    file = settings_file()
    if not path:  # those that `Settings` found, each with its name
        return [str(line) for line in fault["msg"].removeprefix("Value error, ").split("\n  ")]
    if fault["type"] != "extra_forbidden":
        words, where, shown = _words(fault), variables.origin(path, file), path
    else:
        shown, words = variables.no_setting(Settings, path)
        where = variables.origin(path, file)
        if shown != path and where.startswith(variables.PREFIX):
            where = "the environment"  # a name that is not shown is not shown as a part of the variable's name either
    return [f"{'.'.join(shown)}{': ' if shown else ''}{words}{f' (from {where})' if where else ''}"]


def _words(fault: Any) -> str:
    """Return what is wrong with a value, without the value."""
    if (words := _WORDS.get(fault["type"])) is not None:
        limits = fault.get("ctx", {}).items()
        return words.format(**{name: f"{limit:g}" if isinstance(limit, float) else limit for name, limit in limits})
    return str(fault["msg"]).removeprefix("Value error, ")


def file_fault() -> str:
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


def not_json(words: str) -> dict[str, str]:
    """Return a text for each variable whose value must be JSON and is not, by the variable's name, for pydantic-settings'
    error, which names only the top of the setting."""
    found = _FIELD.search(words)
    top = found[1] if found else ""
    names = {name.upper(): name for name in os.environ}
    whole = variables.variable((top,))
    if (name := names.get(whole)) and not _is_json(os.environ[name]):
        below = [
            variables.variable(path) for path, _ in variables.fields_of(Settings) if path[0] == top and len(path) > 1
        ]
        return {name: f"{name} must be JSON{f'; or set {below[0]} and the like' if below else ''}"}
    wrong = [
        names[variables.variable(path)]
        for path, field in variables.fields_of(Settings)
        if path[0] == top and (name := names.get(variables.variable(path))) and _takes_json(field.annotation)
        and not _is_json(os.environ[name])
    ]  # fmt: skip
    return {name: f'{name} must be JSON, as ["a", "b"]' for name in wrong} or {
        whole: f"a variable that begins with {whole} must be JSON"
    }


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
