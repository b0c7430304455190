"""Parses a request's body and query into Python values, once per request; the results are cached in `Request.parsed`.

Lone surrogates, which neither UTF-8 nor PostgreSQL can hold, are replaced.
"""

import json
import re
from binascii import a2b_qp
from collections.abc import Callable
from typing import Any, NoReturn

import orjson

from adapters.contract import Request, Unprocessable
from adapters.reading.charsets import utf_8_or

Pairs = list[tuple[str, str]]

#: Fields of one form. Providers send at most some dozens; more is an attack on the parser.
MAX_FIELDS = 1000
_CHARSET = re.compile(r";\s{0,8}charset=\"?([\w.:-]{1,40})", re.IGNORECASE)
_ESCAPED_MARKS = ("%26", "%3D", "%3d")
#: Most characters of a form that is searched for those marks: in a longer form the search costs more than it saves.
SMALL = 64 << 10
#: Each byte by its kind: a digit of an escape (`0`), a `%`, another.
_KINDS = bytes(37 if n == 37 else 48 if n in b"0123456789abcdefABCDEF" else 46 for n in range(256))
_PERCENT_TO_EQUALS = bytes.maketrans(b"%", b"=")
#: A `%` that begins no escape stays as it is. Forms rarely have one; a body with more of them than this is not a form.
_NO_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
MAX_NO_ESCAPES = 1000
#: What PostgreSQL cannot hold in text.
NUL = re.compile("\x00")
_SURROGATE = re.compile("[\ud800-\udfff]")
#: What neither PostgreSQL nor UTF-8 can hold.
UNKEPT = re.compile("[\x00\ud800-\udfff]")
_SURROGATES = re.compile("[\ud800-\udfff]+")

#: Set in `Request.parsed` until a request is verified: anyone can send one, so parsing it must be cheap. Until then a body
#: with more objects and lists, or commas, is not parsed; and one with more than `MAX_ODD` of both is not parsed by the
#: slower parser of JSON that deviates from the RFC.
UNPROVEN = "unproven"
MAX_CONTAINERS = 25_000
MAX_COMMAS = 60_000
MAX_ODD = 2000


def json_of(request: Request) -> Any:
    """Return the body parsed as JSON. Raise Unprocessable."""
    return _once(request, "json", lambda: parse_json(request.body, bounded=UNPROVEN in request.parsed))


def is_form(request: Request) -> bool:
    """Return whether the request says that its body is an `application/x-www-form-urlencoded` form."""
    return request.headers.get("content-type", "").lower().startswith("application/x-www-form-urlencoded")


def form_of(request: Request) -> Pairs:
    """Return the body parsed as `application/x-www-form-urlencoded`, in order, with repeated names. Raise Unprocessable."""
    pairs: Pairs = _once(request, "form", lambda: _form(request))
    return pairs


def form_bytes(request: Request, name: str) -> bytes:
    """Return the bytes of a form's field, which may be in another charset than the rest; empty without one. Raise
    Unprocessable."""
    start = f"{name}=".encode()
    for field in request.body.split(b"&"):
        if field.startswith(start):
            return _unquoted(field[len(start) :].replace(b"+", b" ").decode("utf-8", "surrogateescape"))
    return b""


def proved(request: Request) -> None:
    """Lift the limits on parsing, once the request is verified."""
    if request.parsed.pop(UNPROVEN, None):
        request.parsed.pop("json failed", None)


def _once(request: Request, form: str, read: Callable[[], Any]) -> Any:
    """Return or raise what `read` does, called once per request, as several adapters may parse the same body."""
    parsed = request.parsed
    if form in parsed:
        return parsed[form]
    if (failed := parsed.get(f"{form} failed")) is not None:
        raise Unprocessable(failed)
    try:
        parsed[form] = found = read()
    except Unprocessable as error:
        parsed[f"{form} failed"] = str(error)
        raise
    return found


def query_of(request: Request) -> Pairs:
    """Return the parameters of the URL's query, in order. Raise Unprocessable."""
    return parse_form(request.url.partition("#")[0].partition("?")[2])


def fields_of(pairs: Pairs) -> dict[str, str | list[str]]:
    """Return the values by name; for a name that comes several times, the list of its values in order."""
    fields: dict[str, str | list[str]] = dict(pairs)
    if len(fields) < len(pairs):
        several: dict[str, list[str]] = {}
        for name, value in pairs:
            several.setdefault(name, []).append(value)
        fields = {name: values if len(values) > 1 else values[0] for name, values in several.items()}
    return fields


