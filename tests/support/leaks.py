"""Looks for texts that should be nowhere in clear, in every coding in which they might be left."""

import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping

from app.erasing.needles import needles_of

#: Shorter texts occur by chance, as a part of base64.
LONG = 10
_PHONE = re.compile(r"\+?\d{8,15}")


def spellings(text: str) -> Iterator[str]:
    """A text, and of a number also its digits, in groups and reversed."""
    yield text
    if _PHONE.fullmatch(text):
        digits = text.removeprefix("+")
        country, area, first, last = digits[:-10], digits[-10:-7], digits[-7:-4], digits[-4:]
        yield digits
        yield digits[::-1]
        for mark in " -.":
            yield mark.join(filter(None, (country, area, first, last)))
            yield mark.join(filter(None, (area, first, last)))
        yield f"({area}) {first}-{last}"


def forms_of(texts: Iterable[str]) -> dict[bytes, str]:
    """The forms of the longer texts, each with the text: plain, JSON, percent-encoded, hexadecimal, base64 at each alignment."""
    return {
        form: text
        for text in texts
        if len(text) >= LONG
        for spelling in spellings(text)
        for form in needles_of(spelling)
        if len(form) >= LONG and not {10, 0} & {*form}
    }


def found(forms: Mapping[bytes, str], data: bytes) -> list[str]:
    """Those of the texts of which a form stands in the data."""
    with tempfile.NamedTemporaryFile() as patterns:
        patterns.write(b"\n".join(forms))
        patterns.flush()
        # Tens of thousands of forms in one pass.
        run = subprocess.run(
            ["grep", "--text", "--only-matching", "--fixed-strings", f"--file={patterns.name}"],
            input=data, capture_output=True, env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"}, check=False,
        )  # fmt: skip
    assert run.returncode in (0, 1), run.stderr
    return sorted({forms[one] for one in run.stdout.split(b"\n") if one})
