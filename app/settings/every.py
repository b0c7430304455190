"""Finds every fault of the settings at once. Reading them stops at the first kind: a file that is not TOML hides an unknown
variable, and an invalid port hides an unknown setting of a source."""

from collections.abc import Iterable
from tomllib import TOMLDecodeError
from typing import Any

from pydantic import PrivateAttr, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsError,
    TomlConfigSettingsSource,
)

from app.settings import Settings, settings_file
from app.settings.wording import file_fault, not_json, worded

#: Most times that the settings are read without what was found to be wrong.
ROUNDS = 10


class _Given(Settings):
    """Settings of the arguments alone, which keep what is wrong with sources, variables and definition files."""

    _wrong: list[str] = PrivateAttr(default_factory=list)

    def _refuse(self, wrong: list[str]) -> None:
        self._wrong = wrong

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *_: Any, **__: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the arguments, of all places that values come from."""
        return (init_settings,)


def every_fault() -> tuple[list[str], Settings | None]:
    """Return a text for each fault of the file and the environment, and the settings without the faulty ones, or None if
    the file cannot be read."""
    given, found = _environment()
    try:
        if fault := file_fault():
            return [fault, *found, *_beside(given)], None
        file: dict[str, Any] = TomlConfigSettingsSource(Settings, settings_file())()
    except (TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        return [*worded(error), *found, *_beside(given)], None
    given = _merged(file, given)
    for _ in range(ROUNDS):
        try:
            settings = _Given(**given)
            return [*found, *settings._wrong], settings
        except ValidationError as error:
            found += [line for line in worded(error) if line not in found]
            places = [fault["loc"] for fault in error.errors(include_input=False, include_url=False)]
            _remove(given, places)
    return found, None


def _environment() -> tuple[dict[str, Any], list[str]]:
    """Return the settings of the environment, without those that must be JSON and are not, and a text for each of these."""
    source, found = EnvSettingsSource(Settings), dict[str, str]()
    for _ in range(ROUNDS):
        try:
            return source(), list(found.values())
        except SettingsError as error:
            found |= not_json(str(error))
            hidden = {name.lower() for name in found}
            source.env_vars = {name: value for name, value in source.env_vars.items() if name not in hidden}
    return {}, list(found.values())


def _beside(given: dict[str, Any]) -> list[str]:
    """Return what is wrong beside a file that cannot be read: unknown variables, and definition files."""
    folders = {name: given[name] for name in ("data", "adapters") if name in given}
    return _Given(**folders)._wrong


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Return both, table by table; the values of `above` win."""
    both = dict(below)
    for name, value in above.items():
        under = both.get(name)
        both[name] = _merged(under, value) if isinstance(under, dict) and isinstance(value, dict) else value
    return both


def _remove(given: dict[str, Any], places: Iterable[tuple[int | str, ...]]) -> None:
    """Remove the values at these places; of one within a list, the whole list."""
    for place in places:
        table = given
        for name in place[:-1]:
            inner = table.get(str(name))
            if not isinstance(inner, dict):
                place = (name,)
                break
            table = inner
        table.pop(str(place[-1]), None)
