"""Decodes the text of a message by its data coding (SMPP 3.4 section 5.2.19), from the bytes that the operator delivered.

Jasmin passes the bytes on as they came (https://github.com/jookies/jasmin/blob/master/jasmin/routing/throwers.py): in hex
as `binary`, and as they are as `content`, which a form's decoding as UTF-8 garbles.
"""

from collections.abc import Mapping

from adapters.reading.charsets import decode

#: 3GPP TS 23.038 section 6.2.1: the default alphabet, by the value of a character, and its extension after an escape.
GSM = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = {
    0x0A: "\f",
    0x14: "^",
    0x28: "{",
    0x29: "}",
    0x2F: "\\",
    0x3C: "[",
    0x3D: "~",
    0x3E: "]",
    0x40: "|",
    0x65: "€",
}
_ESCAPE = 0x1B
#: Data codings of text; 2 and 4 are bytes that are no text.
_CHARSETS = {
    "1": "ascii",
    "3": "latin-1",
    "5": "shift_jis",
    "6": "iso-8859-5",
    "7": "iso-8859-8",
    "8": "utf-16-be",
    "10": "iso-2022-jp",
    "13": "iso-2022-jp-2",
    "14": "euc-kr",
}
_BYTES = frozenset({"2", "4"})
_DEFAULT = "0"


def content_of(fields: Mapping[str, str], default: str | None) -> dict[str, str]:
    """Return the content of a message: its `text`, or for a coding of bytes these in hex as `data`.

    `default` is the charset of coding 0 where the operator's default alphabet is not GSM's, as the source's URL names it.
    """
    raw, coding = _bytes(fields), fields.get("coding") or _DEFAULT
    if coding in _BYTES:
        return {"data": raw.hex()} if raw else {}
    if coding in _CHARSETS:
        text = decode(raw, _CHARSETS[coding])
    elif coding != _DEFAULT:  # of no table: the bytes are as good as any reading of them
        text = fields.get("content", "")
    elif default:
        text = decode(raw, default)
    else:
        text = from_gsm(raw)
    return {"text": text} if text else {}


def from_gsm(raw: bytes) -> str:
    """Return a text in the default alphabet, an octet a character. Octets above 127 are none of it: with them the text is
    read as UTF-8 if it is valid, else as Latin-1."""
    if not raw.isascii():
        try:
            return raw.decode()
        except UnicodeDecodeError:
            return raw.decode("latin-1")
    made, escaped = [], False
    for octet in raw:
        if octet == _ESCAPE and not escaped:
            escaped = True
            continue
        made.append(EXTENSION.get(octet, GSM[octet]) if escaped else GSM[octet])
        escaped = False
    return "".join(made)


def _bytes(fields: Mapping[str, str]) -> bytes:
    """Return the message's octets: from `binary`, else from `content`, whose characters are octets where they can be."""
    try:
        if raw := bytes.fromhex(fields.get("binary", "")):
            return raw
    except ValueError:
        pass
    content = fields.get("content", "")
    try:
        return content.encode("latin-1")
    except UnicodeEncodeError:
        return content.encode("utf-8", "replace")
