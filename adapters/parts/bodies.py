"""What a request's body and query say, as Python values; each is read once per request, into `Request.parsed`.

Text comes out without lone surrogates, which neither UTF-8 nor PostgreSQL can hold.
"""

import json
import re
from typing import Any, NoReturn
from urllib.parse import unquote, unquote_to_bytes

import orjson

from adapters.base import Request, Unprocessable

Pairs = list[tuple[str, str]]

#: Fields of one form. Providers send at most some dozens; more is an attack on the parser.
MAX_FIELDS = 1000
_ESCAPED_MARK = re.compile("%(?:26|3[Dd])")
_ESCAPES = re.compile(rb"(?:%[0-9A-Fa-f]{2})+")
#: What PostgreSQL cannot hold in text.
NUL = re.compile("\x00")
_SURROGATE = re.compile("[\ud800-\udfff]")
#: What neither PostgreSQL nor UTF-8 can hold.
UNKEPT = re.compile("[\x00\ud800-\udfff]")


def json_of(request: Request) -> Any:
    """The body as JSON. Raises Unprocessable."""
    parsed = request.parsed
    if "json" not in parsed:
        parsed["json"] = parse_json(request.body)
    return parsed["json"]


def form_of(request: Request) -> Pairs:
    """The body as `application/x-www-form-urlencoded`, in its order, repeated names kept. Raises Unprocessable."""
    parsed = request.parsed
    if "form" not in parsed:
        parsed["form"] = parse_form(request.body.decode("utf-8", "replace"))
    pairs: Pairs = parsed["form"]
    return pairs


def query_of(request: Request) -> Pairs:
    """The URL's query, in its order. Raises Unprocessable."""
    return parse_form(request.url.partition("#")[0].partition("?")[2])


def parse_form(text: str) -> Pairs:
    """As `urllib.parse.parse_qsl(text, keep_blank_values=True)`, at half its cost. Raises Unprocessable over
    `MAX_FIELDS`."""
    if text.count("&") >= MAX_FIELDS:
        raise Unprocessable(f"a form of more than {MAX_FIELDS} fields")
    if "+" in text:
        text = text.replace("+", " ")
    if "%" not in text:
        return [field.partition("=")[::2] for field in text.split("&") if field]
    if text.isascii() and not _ESCAPED_MARK.search(text):
        # No escape is a separator, so that the whole can be read at once: half the cost of field by field.
        whole = _unquoted(text).decode("utf-8", "replace")
        return [field.partition("=")[::2] for field in whole.split("&") if field]
    pairs = []
    for field in text.split("&"):
        if field:
            name, _, value = field.partition("=")
            pairs.append((unquote(name), unquote(value)))
    return pairs


def _unquoted(text: str) -> bytes:
    """As `unquote_to_bytes`, which cuts the text at each escape, and so takes 75 times its size of one that is nothing
    but escapes: run by run that takes little, and of few escapes the standard library's is the quicker."""
    if text.count("%") < MAX_FIELDS:
        return unquote_to_bytes(text)
    return _ESCAPES.sub(lambda run: bytes.fromhex(run[0].replace(b"%", b"").decode()), text.encode())


def parse_json(body: bytes) -> Any:
    """As RFC 8259 has it. Raises Unprocessable for what is none, or is nested too deeply."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        reason = str(error)
    # What orjson refuses and a provider may send all the same: escapes of lone surrogates, other encodings.
    try:
        value = json.loads(body, parse_constant=_refuse_constant, parse_int=_int)
        return scrub(value) if _SURROGATE.search(json.dumps(value, ensure_ascii=False)) else value
    except (ValueError, RecursionError) as error:
        raise Unprocessable(f"the body is no JSON: {reason}") from error


def scrub(value: Any, bad: re.Pattern[str] = _SURROGATE) -> Any:
    """The same value with each character that `bad` finds, in its strings and keys, made U+FFFD."""
    if isinstance(value, str):
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
