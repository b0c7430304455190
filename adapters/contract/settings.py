"""The settings of a source: how an adapter declares them, and how it reads their values."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

#: The values of a source's settings by name; a setting has several while a secret is being rotated.
Values = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a source: its name in configuration, its help text, whether it is a secret, and its other names.

    `reads` parses one value where parsing can fail (a key, a number). It is called when the configuration is loaded, so
    that an unusable value is refused then. It raises InvalidSignature, Unsendable or ValueError with a message that
    contains nothing of the value.
    """

    name: str
    help: str
    secret: bool = True
    aliases: tuple[str, ...] = ()
    reads: Callable[[str], object] | None = None


def secrets_of(values: Values, *names: str) -> list[str]:
    """Return the values configured under any of the names, without surrounding space. Empty values are left out: anyone
    could sign with an empty secret."""
    return [value.strip() for name in names for value in values.get(name, ()) if value.strip()]
