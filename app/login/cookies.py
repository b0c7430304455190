"""Reads and writes cookies that only this host gets, over TLS only, and that no script of a page sees (RFC 6265bis). Pure."""

from collections.abc import Iterable, Mapping
from typing import Any


def cookie_in(scope: Mapping[str, Any], name: str) -> str | None:
    """Return the value of a cookie in the headers of an ASGI scope; None if there is none, or several."""
    found = [value for field in _fields(scope) for each, value in _pairs(field) if each == name]
    return found[0] if len(found) == 1 else None


def cookie(name: str, value: str, seconds: int | None = None) -> str:
    """Return the field `Set-Cookie` of a cookie, which ends with the browser, or after so many seconds. Other sites' pages do not send
    it, but for links to here."""
    age = "" if seconds is None else f"; Max-Age={seconds}"
    return f"{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax{age}"


def no_cookie(name: str) -> str:
    """Return the field `Set-Cookie` that removes a cookie."""
    return cookie(name, "", 0)


def _fields(scope: Mapping[str, Any]) -> Iterable[str]:
    return (value.decode("latin-1") for name, value in scope["headers"] if name == b"cookie")


def _pairs(field: str) -> Iterable[tuple[str, str]]:
    for part in field.split(";"):
        name, _, value = part.strip().partition("=")
        yield name, value
