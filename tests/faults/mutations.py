"""Makes a provider's request hostile: one place of its tree becomes odd, long, deep, wide, or hides characters that
cannot be stored."""

import json
import re
from random import Random
from typing import Any

from tests.faults.trees import Place, Raw, Text, as_json, lists, places, words

#: Odd values: of other types, and invalid times, ids, addresses and numbers.
ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 2**63, 10**40, 1e308, "", " ", "0", "null", "-1", "99999999999999999999", "1e999",
    "0000-00-00T00:00:00Z", "9999-12-31T23:59:59.999999-23:59", "+1", "+" + "9" * 40, "@", "a@", "<>", "\u202e", "\ufeff",
    [], {}, [[]], [None], {"": ""}, {"id": {"id": "id"}}, ["x"] * 3, "zz_unknown", "__proto__", "%00", "${jndi:x}", "\x7f",
)  # fmt: skip
#: NUL and lone surrogates, literally and in encoded forms.
HIDDEN: tuple[str, ...] = (
    "a\x00b", "\ud800", "\udfff\ud800", r"\u0000", r"\ud800", "%00", "%2500", "%5Cu0000", "%ED%A0%80", "&#0;", "&#x0;",
    "&#xD800;", "=?utf-8?q?a=00b?=", "=?utf-8?b?YQBi?=", "=?utf-16?b?AAA=?=", "=?utf-7?q?+2AA-?=", "YQBi", "a=00b", "<a>\x00</a>",
    '{"a":"\\u0000"}', '{"a":"\\ud800"}', '["\\\\u0000"]', "\x1f", "\x0b",
)  # fmt: skip
#: Units of long texts: each has made some parser of texts slow.
REPEATED: tuple[str, ...] = (
    "x", "0", " ", "\x01", "\n", "\r\n", '"', "\\", "<", ">", "(", "()", ")", "a@", "@a", "a.", "-", "+1", "&amp;", "&#", "%", "%41",
    "=?", "=?utf-8?q?a?= ", "=\r\n", ",", ";", "a=b;", "{", "[", "<br>", "<a ", "é", "\U0001f600", "1.", ":", "/", "stop ",
)  # fmt: skip
_DIGITS = re.compile(r"(?<=\d)\d{6}(?![\d\"])")
_WORD = re.compile(r'"([^"\\\s]{7,})"(?!\s*:)')
_TIME = re.compile(r"\d{4}-\d\d")


def widen(place: Place, size: int, *, numbered: bool = True) -> None:
    """Repeat a list's items until it has `size` bytes; if `numbered`, each with its own ids."""
    items = [as_json(item) for item in place.value]
    if not items or size <= 0:
        return
    times = max(1, size // sum(len(item) + 1 for item in items))
    if any(isinstance(part.value, Text) for part in places([place.value])):
        place.put([json.loads(item) for item in items * times])
        return
    if not numbered:
        place.put(Raw(f"[{','.join(items * times)}]"))
        return
    made = [numbered_as(item, number) for number in range(times) for item in items]
    place.put(Raw(f"[{','.join(made)}]"))


def numbered_as(item: str, number: int) -> str:
    """Return the JSON of an item with other ids, numbers and addresses for each `number`."""
    digits = f"{number:06d}"[-6:]

    def word(found: re.Match[str]) -> str:
        text = found[1]
        if "@" in text:
            return f'"n{digits}{text}"'
        if _TIME.match(text) or not any(char.isdigit() for char in text):
            return found[0]
        return f'"{text[:-6]}{digits}"'

    return _WORD.sub(word, _DIGITS.sub(digits, item))


def deepen(place: Place, levels: int, *, objects: bool = False) -> None:
    """Nest the value in `levels` lists or objects."""
    before, after = ('{"a":', "}") if objects else ("[", "]")
    place.put(Raw(before * levels + as_json(place.value) + after * levels))


def lengthen(place: Place, unit: str, size: int) -> None:
    """Put a text of `size` characters there that repeats `unit`."""
    place.put((unit * (size // len(unit) + 1))[:size])


def mutated(root: list[Any], rng: Random, size: int) -> str:
    """Make a tree hostile in one of the ways, with `size` bytes where the way has a size; return its name."""
    way = rng.choice(WAYS)
    _WAYS[way](root, rng, size)
    return way


def _odd(root: list[Any], rng: Random, size: int) -> None:
    for place in rng.choices(list(places(root)), k=rng.randint(1, 3)):
        place.put(rng.choice(ODD))


def _hidden(root: list[Any], rng: Random, size: int) -> None:
    for place in rng.choices(words(root) or list(places(root)), k=rng.randint(1, 3)):
        place.put(rng.choice(HIDDEN))
    objects = [place.value for place in places(root) if isinstance(place.value, dict)]
    if objects and rng.random() < 0.3:
        rng.choice(objects)[rng.choice(HIDDEN)] = rng.choice(HIDDEN)


def _long(root: list[Any], rng: Random, size: int) -> None:
    lengthen(rng.choice(words(root) or list(places(root))), rng.choice(REPEATED), size)


def _deep(root: list[Any], rng: Random, size: int) -> None:
    levels = min(size // 6, rng.choice((50, 127, 129, 200, 253, 255, 900, 1100, 100_000)))
    deepen(rng.choice(list(places(root))), levels, objects=rng.random() < 0.5)


def _wide(root: list[Any], rng: Random, size: int) -> None:
    if found := lists(root):
        widen(rng.choice(found), size, numbered=rng.random() < 0.8)


def _laughing(root: list[Any], rng: Random, size: int) -> None:
    """Widen two lists of one body: a result for each pair of their items would have a million entries."""
    for place in rng.sample(found := lists(root), min(2, len(found))):
        widen(place, size // 2)


def _copied(root: list[Any], rng: Random, size: int) -> None:
    """Put a long text beside a wide list, or an unknown word within it: copying either to each item would need many
    times the size of the webhook."""
    found, texts = lists(root), words(root)
    if not found or not texts:
        return
    place, word = rng.choice(found), rng.choice(texts)
    if rng.random() < 0.5:
        word.put("zz_unknown")
    elif all(each.inside is not word.inside for each in places([place.value])):
        lengthen(word, "ab1 ", size // 2)
    widen(place, size // 2)


def _many_keys(root: list[Any], rng: Random, size: int) -> None:
    objects = [place for place in places(root) if isinstance(place.value, dict)]
    if objects:
        place = rng.choice(objects)
        more = ",".join([f'"k{number}":{number % 7}' for number in range(size // 12)])
        place.put(Raw(f"{as_json(place.value)[:-1]}{',' if place.value and more else ''}{more}}}"))


def _less(root: list[Any], rng: Random, size: int) -> None:
    """Remove a key, or empty a value."""
    place = rng.choice(list(places(root)))
    if isinstance(place.inside, dict):
        del place.inside[place.key]
    else:
        place.put([])


_WAYS = {
    "odd": _odd, "hidden": _hidden, "long": _long, "deep": _deep, "wide": _wide, "laughing": _laughing, "copied": _copied,
    "many keys": _many_keys, "less": _less,
}  # fmt: skip
WAYS = tuple(_WAYS)
