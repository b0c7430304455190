"""Where something stands in a request, as a definition's paths name it."""

from collections.abc import Callable
from typing import Any

from adapters.contract import Request
from adapters.reading.bodies import query_of

#: Of an item, the whole body and the request.
Find = Callable[[Any, Any, Request], Any]


def finder(path: str | None) -> Find:
    """A function that finds what stands at a path; None where nothing does."""
    if path is None:
        return lambda item, body, request: None
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
    """What stands there: keys of objects, indexes of lists."""
    for step in steps:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isascii() and step.isdigit() and len(step) < 6 and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def filled(template: Any, parts: dict[str, str | None]) -> Any:
    """A template with each `{name}` in its texts replaced; a key whose text is nothing but an absent part is left out."""
    if isinstance(template, dict):
        made = {key: filled(inner, parts) for key, inner in template.items()}
        return {key: inner for key, inner in made.items() if inner is not None}
    if isinstance(template, list):
        return [inner for each in template if (inner := filled(each, parts)) is not None]
    if not isinstance(template, str) or "{" not in template:
        return template
    if template.startswith("{") and template.find("}") == len(template) - 1:
        return parts.get(template[1:-1], template)
    # One pass: what a part says is never read as a template itself.
    pieces = template.split("{")
    text = pieces[0]
    for piece in pieces[1:]:
        name, brace, rest = piece.partition("}")
        text += f"{parts[name] or ''}{rest}" if brace and name in parts else "{" + piece
    return text
