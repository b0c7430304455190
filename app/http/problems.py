"""Makes RFC 9457 problem documents: a response, an exception that becomes one, and Starlette's handlers."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ExceptionHandler

MEDIA_TYPE = "application/problem+json"


def problem(
    status: int,
    title: str | None = None,
    detail: str | None = None,
    *,
    type: str = "about:blank",
    headers: Mapping[str, str] | None = None,
    **extensions: Any,
) -> Response:
    """Return a problem document. `title` defaults to the status's phrase; `extensions` are further members."""
    members = {"type": type, "title": title or phrase(status), "status": status}
    if detail is not None:
        members["detail"] = detail
    return Response(orjson.dumps(members | extensions), status, headers, MEDIA_TYPE)


def phrase(status: int) -> str:
    """Return the phrase of a status code, e.g. `Not Found`."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


class Problem(Exception):
    """Ends a request with a problem document. `detail` goes to the caller."""

    def __init__(
        self,
        status: int,
        detail: str | None = None,
        *,
        title: str | None = None,
        type: str = "about:blank",
        headers: Mapping[str, str] | None = None,
        **extensions: Any,
    ) -> None:
        super().__init__(detail or title or phrase(status))
        self.status = status
        self.detail = detail
        self.title = title
        self.type = type
        self.headers = headers
        self.extensions = extensions

    def response(self) -> Response:
        """Return the response."""
        return problem(self.status, self.title, self.detail, type=self.type, headers=self.headers, **self.extensions)


async def _raised(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response()


async def _http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    # Starlette's default detail repeats the phrase, which is the title already.
    detail = error.detail if error.detail != phrase(error.status_code) else None
    return problem(error.status_code, detail=detail, headers=error.headers)


async def _unexpected(_: Request, __: Exception) -> Response:
    # Starlette raises the error again, and the server logs it.
    return problem(500)


#: For `Starlette(exception_handlers=…)`.
HANDLERS: dict[Any, ExceptionHandler] = {Problem: _raised, HTTPException: _http, Exception: _unexpected}
