"""Makes the API's routes, each of which admits a caller as the table of `app.http.permits` says before it does anything."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.api.service import enter
from app.http.permits import need_of

Answer = Callable[[Request], Awaitable[Response]]


def route(path: str, **answers: Answer) -> Route:
    """Return one route for all methods of a path, so that a 405 lists all of them; `answers` has a function for each.

    Raises LookupError for a method that is not in the table.
    """
    scopes = {method: need_of(method, path).scope for method in answers}

    async def answer(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        await enter(request, scopes[method])
        return await answers[method](request)

    return Route(path, answer, methods=list(answers))
