"""Validates and writes the URL and headers of an HTTP request, and reads the headers of a response. Pure.

Results that are the same for each call of an account are cached: parsing a URL takes as long as the rest of a small
call.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

import httpx

from adapters.contract import HttpCall
from agents.transport.unanswered import NoAnswer

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
#: Latin-1 without control characters (RFC 9110 section 5.5), no longer than servers accept.
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]{0,16384}")


@lru_cache(maxsize=4096)
def url_of(text: str) -> httpx.URL:
    """Return the URL in a text. Raises NoAnswer if it is not a valid one of http or https."""
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, UnicodeError) as error:
        raise NoAnswer("the URL cannot be read", kind="url") from error
    if url.scheme not in ("http", "https") or not url.raw_host or not 0 < (url.port or 80) < 65536:
        raise NoAnswer("the URL is not one of http or https, of a host and a port", kind="url")
    return url


def headers_of(call: HttpCall, url: httpx.URL) -> list[tuple[str, str]]:
    """Return the headers of a call, with those that every request has. Raises NoAnswer if one cannot be written."""
    if _NAME.fullmatch(call.method) is None:
        raise NoAnswer("the method has characters that HTTP does not allow", kind="request")
    given = {"accept": "*/*", "accept-encoding": "identity", "user-agent": "threadline"} | call.headers
    if call.body or call.method in ("POST", "PUT", "PATCH"):
        given["content-length"] = str(len(call.body))
    given.setdefault("host", url.netloc.decode())
    for name, value in given.items():
        if not _stands(name, value):
            raise NoAnswer("a header has characters that HTTP does not allow", kind="request")
    return list(given.items())


@lru_cache(maxsize=4096)
def _stands(name: str, value: str) -> bool:
    """Return whether a header can be written (RFC 9110 section 5.5). Cached: an account's headers are mostly the
    same."""
    return _NAME.fullmatch(name) is not None and _VALUE.fullmatch(value) is not None


@lru_cache(maxsize=4096)
def text_of(url: httpx.URL) -> str:
    """Return the URL as it is requested."""
    return str(url)


def read_headers(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return the headers, with names in lower case and the values of one name joined (RFC 9110 section 5.3)."""
    read: dict[str, str] = {}
    for name, value in headers:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        read[key] = f"{read[key]}, {text}" if key in read else text
    return read
