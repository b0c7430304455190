"""Finds an address in what a record says, however it is written: numbers with blanks and brackets, ids without the word of their
platform, short ids where a member names a person. Pure.

It finds rather too much: of a dead letter that only has the same digits nothing is lost but the chance to replay it.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

import idna

from app.erasing.needles import LEAST, found_in, needles_of
from app.erasing.views import plain, views_of
from schemas.numbering import parted, spellings
from sql.handles import Owned

#: Fewest digits of a national number that is looked for without its country.
NATIONAL: Final = 8
#: What stands between digits, and around them.
_BETWEEN = r"[\s().\-/_~·:]{0,4}"
#: What the name of a member has in it, where its value is somebody.
_WHO: Final = frozenset(
    """
    from to user uid sender recipient recipients contact customer phone msisdn address handle member peer subscriber device token visitor
    author owner participant destination originator source chat wa subject profile person mobile email identity
    """.split()
)
_WORDS = re.compile(r"[a-z]+")
#: What stands before a value, read backwards from it and no further than `_BEFORE` characters: searched forwards from each
#: character of the record, a name of a million would take a million times as long as one of one.
_BEFORE: Final = 256
_MEMBER = re.compile(r"""["']?\s{0,48}[\[{]?\s{0,48}[:=>]\s{0,48}["']?([\w.\-\[\]]+)""")
#: The last word of a name that is split by its capitals, which a view no longer has.
_GLUED = re.compile(rf"^(?:{'|'.join(sorted(_WHO, key=len, reverse=True))})_?(?:ids?|numbers?|address(?:es)?|names?)$")


class Named:
    """What is looked for of one address."""

    __slots__ = ("_forms", "_groups")

    def __init__(self, owned: Owned) -> None:
        self._forms = needles_of(owned.value)
        #: Found where all of one of these are.
        self._groups = [*_groups(owned)]

    def stands(self, data: bytes, views: Iterable[str]) -> bool:
        """Return whether the address stands in a record, or in one of its `views_of`."""
        if self._forms and found_in(data, self._forms):
            return True
        return any(all(each.within(view) for each in group) for view in views for group in self._groups)


class _Token:
    """A text that stands by itself; with `somebody` only as the value of a member that names a person."""

    __slots__ = ("_pattern", "_somebody", "_text")

    def __init__(self, text: str) -> None:
        self._text, self._somebody = plain(text), len(text) < LEAST
        value = re.escape(self._text)
        self._pattern = re.compile(rf"""{value}(?=["'\s,}}&\]<;]|$)""" if self._somebody else rf"(?<!\w){value}(?!\w)")

    def within(self, view: str) -> bool:
        """Return whether it stands in a view."""
        if self._text not in view:
            return False
        if not self._somebody:
            return self._pattern.search(view) is not None
        return view.strip() == self._text or any(_of_somebody(view, m.start()) for m in self._pattern.finditer(view))


class _Number:
    """The digits of a number, with what people write between them."""

    __slots__ = ("_pattern",)

    def __init__(self, digits: str, before: str = "") -> None:
        # After the country's digits some write the 0 that is dialled within it: +44 (0)7911 123456.
        start = before and _BETWEEN.join(before) + _BETWEEN + r"(?:\(0\)" + _BETWEEN + ")?"
        self._pattern = re.compile(
            rf"(?<![0-9]){'' if before else '0?'}(?:00|011)?{_BETWEEN}{start}{_BETWEEN.join(digits)}(?![0-9])"
        )

    def within(self, view: str) -> bool:
        """Return whether it stands in a view."""
        return self._pattern.search(view) is not None


class _Text:
    """A text that may stand within another."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = plain(text)

    def within(self, view: str) -> bool:
        """Return whether it stands in a view."""
        return self._text in view


def naming(data: bytes, wanted: Iterable[Named]) -> bool:
    """Return whether one of these addresses stands in a record."""
    wanted = list(wanted)
    views = views_of(data) if wanted else []
    return any(each.stands(data, views) for each in wanted)


def _groups(owned: Owned) -> Iterator[tuple[_Token | _Number | _Text, ...]]:
    value = owned.value
    if owned.kind == "phone":
        for number in spellings(value):
            country, national = parted(number)
            yield (_Number(national, country),)
            if len(national) >= NATIONAL:
                yield (_Number(national),)
        return
    yield (_Token(value) if len(value) < LEAST else _Text(value),)
    if owned.kind == "email":
        local, _, domain = value.partition("@")
        if "xn--" in domain:
            try:
                yield (_Text(f"{local}@{idna.decode(domain)}"),)
            except idna.IDNAError:
                pass
        return
    # A provider names its platform nowhere, and the parts of an id in members of their own.
    platform, _, rest = value.partition(":")
    if rest and re.fullmatch(r"[a-z_]{1,32}", platform):
        yield (_Token(rest),)
        parts = [part for part in rest.split("/") if part]
        if len(parts) > 1:
            yield tuple(map(_Token, parts))


def _of_somebody(view: str, start: int) -> bool:
    """Return whether the value that begins here is that of a member that names a person."""
    member = _MEMBER.match(view[max(0, start - _BEFORE) : start][::-1])
    return member is not None and _names_somebody(member[1][::-1])


def _names_somebody(name: str) -> bool:
    last = re.split(r"[.\[\]\-]", name.strip("[]"))[-1] or name
    words = _WORDS.findall(last.replace("_", " "))
    return last == "id" or not _WHO.isdisjoint(words) or _GLUED.match(last) is not None
