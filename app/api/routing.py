"""Makes the API's routes, each of which admits a caller as the table of `app.http.permits` says before it does anything, and
writes to the audit as that of `app.api.audited` says. What it does in the store it does for the caller's client (`sql.tenants`), and
what it reads there is masked for a caller who may not see personal data (`sql.showing`)."""

from collections.abc import AsyncIterable, AsyncIterator, Iterable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from app.api.audited import Answer, audited
from app.api.service import clients_of, enter, require, sees
from app.http.permits import Need, need_of
from sql.showing import showing
from sql.tenants import acting


def route(path: str, **answers: Answer) -> Route:
    """Return one route for all methods of a path, so that a 405 lists all of them; `answers` has a function for each.

    Raises LookupError for a method that is not in the table.
    """
    admitted = {
        method: audited(method, path, _admitted(need_of(method, path), answer)) for method, answer in answers.items()
    }

    async def answer(request: Request) -> Response:
        return await admitted["GET" if request.method == "HEAD" else request.method](request)

    return Route(path, answer, methods=list(answers))


def _admitted(need: Need, answer: Answer) -> Answer:
    async def entering(request: Request) -> Response:
        await enter(request, need.scope)
        if need.also is not None:
            require(request, need.also)
        clients, personal = clients_of(request, need.scope), sees(request)
        with acting(clients), showing(personal):
            response = await answer(request)
        if isinstance(response, StreamingResponse):
            response.body_iterator = _pieces(response.body_iterator, clients, personal)
        return response

    return entering


async def _pieces(body: AsyncIterable[Any], clients: Iterable[str] | None, personal: bool) -> AsyncIterator[Any]:
    """Make a body that is sent in pieces within the bounds of its request, which has been left by then."""
    with acting(clients), showing(personal):
        async for piece in body:
            yield piece
