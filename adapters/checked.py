"""Whether the settings of a source can be meant: looked at where they are read, so that no webhook finds it out."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches

from adapters.contract import Adapter, InvalidSignature, Setting, Unsendable


def names_of(adapter: Adapter) -> dict[str, Setting]:
    """Each name that a setting of the adapter may be given under."""
    return {name: setting for setting in adapter.settings for name in (setting.name, *setting.aliases)}


def nearest(name: str, known: Sequence[str]) -> str:
    """A question with the known name that this one looks like, or nothing."""
    found = get_close_matches(name, known, 1, 0.6)
    return f"; did you mean {found[0]}?" if found else ""


def faults(adapter: Adapter, values: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
    """The name of each setting that cannot be used, and why, in words that hold nothing of its value: one that the adapter
    does not know, a secret without anything in it (anyone could sign with it), a key or a number that cannot be read."""
    known = names_of(adapter)
    for name, each in values.items():
        if (setting := known.get(name)) is None:
            words = f"is no setting of {adapter.name}{nearest(name, sorted(known)) or '.'}"
            yield name, f"{words} There are: {', '.join(sorted(known))}" if known else words
        elif fault := next((fault for value in each if (fault := _fault(setting, value))), None):
            yield name, fault


def _fault(setting: Setting, value: str) -> str | None:
    """Why this one value cannot be used; None where it can."""
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
    """Of what is neither a secret nor read, nothing is as good as unset."""
    return setting.secret or setting.reads is not None
