"""Decodes bytes in the charset that a mail or form names: labels as browsers and mail programs read them.

Labels are those of https://encoding.spec.whatwg.org/#names-and-labels (`gb2312` names GB 18030, `us-ascii` and
`iso-8859-1` name windows-1252), and others that Python knows (`cp850`). A label may be missing, unknown or wrong, so bytes
that are valid UTF-8 are read as UTF-8 whatever the label is.
"""

import codecs
import re
from base64 import b64encode
from typing import Any

import webencodings

from adapters.reading.japanese import decode_euc_jp, decode_iso_2022_jp

#: Codecs of Python that are no charsets: they read escapes, or make code points that no text has.
_NO_CHARSETS = frozenset(
    {"idna", "punycode", "raw-unicode-escape", "unicode-escape", "utf-7", "undefined", "mbcs", "oem"}
)
#: https://encoding.spec.whatwg.org/index-windows-1252.txt: the five bytes that cp1252 leaves undefined are C1 controls.
_WINDOWS_1252 = "".join([bytes([n]).decode("cp1252", "ignore") or chr(n) for n in range(256)])
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
#: Encodings in which a short text may be valid UTF-8, each with the common part of it: its letters look like letters of
#: two bytes in UTF-8. A text of that script in UTF-8 has letters of three bytes, and no accented ones within a word.
_EAST_ASIAN = {
    "gb18030": "gb2312",
    "cp949": "euc_kr",
    "big5hkscs": "big5",
    "cp932": "shift_jis",
    "euc_jp": "euc_jp",
    "cp874": "cp874",
}
_UTF_8 = re.compile("[\u0800-\U0010ffff]|[A-Za-z][\u00c0-\u024f]|[\u00c0-\u024f][a-z]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_WHOLE_WORDS = re.compile(r"[^a-z0-9]+")
#: Bytes of an undecodable text that are kept beside its event, as base64; of a longer one the first of them.
_MOST_KEPT = 64 << 10


def decode(data: bytes, charset: Any = None) -> str:
    """Return the decoded text. Bytes that are invalid in the charset become U+FFFD, and so does a NUL, which an encoding
    may hide from a check of the request."""
    return decoded(data, charset)[0]


def utf_8_or(data: bytes, charset: Any = None) -> str:
    """Return the decoded text: as UTF-8 where the bytes are valid in it, whatever the label says, else as `decode` does."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return decode(data, charset)


def decoded(data: bytes, charset: Any = None) -> tuple[str, bool]:
    """Return the decoded text, and whether all bytes were valid in the charset that they were decoded in."""
    text, whole = _decoded(data, charset)
    text = text.replace("\x00", "\ufffd")
    try:
        text.encode("utf-8")  # a tenth of the time of a search for surrogates
    except UnicodeEncodeError:
        text = _SURROGATE.sub("\ufffd", text)
    return text, whole


def undecoded(part: str, data: bytes, charset: Any) -> dict[str, Any]:
    """Return what keeps an undecodable part of a mail with its event: its name, charset, length in bytes, and bytes."""
    kept = b64encode(data[:_MOST_KEPT]).decode("ascii")
    return {"part": part, "charset": str(charset or "")[:255], "bytes": len(data), "base64": kept}


def _decoded(data: bytes, charset: Any) -> tuple[str, bool]:
    if data.isascii() and b"\x1b" not in data and b"~" not in data and not _is_utf_16(charset):
        return data.decode("ascii"), True
    for bom, name in _BOMS:
        if data.startswith(bom):
            return _strictly(data[len(bom) :], name)
    name = _codec(charset)
    if not data.isascii() and not _is_utf_16(charset):
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            pass
        else:
            common = _EAST_ASIAN.get(name)
            if common is None or _UTF_8.search(text) or not _strictly(data, common)[1]:
                return text, True
    return _strictly(data, name)


def _strictly(data: bytes, name: str) -> tuple[str, bool]:
    """Return the text, and whether the bytes were valid; else with U+FFFD for those that were not."""
    if name == "windows-1252":
        return codecs.charmap_decode(data, "strict", _WINDOWS_1252)[0], True
    try:
        return data.decode(name), True
    except (UnicodeDecodeError, ValueError):
        pass
    if name in ("euc_jp", "iso2022_jp"):
        try:
            return (decode_euc_jp if name == "euc_jp" else decode_iso_2022_jp)(data), True
        except UnicodeDecodeError:
            pass
    return data.decode(name, "replace"), False


def _is_utf_16(charset: Any) -> bool:
    return isinstance(charset, str) and charset.strip().lower().replace("_", "-").startswith(("utf-16", "utf-32"))


def _codec(charset: Any) -> str:
    """Return the name of Python's codec for a label; windows-1252, as browsers do, for a missing or unknown one."""
    if not isinstance(charset, str) or not charset or len(charset) > 40 or not charset.isascii():
        return "windows-1252"
    found = webencodings.lookup(charset)
    if found is not None and found.name in ("gbk", "gb18030"):
        return "gb18030"
    if found is not None and found.name == "windows-1252":
        return "windows-1252"
    if found is not None and found.name not in ("replacement", "x-user-defined"):
        name: str = found.codec_info.name
        return name
    for label in (charset.strip(), _WHOLE_WORDS.sub("", charset.lower())):  # `cp-850` is `cp850`
        try:
            info = codecs.lookup(label)
        except (LookupError, ValueError):
            continue
        if info.name.replace("_", "-") not in _NO_CHARSETS and info._is_text_encoding:
            return info.name
    return "windows-1252"
