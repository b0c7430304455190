"""Makes the reference of the settings from their models: the rows of `threadline settings`, and the page docs/settings.md."""

import re
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

Variables `THREADLINE_…` win over the file, and the file wins over the defaults. The file is the one that `THREADLINE_CONFIG` names; without that variable it is `threadline.toml` in the data folder (`THREADLINE_DATA`, by default `.threadline` where the command is called). The table `[door]` with `port = 8080` in the file is the variable `THREADLINE_DOOR__PORT=8080`: two underscores between the table and the name.

A name that is not on this page is refused at start; the message suggests the setting that was probably meant. Also refused are a source's setting that its adapter does not know, an empty secret, and a key that cannot be read. The message names the setting, never its value. Variables that Kubernetes sets for a Service named `threadline` (`THREADLINE_PORT=tcp://…`, `THREADLINE_SERVICE_HOST`) are ignored; `enableServiceLinks: false` avoids them.

The HTTP process (webhooks, API, pages) listens on port 8080, the worker (health and metrics) on 8081; both on 127.0.0.1 unless set otherwise.

A process takes over a change of the settings marked `yes` under "reload" while it runs ([changing settings](#changing-settings)); the others need a restart.

"""
#: The heading of the settings that are in no table of the file.
_TOP = "Folders"
_TABLE = """
| in the file | in the environment | default | reload | what |
| --- | --- | --- | --- | --- |
"""
_SOURCES = """
## Sources

`[sources.NAME]` is an account at a provider. Beside these it has the adapter's own settings (`threadline providers NAME` lists them), each a value, or a list of values while a secret is rotated; in the environment `THREADLINE_SOURCES__NAME__…`. All of a source is reloaded: it may be added, changed and removed while the processes run.

| in the table | default | what |
| --- | --- | --- |
"""
_ISSUERS = """
## Issuers

To accept tokens of several issuers, give each a table `[issuers.NAME]` with the settings of `identity` (in the environment `THREADLINE_ISSUERS__NAME__…`), and do not set `identity.issuer` ([who may do what](access.md#tokens)). A change needs a restart.
"""
_CHANGING = """
## Changing settings

```sh
threadline settings check           # finds every fault of the file, the environment and the definition files, with its line
threadline settings check new.toml  # the same for another file, before it takes the place of the present one
threadline settings show            # the settings, and the line or variable that sets each; secrets only as `set`; --all: the defaults too
```

`threadline serve` and `threadline work` look at the file, and at the definition files, every two seconds. They read a changed file once it was the same at two looks, so that a file which is still being written is not read by half. At SIGHUP they read it at once: `kill -HUP`, to `threadline up` (which passes it on) or to each process; `systemctl reload threadline@serve threadline@work`; `podman kill --signal HUP`. Variables of the environment are those of the process's start. `threadline mqtt` reads its settings only at its start.

- **All or nothing.** The new file is checked as at a start. If anything is wrong, all of it is refused, and the settings in force stay: the log has each fault with its line (`settings_refused`), and the alert [ThreadlineSettingsRefused](alerts.md#threadlinesettingsrefused) fires. The same happens if the file is removed. If nothing is wrong, everything that is reloaded changes at once, between two requests: a webhook is verified by the old sources or by the new ones. The log names what has changed (`settings_reloaded`).
- **A setting that needs a restart** stays as it was. The log (`setting_needs_restart`) and `threadline doctor` name each such setting, until the process is restarted or the file has the old value again.
- **A provider's secret** is rotated by a list of the new and the old one, `auth_token = ["new", "old"]`; once the provider signs with the new secret, remove the old one.
- **A source that is removed**: its webhooks get 404 from then on. Webhooks that were kept before are processed as if the source were still there: a record names its adapter and client, and a running worker remembers the source's `account` until it is restarted. A record whose provider's definition file is gone at a restart becomes a dead letter, which can be replayed ([dead letters](dead-letters.md)).
- **Limits of connections** apply to new connections. **Accounts of the file** send with their new secret from the next message on.
- **In a container** a file that is mounted alone (as in [compose.yml](../deploy/compose.yml)) must be changed in place: if it is replaced by another file, as `mv` and many editors do, the container keeps the old file until it is started again. Mount the file's folder to avoid that.
- **If a terminal is closed**, `threadline serve`, `work` and `up` that were started in it end, although that sends SIGHUP too.

`/healthz` of both processes has `settings`: when the settings in force were read (`readAt`), whether the file was refused since (`refused`), which settings need a restart (`needRestart`), and a digest of the reloaded settings, by which two processes can be compared. The digest is keyed by the first of the [keys](keys.md), so that nobody can test guesses of secrets against it. Metrics: `threadline_settings_read_timestamp_seconds`, `threadline_settings_reloads_total`, `threadline_settings_reload_failures_total`, `threadline_settings_refused`, `threadline_settings_need_restart`.
"""
_BESIDE = """
## Beside the settings

| in the environment | what |
| --- | --- |
| `THREADLINE_CONFIG` | the file of settings, read by every process and command |
| `THREADLINE_API_URL`, `THREADLINE_API_KEY`, `THREADLINE_API_CLIENT` | for the commands that use the API: its URL, the key that they send, and the client that they name |
"""


def page() -> str:
    """Return the text of docs/settings.md."""
    sections: dict[str, list[str]] = {}
    for path, name, default, reload, words in rows():
        section = path.partition(".")[0] if "." in path else _TOP
        sections.setdefault(section, []).append(f"| `{path}` | `{name}` | {default} | {reload} | {words} |")
    links = ", ".join(f"[{name}](#{name.lower()})" for name in (*sections, "Sources", "Issuers"))
    tables = [f"\n## {name}\n{_about(name)}{_TABLE}" + "\n".join(lines) + "\n" for name, lines in sections.items()]
    own = [f"| `{path}` | {default} | {words} |" for path, default, words in _rows_of(Source)]
    assert set(BESIDE) <= set(_BESIDE.replace("`", " ").replace(",", " ").split())
    return f"{_HEAD}{links}.\n{''.join(tables)}" + _SOURCES + "\n".join(own) + "\n" + _ISSUERS + _CHANGING + _BESIDE


def _about(section: str) -> str:
    """Return what a table of the file is for, as a paragraph; nothing for the settings that are in none."""
    field = Settings.model_fields.get(section)
    if field is None or not isinstance(model := field.annotation, type):
        return ""
    words = " ".join((model.__doc__ or "").split())
    return "\n" + re.sub(r"docs/([a-z]+)[.]md", r"[\1](\1.md)", words) + "\n"


def rows() -> Iterator[tuple[str, str, str, str, str]]:
    """Return of each setting its path in the file, its variable, its default in backticks, `yes` if a change takes effect
    without a restart, and its purpose, as Markdown."""
    for path, field in fields_of(Settings):
        if path not in (("sources",), ("issuers",)):
            yield ".".join(path), variable(path), _default(field), "yes" if is_reloaded(path) else "", _words(field)


def _rows_of(model: type[BaseModel]) -> Iterator[tuple[str, str, str]]:
    for path, field in fields_of(model):
        yield ".".join(path), _default(field), _words(field)


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is None or value in ([], {}, ""):
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
