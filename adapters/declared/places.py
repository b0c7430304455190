"""Finds the values that a definition's paths name in a request, and fills templates."""

from collections.abc import Callable
from typing import Any

from adapters.contract import Request
from adapters.reading.bodies import query_of

#: Finds a value, given an item, the whole body and the request.
Find = Callable[[Any, Any, Request], Any]


def finder(path: str | None, ending: str | tuple[str, ...] = "") -> Find:
    """Return a function that finds the value at a path; it returns None if there is none. Of several paths the first that has
    a value counts, or with `ending` the first whose value ends so, if any does."""
    if path is None:
        return lambda item, body, request: None
    if "|" in path:
        each = [finder(one.strip()) for one in path.split("|")]

        def first(item: Any, body: Any, request: Request) -> Any:
            found = [value for find in each if (value := find(item, body, request)) is not None]
            so = (value for value in found if isinstance(value, str) and value.endswith(ending)) if ending else iter(())
            return next(so, found[0] if found else None)

        return first
    kind, colon, name = path.partition(":")
    if colon and kind == "header":
        lowered = name.lower()
        return lambda item, body, request: request.headers.get(lowered)
    if colon and kind == "query":
        return lambda item, body, request: dict(query_of(request)).get(name)
    if colon and kind == "body":
        inner = _steps(name)
        return lambda item, body, request: walk(body, inner)
    steps = _steps(path)
    return lambda item, body, request: walk(item, steps)


def _steps(path: str) -> tuple[str, ...]:
    return tuple(path.split(".")) if path else ()


def walk(value: Any, steps: tuple[str, ...]) -> Any:
    """Return the value at the steps (keys of objects, indexes of lists), or None if there is none."""
    for step in steps:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isascii() and step.isdigit() and len(step) < 6 and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def filled(template: Any, parts: dict[str, str | None]) -> Any:
    """Return a template with each `{name}` in its texts replaced. A key is left out if its whole text is an absent part."""
    if isinstance(template, dict):
        made = {key: filled(inner, parts) for key, inner in template.items()}
        return {key: inner for key, inner in made.items() if inner is not None}
    if isinstance(template, list):
        return [inner for each in template if (inner := filled(each, parts)) is not None]
    if not isinstance(template, str) or "{" not in template:
        return template
    if template.startswith("{") and template.find("}") == len(template) - 1:
        return parts.get(template[1:-1], template)
    # A single pass, so that a part's own braces are never filled.
    pieces = template.split("{")
    text = pieces[0]
    for piece in pieces[1:]:
        name, brace, rest = piece.partition("}")
        text += f"{parts[name] or ''}{rest}" if brace and name in parts else "{" + piece
    return text
