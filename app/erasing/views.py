"""Undoes how a record was encoded, so that an address in it can be found as people read it. Pure, and bounded."""

import html
import re
import unicodedata
from base64 import b64decode
from collections.abc import Callable, Iterator
from quopri import decodestring
from typing import Final

from schemas.written import base32, worded

#: How many encodings within each other are undone, and characters of all views together, in times of the record's own.
DEPTH, TIMES, BESIDE = 4, 6, 1 << 20
#: Most letters that one character stands for; and most that are composed at once, as the time grows with the square of their accents.
LETTERS, AT_ONCE = 4, 256
_FOREIGN = re.compile(rf"[\x00-\x7f]?[^\x00-\x7f]{{1,{AT_ONCE}}}")
#: `urllib` takes ten times as long where a text is not ASCII.
_PERCENT = re.compile(r"(?:%[0-9a-fA-F]{2})+")
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})|\\x([0-9a-fA-F]{2})|\\([\"'\\/nrt])")
_CONTROLS: Final = {"n": "\n", "r": "\r", "t": "\t"}
_QUOTED = re.compile(r"=(?:[0-9A-Fa-f]{2}|\r?\n)")
_CODED = re.compile(r"[A-Za-z0-9+/_\-]{8,}(?:\s{1,4}[A-Za-z0-9+/_\-]{4,})*")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2}){5,}")
_STANDARD = str.maketrans("-_", "+/")


def views_of(data: bytes) -> list[str]:
    """Return a record as text, and what it encodes: percent-encoding, escapes of JSON, entities of HTML, quoted-printable, base64,
    base32 and hexadecimal digits, and `(at)` for @, one in another too. Each in lower case, in one form of letters and digits."""
    views: list[str] = []
    room = TIMES * len(data) + BESIDE
    layer = [*_texts(data)]
    for _ in range(DEPTH):
        found = dict.fromkeys(text for text in layer if text)
        fresh = [text for text in found if text not in views]
        for text in fresh:
            if len(text) > room:
                break
            room -= len(text)
            views.append(text)
        layer = [inner for text in fresh for undo in _UNDO for inner in undo(text)]
    return [*dict.fromkeys(map(plain, views))]


def plain(text: str) -> str:
    """Return a text in lower case and compatible letters (NFKC), its digits in ASCII, without characters that are not seen. A character
    that stands for more than `LETTERS` becomes a blank: it is in no address, and a text of them would need twenty times its room."""
    if not text.isascii():
        text = _FOREIGN.sub(_composed, text.translate(_PLAIN))
    return text.casefold()


class _Plain(dict[int, str]):
    """By each character's code what it becomes by itself."""

    def __missing__(self, code: int) -> str:
        char = unicodedata.normalize("NFKC", chr(code))
        seen = "".join(map(_digit, char)) if unicodedata.category(chr(code)) != "Cf" else ""
        self[code] = seen if len(char) <= LETTERS else " "
        return self[code]


def _digit(char: str) -> str:
    return str(unicodedata.decimal(char)) if char.isdecimal() else char


def _composed(match: re.Match[str]) -> str:
    return unicodedata.normalize("NFC", match[0])


_PLAIN = _Plain()


def _texts(data: bytes) -> Iterator[str]:
    yield data.decode("utf-8", "replace")
    if data.count(0) > len(data) // 8:
        for name in ("utf-16-le", "utf-16-be"):
            yield data.decode(name, "replace")


def _percent(text: str) -> Iterator[str]:
    if "%" in text or "+" in text:
        yield _PERCENT.sub(_octets, text.replace("+", " "))


def _octets(match: re.Match[str]) -> str:
    return bytes.fromhex(match[0].replace("%", "")).decode("utf-8", "replace")


def _escapes(text: str) -> Iterator[str]:
    if "\\" in text:
        yield _ESCAPED.sub(_unescaped, text).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _unescaped(match: re.Match[str]) -> str:
    if code := match[1] or match[2]:
        return chr(int(code, 16))
    return _CONTROLS.get(match[3], match[3])


def _entities(text: str) -> Iterator[str]:
    if "&" in text and ";" in text:
        yield html.unescape(text)


def _quoted(text: str) -> Iterator[str]:
    if _QUOTED.search(text):
        yield decodestring(text.encode("utf-8", "replace")).decode("utf-8", "replace")


def _base64(text: str) -> Iterator[str]:
    found: list[list[str]] = [[], [], [], []]
    for match in _CODED.finditer(text):
        run = re.sub(r"\s", "", match[0]).translate(_STANDARD)
        # It may begin within the run.
        for first, into in enumerate(found):
            part = run[first:]
            into.extend(_texts(b64decode(part + "A" * (-len(part) % 4))))
    # What is no text of its own is not looked at again.
    yield from ("\n".join(filter(None, map(_readable, into))) for into in found)


def _base32(text: str) -> Iterator[str]:
    found: list[list[str]] = [[] for _ in range(8)]
    for each in base32(text):
        for data, into in zip(each, found, strict=True):
            into.extend(_texts(data))
    yield from ("\n".join(filter(None, map(_readable, into))) for into in found)


def _worded(text: str) -> Iterator[str]:
    yield worded(text)


def _hex(text: str) -> Iterator[str]:
    yield "\n".join(_readable(bytes.fromhex(match[0]).decode("utf-8", "replace")) for match in _HEX.finditer(text))


def _readable(text: str) -> str:
    """Return the parts of a decoded text that can be an address or what one stands in."""
    return "\n".join(part for part in re.split("[\x00-\x08\x0e-\x1f\x7f\ufffd]+", text) if len(part) > 5)


_UNDO: tuple[Callable[[str], Iterator[str]], ...] = (
    _percent,
    _escapes,
    _entities,
    _quoted,
    _base64,
    _base32,
    _hex,
    _worded,
)
