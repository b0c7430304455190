"""Reads what only Clickatell's older callbacks have: percent-coded texts with a charset, and the names of its HTTP API.

A reply (MO) of the SMS APIs has `text` and `charset`. For a charset other than UTF-8 the text is percent-coded, a byte an
escape, in a JSON body too (https://www.clickatell.com/developers/api-documentation/http-api-reply-callback; the coding as
https://github.com/nyaruka/courier/blob/main/handlers/clickatell/handler.go reads it). The HTTP API before (accounts of
Developers' Central, HTTP API Specification V2.5) names the same things otherwise: `moMsgId`, `apiMsgId`, `cliMsgId`.
"""

from typing import Any
from urllib.parse import unquote_to_bytes

from adapters.reading.bodies import MAX_FIELDS, Pairs
from adapters.reading.charsets import decode

#: The HTTP API's names, by those of the later callbacks.
_NAMES = {
    "apiMsgId": "messageId",
    "cliMsgId": "clientMessageId",
    "moMsgId": "messageId",
}
#: Charsets that Clickatell names, in which a text may be percent-coded.
_CODED = {"UTF-16BE": "utf-16-be", "ISO-8859-1": "latin-1"}


def is_legacy(head: bytes) -> bool:
    """Return whether parameters are those of the HTTP API: a reply, or a status."""
    return b"api_id" in head and (b"moMsgId" in head or b"apiMsgId" in head)


def renamed(item: dict[str, Any]) -> dict[str, Any]:
    """Return a callback of the HTTP API with the names of the later callbacks; any other as it is.

    Its `status` is a code, and in a reply `from` and `to` are numbers.
    """
    if "moMsgId" not in item and "apiMsgId" not in item:
        return item
    made = {_NAMES.get(key, key): value for key, value in item.items()}
    if "moMsgId" in item:
        made["fromNumber"], made["toNumber"] = made.pop("from", None), made.pop("to", None)
    elif "status" in made:
        made["statusCode"] = made.pop("status")
    return made


def decoded(text: str, charset: str | None) -> str:
    """Return a text as it was written, from one that is coded as a form's value is, in one of the charsets in which
    Clickatell codes texts. A text with a space in it is not coded."""
    name = (charset or "").strip().upper()
    if name not in _CODED or " " in text:
        return text
    raw = unquote_to_bytes(text.replace("+", " ").encode("latin-1", "replace"))
    return text if name == "UTF-16BE" and len(raw) % 2 else decode(raw, _CODED[name])


def parameters(pairs: Pairs, raw: bytes) -> dict[str, Any]:
    """Return a form's or query's fields, given as pairs and as bytes. The text is read from its own bytes by `charset`, as
    the rest of a form is read as UTF-8."""
    fields: dict[str, Any] = dict(pairs)
    charset = _CODED.get(str(fields.get("charset", "")).strip().upper())
    if charset is not None:
        for field in raw.split(b"&")[:MAX_FIELDS]:
            name, _, value = field.partition(b"=")
            if name == b"text":
                fields["text"] = decode(unquote_to_bytes(value.replace(b"+", b" ")), charset)
        fields["charset"] = "UTF-8"  # what the text is in now
    return fields
