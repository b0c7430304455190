"""GET /openapi.json and the page that shows it, /docs; and GET /asyncapi.json, the description of the Kafka topics.

`bundle.py` builds the description, and `app/api/asyncapi/bundle.py` that of the topics. The page is Scalar's API reference (`app/api/reference/`), served from here so that it
needs no network.
"""

import gzip
from collections.abc import Awaitable, Callable
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.api.asyncapi.bundle import document as asyncapi_document
from app.api.bodies import Written
from app.api.negotiation import accepts_gzip, has
from app.api.openapi.bundle import document
from app.api.service import admit, api_of

__all__ = ["SCALAR", "SCALAR_SHA256", "document", "routes"]

#: The viewer: `dist/browser/standalone.js` of the npm package @scalar/api-reference, as `gzip -9n` packs it.
SCALAR = "scalar-1.76.0.js.gz"
#: SHA-256 of the unpacked file.
SCALAR_SHA256 = "dcb027152bf20bf2f6dcd66e8f9fb073c1a9e274cf0b94b939a7d99ab8947060"

#: The page's files under /docs/, with their media types.
_FILES = {
    "scalar.js": (SCALAR, "text/javascript"),
    "start.js": ("start.js", "text/javascript"),
    "icon.svg": ("icon.svg", "image/svg+xml"),
}

#: Nothing from another host, no inline script, no frame around it. Scalar inserts its style sheets as elements.
_PAGE_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; "
    "img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-cache",
}


async def _admit(request: Request) -> None:
    """Raise Problem if the description is not open and the request has no API key. The page requests the description
    without a key, so it works only where the description is open."""
    settings = api_of(request).settings
    await admit(request, settings, settings.api.description, None)


def routes() -> list[Route]:
    """Return the routes of the descriptions and the page. Builds the descriptions and reads the page's files once."""
    return [
        Route("/openapi.json", _document(document()), methods=["GET"], name="openapi"),
        Route("/asyncapi.json", _document(asyncapi_document()), methods=["GET"], name="asyncapi"),
        Route("/docs", _file("index.html", "text/html"), methods=["GET"], name="docs"),
        *[
            Route(f"/docs/{name}", _file(*file), methods=["GET"], name=name, include_in_schema=False)
            for name, file in _FILES.items()
        ],
    ]


def _document(described: dict[str, Any]) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint that serves a description."""
    written = Written(described)

    async def serve(request: Request) -> Response:
        await _admit(request)
        return written.answer(request)

    return serve


def _file(name: str, media_type: str) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint that serves a file of the page. A `.gz` file is sent packed to clients that accept gzip."""
    stored = files("app.api").joinpath("reference", name).read_bytes()
    packed = name.endswith(".gz")
    digest = sha256(stored).hexdigest()[:32]

    @cache
    def unpacked() -> bytes:
        return gzip.decompress(stored)

    async def serve(request: Request) -> Response:
        await _admit(request)
        as_gzip = packed and accepts_gzip(request)
        tag = f'"{digest}-gzip"' if as_gzip else f'"{digest}"'
        headers = _PAGE_HEADERS | {"etag": tag}
        if packed:
            headers["vary"] = "accept-encoding"
        if has(request, tag):
            return Response(status_code=304, headers=headers)
        if as_gzip:
            headers["content-encoding"] = "gzip"
        return Response(unpacked() if packed and not as_gzip else stored, headers=headers, media_type=media_type)

    return serve
