"""Makes the reference of the settings from their models: the rows of `threadline settings`, and the page docs/settings.md."""

from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from app.settings import Settings, Source
from app.settings.reloaded import is_reloaded
from app.variables import BESIDE, fields_of, variable

_HEAD = """# Settings

All settings, made from the code by `threadline settings --markdown`; a test keeps it true.

Variables `THREADLINE_…` win over the file, the file over the defaults. The file is the one that `THREADLINE_CONFIG` names, else `threadline.toml` in the data folder (`THREADLINE_DATA`, by default `.threadline` where the command is called). In it, `[door]` `port = 8080` is `THREADLINE_DOOR__PORT=8080`: two underscores between the table and the name.

A name that is none of these is refused at start, with the one that it looks like; so is a source's setting that its adapter does not know, an empty secret, and a key that cannot be read. The message names the setting, never its value. Variables that Kubernetes sets for a Service named `threadline` (`THREADLINE_PORT=tcp://…`, `THREADLINE_SERVICE_HOST`) are passed over; `enableServiceLinks: false` avoids them.

The HTTP process (webhooks, API, pages) listens on port 8080, the worker (health and metrics) on 8081; both on 127.0.0.1 unless set otherwise.

| in the file | in the environment | default | reload | what |
| --- | --- | --- | --- | --- |
"""
_SOURCES = """
## Sources

`[sources.NAME]` is an account at a provider. Beside these it has the adapter's own settings (`threadline providers NAME` lists them), each a value, or a list of values while a secret is rotated; in the environment `THREADLINE_SOURCES__NAME__…`.

| in the table | default | what |
| --- | --- | --- |
"""
_BESIDE = """
## Beside the settings

| in the environment | what |
| --- | --- |
| `THREADLINE_CONFIG` | the file of settings, read by every process and command |
| `THREADLINE_API_URL`, `THREADLINE_API_KEY` | where the commands that use the API find it, and the key that they give |
"""


def page() -> str:
    """Return the text of docs/settings.md."""
    lines = [
        f"| `{path}` | `{name}` | {default} | {reload} | {words} |" for path, name, default, reload, words in rows()
    ]
    own = [f"| `{path}` | {default} | {words} |" for path, default, words in _rows_of(Source)]
    assert set(BESIDE) <= set(_BESIDE.replace("`", " ").replace(",", " ").split())
    return _HEAD + "\n".join(lines) + "\n" + _SOURCES + "\n".join(own) + "\n" + _BESIDE


def rows() -> Iterator[tuple[str, str, str, str, str]]:
    """Return of each setting its path in the file, its variable, its default in backticks, `yes` if a change takes effect
    without a restart, and its purpose, as Markdown."""
    for path, field in fields_of(Settings):
        if path != ("sources",):
            yield ".".join(path), variable(path), _default(field), "yes" if is_reloaded(path) else "", _words(field)


def _rows_of(model: type[BaseModel]) -> Iterator[tuple[str, str, str]]:
    for path, field in fields_of(model):
        yield ".".join(path), _default(field), _words(field)


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is None or value == [] or value == "":
        return ""
    if isinstance(value, Enum):
        value = value.value
    return (
        f"`{str(value).lower() if isinstance(value, bool) else value.as_posix() if isinstance(value, Path) else value}`"
    )


def _words(field: FieldInfo) -> str:
    """Return the description of a setting, with the possible values where it is a choice."""
    words = field.description or ""
    if choices := _choices(field.annotation):
        words = f"{words}{': ' if words else ''}{', '.join(f'`{one}`' for one in choices)}"
    return words.replace("|", "\\|")


def _choices(annotation: Any) -> tuple[Any, ...]:
    """Return the values of a choice, which may also be left unset."""
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    return next((get_args(part) for part in get_args(annotation) if get_origin(part) is Literal), ())
