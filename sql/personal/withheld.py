"""Leaves out of events the values that their client does not want stored, by the marks `x-personal` of the schemas, before anything is sealed.

`keep` leaves everything; `drop` leaves nothing of a marked value, not even its key; `mask` replaces it by its size, as
`sql.personal.masking` shows it (`••• (19 characters)`). `drop` and `mask` both leave out a key of `content` that its schema does not
list, since the name may be personal; a key beside `content` keeps its name when masked. Addresses, which the schemas mark `x-address`,
stay: they say to which customer an event belongs.

The result depends on the value and the mode alone, so that events in any order, repeats and rebuilds give the same bytes. Pure.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, NamedTuple

from schemas.events import Error
from sql.personal.masking import mask_value
from sql.personal.payloads import NAMES, OUT, left, plan_of, walk

Mode = Literal["keep", "mask", "drop"]
#: The modes, from the one that leaves most.
MODES: tuple[Mode, ...] = ("keep", "mask", "drop")
#: The key of a configuration's contents for the channels that it does not name.
DEFAULT = "default"


class Contents(NamedTuple):
    """How much a client wants stored: the mode of each channel in `channels`, and of all others. `ever`: all modes that it ever had; a
    repeated event is compared with the log in each of them."""

    default: Mode = "keep"
    channels: Mapping[str, Mode] = {}
    ever: frozenset[Mode] = frozenset({"keep"})

    def mode(self, channel: str | None) -> Mode:
        """Return the mode of a channel; if the channel is not known (None, or empty), return the strictest mode, since it may be any channel."""
        if not channel:
            return strictest(self.default, *self.channels.values())
        return self.channels.get(channel, self.default)


def contents_of(document: Mapping[str, Any] | None, former: Any = ()) -> Contents:
    """Return the modes that a configuration asks for (its member `content`); `former`: the contents of all its versions."""
    modes = dict(document or {})
    ever = {mode for each in former or () for mode in each.values()}
    return Contents(modes.pop(DEFAULT, "keep"), modes, frozenset({"keep", *ever}))


def strictest(*modes: Mode) -> Mode:
    """Return the mode that leaves least."""
    return max(modes, key=MODES.index, default="keep")


def withhold_payload(type: str, payload: Mapping[str, Any], mode: Mode) -> dict[str, Any]:
    """Return a plain payload with its personal values masked or left out. `type` is as in `sql.personal.payloads.seal_payload`.
    Raises SchemaError for an unknown type."""
    if mode == "keep":
        return dict(payload)
    addresses = _addresses(type)

    def each(place: bytes, value: Any) -> Any:
        if place in addresses:
            return value
        return mask_value(value) if mode == "mask" and not place.startswith(_UNLISTED) else OUT

    kept: dict[str, Any] = left(walk(plan_of(type), payload, each, lambda name: (OUT, name)))
    return kept


def withhold_text(text: str | None, mode: Mode) -> str | None:
    """Return the text of an error, which may quote a message: masked, or None."""
    if text is None or mode == "keep":
        return text
    return str(mask_value(text)) if mode == "mask" else None


def withhold_error(error: Error | None, mode: Mode) -> Error | None:
    """Return an error with its text masked or left out."""
    return error and Error(error.code, withhold_text(error.text, mode), error.reason)


@cache
def _addresses(type: str) -> frozenset[bytes]:
    return frozenset(plan_of(type).addresses())


#: The beginning of the places of those keys of `content` that its schema does not list.
_UNLISTED = NAMES + b":"
