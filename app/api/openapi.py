"""GET /openapi.json and the page that shows it, /docs.

The description is `openapi.json` beside this file; the names that it shares with the code are filled in here, from the
tables that the code itself goes by.
"""

from hashlib import sha256
from importlib.metadata import version
from importlib.resources import files
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.api.bodies import answer
from app.api.message import STATES as MESSAGE_STATES
from app.api.parameters import DELIVERIES, LIMIT, LIMIT_MAX, STATUSES
from app.api.service import admit, api_of
from app.sending.explain import KINDS
from schemas import SCHEMAS, resolve
from schemas.events import CHANNELS, DIRECTIONS, EVENT_TYPES, HANDLE_KINDS, REASONS

_NAMES: dict[str, tuple[str, ...]] = {
    "Channel": CHANNELS,
    "Direction": DIRECTIONS,
    "Status": STATUSES,
    "Delivery": DELIVERIES,
    "Reason": REASONS,
    "HandleKind": HANDLE_KINDS,
    "MessageState": MESSAGE_STATES,
    "ReasonKind": KINDS,
    "EventType": tuple(EVENT_TYPES),
    "DottedEventType": tuple(EVENT_TYPES.values()),
}

#: Schemas that are those of the documents themselves (`schemas/*.json`).
_DOCUMENTS = {"Configuration": "client", "AccountSettings": "account", "MessageRequest": "request"}

#: What a schema's file says of itself, and what is put elsewhere.
_FILE_KEYS = frozenset({"$schema", "$id", "$defs", "$ref", "version"})

#: The page's files and their types.
_FILES = {"docs.html": "text/html", "docs.css": "text/css", "docs.js": "text/javascript", "docs.svg": "image/svg+xml"}

#: Nothing from elsewhere, nothing inline, nothing around it.
_PAGE_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}


def document() -> dict[str, Any]:
    """The description, an OpenAPI 3.1 document (https://spec.openapis.org/oas/v3.1.1.html)."""
    written: dict[str, Any] = orjson.loads(files("app.api").joinpath("openapi.json").read_bytes())
    written["info"]["version"] = version("threadline")
    for name, values in _NAMES.items():
        written["components"]["schemas"][name]["enum"] = list(values)
    for path in written["paths"].values():
        for operation in path.values():
            if "security" in operation:  # each key has a rate
                operation["responses"].setdefault("429", {"$ref": "#/components/responses/TooMany"})
    for name, document in _DOCUMENTS.items():
        written["components"]["schemas"][name] = _inlined(SCHEMAS[document], SCHEMAS[document]["$id"])
    timeline = written["paths"]["/api/customers/{id}/interactions"]["get"]
    limit = next(one for one in timeline["parameters"] if one.get("name") == "limit")
    limit["schema"] |= {"maximum": LIMIT_MAX, "default": LIMIT}
    return written


def _inlined(node: Any, base: str) -> Any:
    """A schema file's schema with what it refers to in its place: the files are not served."""
    if isinstance(node, list):
        return [_inlined(item, base) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {key: _inlined(value, base) for key, value in node.items() if key not in _FILE_KEYS}
    if "$ref" not in node:
        return kept
    document, _, pointer = node["$ref"].partition("#")
    return _inlined(resolve(f"{document or base}#{pointer}"), document or base) | kept


async def _admit(request: Request) -> None:
    """Raises Problem where the description is not open, and the request has no key. The page asks for it without one, so
    that it is there only where the description is open."""
    settings = api_of(request).settings
    await admit(request, settings, settings.api.description, None)


def routes() -> list[Route]:
    """The description and its page. What they serve is read once, here."""
    described = document()
    pages = {name: files("app.api").joinpath(name).read_bytes() for name in _FILES}

    async def description(request: Request) -> Response:
        await _admit(request)
        return answer(request, described)

    def file(name: str) -> Any:
        body, tag = pages[name], f'"{sha256(pages[name]).hexdigest()[:32]}"'

        async def serve(request: Request) -> Response:
            await _admit(request)
            headers = _PAGE_HEADERS | {"etag": tag}
            if request.headers.get("if-none-match") == tag:
                return Response(status_code=304, headers=headers)
            return Response(body, headers=headers, media_type=_FILES[name])

        return serve

    return [
        Route("/openapi.json", description, methods=["GET"], name="openapi"),
        Route("/docs", file("docs.html"), methods=["GET"], name="docs"),
        *[
            Route(f"/docs/{name}", file(name), methods=["GET"], name=name, include_in_schema=False)
            for name in ("docs.css", "docs.js", "docs.svg")
        ],
    ]
