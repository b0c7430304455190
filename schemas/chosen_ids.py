"""Finds an address in an id that a service chose. Such an id stands in clear in tables, topics and logs, goes to providers and to
callbacks, and outlives an erasure: so one with an address in it is refused where it comes in.

What a service's ids are made of cannot be known in general: bare digits may be a number of an order. So an address is found where it
shows that it is one (`ana@example.com`, `+1 555 123 4567`), and the recipient's own in every usual spelling.
"""

import re
import unicodedata
from base64 import b64decode
from collections.abc import Iterable, Iterator
from urllib.parse import unquote

from schemas.events import Handle
from schemas.handles import phone_of
from schemas.numbering import CODES, parted, spellings
from schemas.written import base32, bracketed, worded

#: Fewest digits of a national number, and fewest characters of another address, that are looked for: fewer occur by chance. One of
#: fewer than `SURE` characters counts where it stands by itself.
NATIONAL, LEAST, SURE = 8, 6, 10
_EMAIL = re.compile(r"""[^\s@<>"',;:/()\[\]]+@[\w\-]+(?:\.[\w\-]+)*\.[^\W\d_][\w\-]+""", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![A-Za-z0-9])\+[1-9](?:[().\-/_~]{0,2}[0-9]){6,14}(?![A-Za-z0-9])")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_MARKS = re.compile(r"[\s().\-/_:~+,|*'=]+")
_BASE64, _HEX = re.compile(r"[A-Za-z0-9+/_\-]{12,}"), re.compile(r"(?:[0-9a-fA-F]{2}){6,}")
#: How often percent-encoding is undone.
_TWICE = 2


def address_in(text: str, known: Iterable[Handle] = ()) -> str | None:
    """Return what an id has in it, as words for people: an e-mail address, a phone number, or one of the `known` addresses; None if
    none was found."""
    plain = bracketed(_unquoted(text))
    if "@" in plain and _EMAIL.search(plain):
        return "an e-mail address"
    if "+" in plain and any(phone_of(match[0].translate(_PLAIN)) for match in _NUMBER.finditer(plain)):
        return "a phone number"
    return next(("the recipient's address" for handle in known if _has(plain, handle)), None)


#: What people put between digits in ids, and `phone_of` does not know.
_PLAIN = {ord(mark): "-" for mark in "_~"}


def refusal_of(found: str) -> str:
    """Return why an id with such an address in it is refused, for people."""
    return (
        f"must not have {found} in it: this id is kept and passed on in clear. Take an id that says nothing of a person, or an "
        "idempotency key, which is kept as a digest"
    )


def _unquoted(text: str) -> str:
    for _ in range(_TWICE):
        if "%" not in text:
            break
        text = unquote(text)
    return text if text.isascii() else "".join(map(_read, unicodedata.normalize("NFKC", text)))


def _read(char: str) -> str:
    """Return a character as people read it: a digit of any script, and nothing for what is not seen."""
    if char.isdecimal():
        return str(unicodedata.decimal(char))
    return "" if unicodedata.category(char) == "Cf" else char


def _has(text: str, handle: Handle) -> bool:
    """Return whether an address stands in a text, or in what it encodes as base64, base32 or hexadecimal digits."""
    values = [*_values(handle)]
    if not values:
        return False
    forms = {text.casefold(), worded(text).casefold(), _MARKS.sub("", text).casefold()}
    if any(_stands(value, form) for value in values for form in forms):
        return True
    if _UUID.fullmatch(text):  # the usual case, in which no address fits that is looked for
        return False
    coded = [value.encode() for value in values]
    return any(value in data.lower() for data in _decoded(text) for value in coded)


def _values(handle: Handle) -> Iterator[str]:
    """Yield what is looked for of an address: the digits of a number, also without its country; else the value, also without the
    platform's word."""
    if handle.kind == "phone":
        number = handle.value
        for one in spellings(number) if number.startswith(CODES) else (number,):
            yield one[1:]
        country, national = parted(number)
        if country and len(national) >= NATIONAL:
            yield national
    elif handle.kind != "short_code" and len(handle.value) >= LEAST:
        yield handle.value.casefold()
        rest = handle.value.partition(":")[2].casefold()
        if len(rest) >= LEAST:
            yield rest


def _stands(value: str, text: str) -> bool:
    if value not in text:
        return False
    return len(value) >= SURE or re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text) is not None


def _decoded(text: str) -> Iterator[bytes]:
    for match in _HEX.finditer(text):
        yield bytes.fromhex(match[0])
    for match in _BASE64.finditer(text):
        run = match[0].translate(_STANDARD)
        # A part of the id may be encoded, so that it begins at any character.
        for first in range(4):
            part = run[first:]
            yield b64decode(part + "A" * (-len(part) % 4))
    for each in base32(text):
        yield from each


_STANDARD = str.maketrans("-_", "+/")
