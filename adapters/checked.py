"""Checks the settings of a source when the configuration is loaded, so that a mistake shows before the first webhook."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches

from adapters.contract import Adapter, InvalidSignature, Setting, Unsendable


def names_of(adapter: Adapter) -> dict[str, Setting]:
    """Return the adapter's settings by each of their names and aliases."""
    return {name: setting for setting in adapter.settings for name in (setting.name, *setting.aliases)}


def public_names(adapter: Adapter) -> frozenset[str]:
    """Return the names and aliases of the adapter's settings that are no secrets. A key that is unknown may be one."""
    return frozenset(name for name, setting in names_of(adapter).items() if not setting.secret)


def nearest(name: str, known: Sequence[str]) -> str:
    """Return `; did you mean …?` with the most similar known name, or an empty text."""
    found = get_close_matches(name, known, 1, 0.6)
    return f"; did you mean {found[0]}?" if found else ""


def faults(adapter: Adapter, values: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
    """Yield the name of each unusable setting and the reason, which contains nothing of its value: an unknown setting, an
    empty secret (anyone could sign with it), or a key or number that cannot be parsed."""
    known = names_of(adapter)
    for name, each in values.items():
        if (setting := known.get(name)) is None:
            words = f"is no setting of {adapter.name}{nearest(name, sorted(known)) or '.'}"
            yield name, f"{words} There are: {', '.join(sorted(known))}" if known else words
        elif fault := next((fault for value in each if (fault := _fault(setting, value))), None):
            yield name, fault


def _fault(setting: Setting, value: str) -> str | None:
    """Return why one value cannot be used, or None."""
    if not value.strip():
        return "is empty: with it anyone could sign. Leave it out, or set it" if _must_hold(setting) else None
    if setting.reads is None:
        return None
    try:
        setting.reads(value.strip())
    except (InvalidSignature, Unsendable, ValueError) as error:
        return f"cannot be used: {error}"
    return None


def _must_hold(setting: Setting) -> bool:
    """Return whether an empty value is a fault: a plain setting that is empty counts as unset."""
    return setting.secret or setting.reads is not None
