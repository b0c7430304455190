"""Faults of a provider and the network: webhooks lost, duplicated, late, with a wrong clock, or in a changed format."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Any
from urllib.parse import parse_qsl, urlencode

import orjson

from adapters.simulating import Post

#: Keys under which providers put the event's name. A new name under such a key is the most frequent change of format.
_WORDS = (
    "status",
    "event",
    "type",
    "messagestatus",
    "smsstatus",
    "event_type",
    "eventtype",
    "state",
    "recordtype",
    "code",
)


@dataclass(frozen=True, slots=True)
class Faults:
    """Shares (0 to 1) of webhooks that are duplicated, lost, and changed in format; `shuffle` and `skew` in seconds."""

    duplicates: float = 0.0
    shuffle: float = 0.0
    lose: float = 0.0
    skew: float = 0.0
    drift: float = 0.0

    def delays(self, draw: Random) -> list[float]:
        """Return the delay in seconds of each posting of one webhook: empty if it is lost, two if it is duplicated."""
        if draw.random() < self.lose:
            return []
        times = 2 if draw.random() < self.duplicates else 1
        return [draw.uniform(0, self.shuffle) for _ in range(times)]

    def drifts(self, draw: Random) -> bool:
        """Draw whether the format of this webhook changes."""
        return draw.random() < self.drift


def drifted(post: Post, draw: Random) -> Post:
    """Return the webhook as the provider might post it after an undocumented change: a new event name, a renamed key, an
    object in place of a string, a new key. Takes an unsigned webhook, as the signature must cover the change. Changes
    JSON and forms; any other body stays."""
    if post.headers.get("content-type", "").startswith("application/x-www-form"):
        pairs = parse_qsl(post.body.decode(), keep_blank_values=True)
        return replace(post, body=urlencode(list(_of_form(pairs, draw))).encode())
    try:
        document = orjson.loads(post.body)
    except orjson.JSONDecodeError:
        return post
    places = list(_places(document))
    if not places:
        return post
    words = [place for place in places if place[1].lower() in _WORDS and isinstance(place[0][place[1]], str)]
    part, key = draw.choice(words if words and draw.random() < 0.5 else places)
    change = draw.randrange(4)
    if isinstance(part[key], str) and part[key] and change == 0:
        part[key] += "_v2"
    elif change == 1:
        part[f"{key}_v2"] = part.pop(key)
    elif change == 2:
        part[key] = {"value": part[key]}
    else:
        part["x_new_in_v2"] = True
    return replace(post, body=orjson.dumps(document))


def _of_form(pairs: list[tuple[str, str]], draw: Random) -> Iterator[tuple[str, str]]:
    words = [name for name, value in pairs if name.lower() in _WORDS and value]
    chosen = draw.choice(words) if words and draw.random() < 0.7 else None
    for name, value in pairs:
        yield name, f"{value}_v2" if name == chosen else value
    if chosen is None:
        yield "NewInV2", "1"


def _places(value: Any) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield each key of each nested object with its object."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield value, key
            yield from _places(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _places(inner)