def _form(request: Request) -> Pairs:
    """Parse the body in the charset that the form names for itself, where it is not UTF-8."""
    found = _CHARSET.search(request.headers.get("content-type", "")[:512])
    return parse_form(request.body.decode("utf-8", "surrogateescape"), found[1] if found else None)


def parse_form(text: str, charset: str | None = None) -> Pairs:
    """Parse as `urllib.parse.parse_qsl(text, keep_blank_values=True)` does, in half its time. Raise Unprocessable for more
    than `MAX_FIELDS`."""
    if text.count("&") >= MAX_FIELDS:
        raise Unprocessable(f"a form of more than {MAX_FIELDS} fields")
    if "+" in text:
        text = text.replace("+", " ")
    if text.isascii() and "%" not in text:
        return [field.partition("=")[::2] for field in text.split("&") if field]
    if len(text) <= SMALL and not any([mark in text for mark in _ESCAPED_MARKS]):
        # No escape is a separator, so that the whole can be read at once: half the cost of field by field.
        try:
            whole = _unquoted(text).decode("utf-8")
        except UnicodeDecodeError:
            pass
        else:
            return [field.partition("=")[::2] for field in whole.split("&") if field]
    pairs = []
    for field in text.split("&"):
        if field:
            name, _, value = field.partition("=")
            pairs.append((_text(_unquoted(name), charset), _text(_unquoted(value), charset)))
    return pairs


def _text(data: bytes, charset: str | None) -> str:
    """Decode UTF-8, or what is not UTF-8 in the form's charset (https://url.spec.whatwg.org/#urlencoded-parsing has none)."""
    return utf_8_or(data, charset) if charset else data.decode("utf-8", "replace")


def _unquoted(text: str) -> bytes:
    """Decode percent escapes as `urllib.parse.unquote_to_bytes` does, which splits the text at each: for a text of
    nothing but escapes that takes 75 times the memory and a hundred times as long. Quoted-printable (RFC 2045) writes a
    byte as `=41` where a URL has `%41`, and the standard library decodes that in one pass. Raise Unprocessable for more
    than `MAX_NO_ESCAPES` of `%` that begin no escape.
    """
    data = text.encode("utf-8", "surrogateescape")
    if "%" not in text:
        return data
    kinds = data.translate(_KINDS)
    if kinds.count(b"%00") != kinds.count(b"%"):
        # What begins no escape is made an escape of `%` itself, as quoted-printable has other rules for it.
        data, odd = _NO_ESCAPE.subn(b"%25", data, MAX_NO_ESCAPES)
        if odd == MAX_NO_ESCAPES:
            raise Unprocessable(f"a form with more than {MAX_NO_ESCAPES} of % that begin no escape")
    return a2b_qp(data.replace(b"=", b"=3D").translate(_PERCENT_TO_EQUALS))


def parse_json(body: bytes, *, bounded: bool = False) -> Any:
    """Parse JSON (RFC 8259). Raise Unprocessable if it is invalid or nested too deeply, and, if `bounded`, if it would cost
    much to parse."""
    parts = 0
    if bounded:
        containers, commas = body.count(b"{") + body.count(b"["), body.count(b",")
        parts = containers + commas
        if containers > MAX_CONTAINERS or commas > MAX_COMMAS:
            raise Unprocessable(
                f"{containers} objects and lists, {commas} commas: too much to read before the request is verified"
            )
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        reason = str(error)
    if parts > MAX_ODD:
        raise Unprocessable(f"the body is no plain JSON: {reason}")
    # What orjson refuses and a provider may send all the same: escapes of lone surrogates, other encodings.
    try:
        value = json.loads(body, parse_constant=_refuse_constant, parse_int=_int)
        return scrub(value)
    except (ValueError, RecursionError) as error:
        raise Unprocessable(f"the body is no JSON: {reason}") from error


def scrub(value: Any, bad: re.Pattern[str] = _SURROGATE) -> Any:
    """Return the value with each character that matches `bad`, in its strings and keys, replaced by U+FFFD."""
    if isinstance(value, str):
        if bad is _SURROGATE:
            return _SURROGATES.sub(lambda run: "\ufffd" * len(run[0]), value)
        return bad.sub("\ufffd", value)
    if isinstance(value, dict):
        return {scrub(key, bad): scrub(item, bad) for key, item in value.items()}
    if isinstance(value, list):
        return [scrub(item, bad) for item in value]
    return value


def _int(digits: str) -> int | float:
    return int(digits) if len(digits) < 19 else float(digits)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
