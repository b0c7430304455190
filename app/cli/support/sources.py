"""The sources of `explain` and `simulate`: the configured ones, with the settings that the command line gives."""

from dataclasses import dataclass, field
from pathlib import Path

from adapters import ADAPTERS
from adapters.contract import Adapter, Request
from app.cli.support.terminal import why
from app.settings.loading import load

Given = list[tuple[str, str]]


class WrongUse(Exception):
    """An option does not fit. The message says which values do."""


@dataclass(slots=True)
class CommandSource:
    """A source as this one command uses it."""

    adapter: str | None
    client: str = "default"
    url: str | None = None
    accept_unsigned: bool = False
    values: dict[str, tuple[str, ...]] = field(default_factory=dict)


def accounts_for(name: str | None, request: Request) -> dict[str, CommandSource]:
    """Return the sources by name: the configured ones, else one for each adapter, and `name` where it is an adapter's.

    Where none is configured, another `name` is a source of the adapter that recognises the request. Raises WrongUse and
    SettingsRefused.
    """
    configured = load().sources
    if configured:
        accounts = {
            key: CommandSource(one.adapter or key, one.client, one.url, one.accept_unsigned, dict(one.values))
            for key, one in configured.items()
        }
    else:
        accounts = {key: CommandSource(key) for key in ADAPTERS}
        if name is not None and name not in accounts:
            adapter = next((key for key, one in ADAPTERS.items() if one.recognise(request)), None)
            if adapter is not None:
                accounts[name] = CommandSource(adapter)
    if name is not None and name in ADAPTERS and name not in accounts:
        accounts[name] = CommandSource(name)
    for key, account in accounts.items():
        if account.adapter not in ADAPTERS:
            known = ", ".join(sorted(ADAPTERS))
            raise WrongUse(f"the source {key!r} has no adapter {account.adapter!r}; there are: {known}")
    return accounts


def candidates(request: Request, name: str | None, accounts: dict[str, CommandSource]) -> list[str]:
    """Return the names of the sources that the settings are for: `name`, else those whose adapters recognise the request."""
    if name is not None:
        return [name] if name in accounts else []
    return [key for key, account in accounts.items() if ADAPTERS[str(account.adapter)].recognise(request)]


def apply(given: Given, accounts: dict[str, CommandSource], candidates: list[str]) -> list[str]:
    """Replace configured settings by the given ones, and return an error for each that no candidate has."""
    unknown = []
    replaced: set[tuple[str, str]] = set()
    for written, value in given:
        found = False
        for key in candidates:
            account = accounts[key]
            adapter = ADAPTERS[str(account.adapter)]
            setting = _setting(written, key, adapter)
            if setting is None:
                continue
            found = True
            kept = account.values.get(setting, ()) if (key, setting) in replaced else ()
            account.values[setting] = (*kept, value)
            replaced.add((key, setting))
        if not found and candidates and not _others(written, candidates, accounts):
            names = {setting.name for key in candidates for setting in ADAPTERS[str(accounts[key].adapter)].settings}
            known = ", ".join(sorted(names)) or "none"
            unknown.append(f"{', '.join(candidates)} has no setting {written!r}, so it is ignored; known: {known}")
    return unknown


def _setting(written: str, source: str, adapter: Adapter) -> str | None:
    """Return the adapter's name of a setting, written in any case, with or without the source's name as prefix."""
    plain = _plain(written)
    for prefix in ("", f"{_plain(source)}_", f"{adapter.name}_"):
        rest = plain.removeprefix(prefix) if plain.startswith(prefix) else None
        for setting in adapter.settings:
            if rest in (setting.name, *setting.aliases):
                return setting.name
    return None


def _others(written: str, candidates: list[str], accounts: dict[str, CommandSource]) -> bool:
    """Return whether it is a setting of another source, by its prefix: all secrets may be given at once."""
    plain = _plain(written)
    return any(
        plain.startswith(prefix) and _setting(written, key, adapter) is not None
        for key, adapter in [
            *((key, ADAPTERS[str(account.adapter)]) for key, account in accounts.items() if key not in candidates),
            *ADAPTERS.items(),
        ]
        for prefix in (f"{_plain(key)}_", f"{adapter.name}_")
    )


def _plain(name: str) -> str:
    return name.strip().lower().replace("-", "_")


def given_of(text: str) -> tuple[str, str]:
    """Return name and value of NAME=VALUE; of NAME=@FILE the text of the file. Raises WrongUse."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise WrongUse(f"a setting is NAME=VALUE or NAME=@FILE, not {name[:60]!r}")
    if not value.startswith("@"):
        return name, value
    try:
        return name, Path(value[1:]).read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        raise WrongUse(f"{value[1:]} cannot be read: {why(error)}") from error
