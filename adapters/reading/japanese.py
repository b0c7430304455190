"""Decodes EUC-JP and ISO-2022-JP with the characters that Windows added (①, 髙), which Python's codecs refuse.

Browsers and mail programs read them: https://encoding.spec.whatwg.org/#index-jis0208. Shift_JIS has the same rows of 94
cells in another arrangement, and Python's `cp932` has the additions.
"""

import re

_EUC = re.compile(rb"\x8e[\xa1-\xdf]|[\xa1-\xfe]{2}|[\x80-\xff]")
#: Bytes that Shift_JIS has no character for.
_INVALID = b"\x81\xff"
_SEGMENT = re.compile(rb"\x1b(\$[@B]|\([BJI])([^\x1b]*)")
_HIGH = bytes(n | 0x80 if 0x21 <= n <= 0x7E else n for n in range(256))
_KANA = re.compile(rb"[\xa1-\xdf]")


def decode_euc_jp(data: bytes) -> str:
    """Decode EUC-JP. Raise UnicodeDecodeError for an invalid character."""
    return _EUC.sub(_shifted, data).decode("cp932")


def decode_iso_2022_jp(data: bytes) -> str:
    """Decode ISO-2022-JP (RFC 1468) with half-width katakana (`ESC ( I`). Raise UnicodeDecodeError for an invalid
    character."""
    head, escape, rest = data.partition(b"\x1b")
    return decode_euc_jp(head + _SEGMENT.sub(_high, escape + rest))


def _shifted(found: re.Match[bytes]) -> bytes:
    """Return a character of EUC-JP in Shift_JIS."""
    if len(found[0]) == 1:
        return _INVALID
    first, second = found[0]
    if first == 0x8E:
        return bytes((second,))
    row, cell = first - 0xA0, second - 0xA0
    lead = (row - 1) // 2 + (0x81 if row <= 62 else 0xC1)
    return bytes((lead, cell + 0x9E if row % 2 == 0 else cell + (0x3F if cell < 64 else 0x40)))


def _high(segment: re.Match[bytes]) -> bytes:
    """Return what follows an escape in EUC-JP: bytes of kanji with their high bit set."""
    if segment[1].startswith(b"$"):
        return segment[2].translate(_HIGH)
    return _KANA.sub(rb"\x8e\g<0>", segment[2].translate(_HIGH)) if segment[1] == b"(I" else segment[2]
