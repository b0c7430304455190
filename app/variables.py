"""Names of the settings in the file and in the environment, and errors for unknown names.

An unknown name is refused at start: otherwise a misspelt setting keeps its default and the mistake shows much later.
"""

import os
import re
import tomllib
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from app.toml_lines import lines_of

PREFIX = "THREADLINE_"
#: Variables that are not settings: the path of the file, and those of the commands that use the API.
BESIDE = ("THREADLINE_CONFIG", "THREADLINE_API_URL", "THREADLINE_API_KEY", "THREADLINE_API_CLIENT")
#: Variables that Kubernetes sets for a Service that is named `threadline` or `threadline-…`
#: (https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables).
_KUBERNETES = re.compile(
    r"_SERVICE_PORT(_[A-Z0-9_]+)?$|_PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$|_SERVICE_HOST$"
)


def fields_of(model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], FieldInfo]]:
    """Yield each setting of a model, with its path from the top. A nested model yields its own settings."""
    for name, field in model.model_fields.items():
        inner, here = field.annotation, (*path, field.alias or name)
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from fields_of(inner, here)
        else:
            yield here, field


def variable(path: tuple[str, ...]) -> str:
    """Return the setting's name in the environment."""
    return PREFIX + "__".join(path).upper()


def strangers(model: type[BaseModel]) -> list[str]:
    """Return a line for each variable of the environment that has our prefix and is no setting."""
    tops = {name for name, _ in model.model_fields.items()}
    known = [*BESIDE, *(variable(path) for path, _ in fields_of(model))]
    return [
        f"{name} is no setting{_nearest(name, known)}"
        for name in sorted(os.environ)
        if name.upper().startswith(PREFIX)
        and name.upper() not in BESIDE
        and name.upper().removeprefix(PREFIX).partition("__")[0].lower() not in tops
        and not _of_kubernetes(name)
    ]


def no_setting(model: type[BaseModel], path: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """Return the part of an unknown setting's path that may be printed, and the error, with the most similar name. A name
    that is similar to none is left out, since it may be a secret in the wrong place."""
    known = [".".join(each) for each, _ in fields_of(model)]
    known += sorted({each[0] for each, _ in fields_of(model) if len(each) > 1})
    if get_close_matches(path[-1], {name.rpartition(".")[2] for name in known}, 1, 0.75):
        return path, f"there is no such setting{_nearest('.'.join(path), known)}"
    table = path[:-1]
    names = sorted({each[len(table)] for each, _ in fields_of(model) if each[: len(table)] == table})
    return table, f"there is a name that is no setting (it is not shown); the settings are: {', '.join(names)}"


def origin(path: tuple[str, ...], file: Path) -> str:
    """Return where the value of a setting comes from: the name of the variable, else the file if it has the setting, with
    the line (`threadline.toml:3`), else ""."""
    if not path:
        return ""
    names = {name.upper(): name for name in os.environ}
    for end in range(len(path), 0, -1):
        if name := names.get(variable(path[:end])):
            return name
    if below := [name for upper, name in sorted(names.items()) if upper.startswith(f"{variable(path)}__")]:
        return below[0]
    try:
        text = file.read_text("utf-8")
        found: Any = tomllib.loads(text)
    except (OSError, ValueError):
        return ""
    for key in path:
        if not isinstance(found, dict):  # the rest of the path is within a list
            break
        if key not in found:
            return ""
        found = found[key]
    lines = lines_of(text)
    line = next((lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in lines), None)
    return str(file) if line is None else f"{file}:{line}"


def _nearest(name: str, known: list[str]) -> str:
    found = get_close_matches(name, known, 1, 0.6)
    return f"; did you mean {found[0]}?" if found else ""


def _of_kubernetes(name: str) -> bool:
    upper, value = name.upper(), os.environ[name]
    linked = upper.endswith("_PORT") and re.match(r"(tcp|udp|sctp)://", value) is not None
    return "__" not in upper and (linked or _KUBERNETES.search(upper) is not None)
