"""Reads a request's JSON body, within limits of size and time."""

import asyncio
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request

from app.http.problems import Problem
from schemas import Fault, SchemaError
from schemas.faults import listed
from schemas.json_text import read_json

#: Most seconds that a body may take to arrive.
PATIENCE = 10.0


async def json_of(request: Request, most: int) -> Any:
    """Read the body, of at most `most` bytes. Raises Problem 400 (not JSON), 408, 413, 415, and 422 (JSON that cannot
    be stored)."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json" and not (media.startswith("application/") and media.endswith("+json")):
        raise Problem(415, "The body must be JSON: Content-Type: application/json.")
    too_large = Problem(413, f"The body has more than {most} bytes.")
    length = request.headers.get("content-length", "")
    if length.isdecimal() and (len(length) > 18 or int(length) > most):
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(PATIENCE):
            async for part in request.stream():
                body += part
                if len(body) > most:
                    raise too_large
    except TimeoutError as error:
        raise Problem(408, f"The body took more than {PATIENCE:.0f} seconds.") from error
    try:
        return read_json(bytes(body))
    except SchemaError as error:
        status = 400 if isinstance(error.__cause__, ValueError) else 422
        raise refused(error, status) from error


def refused(error: SchemaError, status: int = 422) -> Problem:
    """Return the problem of a body that does not fit."""
    return Problem(status, str(error), path=error.path, **errors(error.faults))


def errors(faults: Sequence[Fault]) -> dict[str, Any]:
    """Return the members of a problem document that tell all errors of a body: none where `detail` and `path` tell the only one."""
    if len(faults) < 2:
        return {}
    shown, more = listed(faults)
    members = {"errors": [{"path": path, "detail": f"{path}: {message}"} for path, message in shown]}
    return members | ({"moreErrors": more} if more else {})
