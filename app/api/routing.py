"""Makes the API's routes, each of which admits a caller as the table of `app.http.permits` says before it does anything, and
writes to the audit as that of `app.api.audited` says. What it does in the store it does for the caller's client (`sql.tenants`), and
what it reads there is masked for a caller who may not see personal data (`sql.showing`)."""

from starlette.requests import Request
from starlette.responses import Response
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
        with acting(clients_of(request, need.scope)), showing(sees(request)):
            return await answer(request)

    return entering
