"""Reads a request's body, and the values that a definition's paths lead to: words, times, and the content of a message."""

from collections.abc import Mapping
from typing import Any

from adapters.contract import Request
from adapters.reading.bodies import form_of, is_form, json_of
from adapters.reading.facts import text
from adapters.reading.times import from_text, from_unix_or_millis


def body_of(request: Request, form: bool) -> Any:
    """Return the body parsed as what its Content-Type says, JSON or a form, or else as what the definition says. Raises
    Unprocessable."""
    if is_form(request) or (form and "json" not in request.headers.get("content-type", "").lower()):
        return dict(form_of(request))
    return json_of(request)


def word_of(value: Any) -> str | None:
    """Return a word of an event's name: a text without blanks around it, a number, or true or false."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return (text(value) or "").strip() or None


def type_of(words: list[str], types: Mapping[str, str]) -> str:
    """Return our event type for a name: the type of all its words, else that of the name without its last word, and so
    on."""
    names = (".".join(words[:count]) for count in range(len(words), 0, -1))
    return next((types[name] for name in names if name in types), "ProviderEventReceived")


def time_of(value: Any) -> Any:
    """Parse Unix seconds or milliseconds, ISO 8601 or RFC 2822."""
    return from_unix_or_millis(value) or from_text(value)


def content_of(read: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = {name: value for name in ("text", "subject", "html") if (value := text(read[name]))}
    if url := text(read["media_url"]):
        kind = text(read["media_type"])
        content["media"] = [{"url": url, "type": kind} if kind else {"url": url}]
    return content
