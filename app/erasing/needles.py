"""The forms in which an address may stand in bytes. Pure."""

import base64
import json
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote

import orjson

from schemas.numbering import spellings

#: Fewest bytes of a form that is looked for: a shorter one is found by chance.
LEAST: Final = 5


def needles_of(value: str) -> dict[bytes, str]:
    """Return the forms of an address, each with its name. What is found in lower case is looked for so (see `found`)."""
    forms: dict[bytes, str] = {}
    for text, spelling in _spellings(value):
        data = text.encode()
        for form, name in _forms(data):
            if len(form) >= LEAST:
                forms.setdefault(form, f"{name}{spelling}")
    return forms


def _spellings(value: str) -> Iterator[tuple[str, str]]:
    yield value, ""
    if value.startswith("+"):  # a phone number, in each spelling that providers have for it, also without its plus
        for one in sorted(spellings(value)):
            yield one, "" if one == value else ", other spelling"
            yield one[1:], ", without +"
    elif value != value.lower():
        yield value.lower(), ", lower case"


def _forms(data: bytes) -> Iterator[tuple[bytes, str]]:
    yield data, "plain"
    yield orjson.dumps(data.decode())[1:-1], "JSON"
    yield json.dumps(data.decode())[1:-1].encode(), "JSON"  # ASCII alone
    yield quote(data, safe="").encode(), "percent-encoded"
    yield data.hex().encode(), "hexadecimal"
    yield data.hex().upper().encode(), "hexadecimal"
    # At each of the five places within a group of eight characters, as below.
    for before in range(5):
        coded = base64.b32encode(b"\0" * before + data)
        ended = (before + len(data)) * 8
        yield coded[-(-before * 8 // 5) : ended // 5], "base32"
    # At each of the three places within a group of four characters, without those that depend on its neighbours.
    for before in range(3):
        coded = base64.b64encode(b"\0" * before + data)
        first = (0, 2, 3)[before]
        last = len(coded) - (0, 3, 2)[(before + len(data)) % 3]
        inner = coded[first:last]
        yield inner, "base64"
        yield inner.translate(bytes.maketrans(b"+/", b"-_")), "base64"


def found_in(data: bytes, forms: dict[bytes, str]) -> set[str]:
    """Return the names of the forms that stand in the data, in any case of their letters."""
    lower = data.lower()
    return {name for form, name in forms.items() if form in data or form.lower() in lower}
