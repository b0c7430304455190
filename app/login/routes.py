"""The routes of people's log-in. Where no issuer has `login_client_id` they answer 404, and `/` says what this is."""

from urllib.parse import urlsplit

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from app.api.service import address_of, api_of, is_open, request_id
from app.http.access import TooManyUnknown, Unauthenticated
from app.http.issued import Invalid
from app.http.jwks import IssuerAway
from app.http.problems import Problem
from app.login import attempts, pages
from app.login.attempts import Attempt, safe
from app.login.cookies import cookie, cookie_in, no_cookie
from app.login.crossing import crosses
from app.login.oauth import FAULTS, Refused
from app.login.people import People
from app.login.provider import CALLBACK, Provider, logout_token, sid_of
from app.login.sessions import COOKIE, Session
from sql.audited import Entry
from sql.origin import ORIGIN, Origin
from webhooks.callers import party_of

#: Most bytes of a body, and most characters of a parameter of the callback.
BODY, MOST = 16 << 10, 4096

log = structlog.get_logger(__name__)


def routes() -> list[Route]:
    """Return the routes; each reads `app.state.api`. They are no part of the API's description: browsers use them, and issuers."""
    return [
        Route("/", me, methods=["GET"], include_in_schema=False),
        Route("/login", login, methods=["GET"], include_in_schema=False),
        Route(CALLBACK, callback, methods=["GET"], include_in_schema=False),
        Route("/logout", logout, methods=["POST"], include_in_schema=False),
        Route("/login/back-channel", back_channel, methods=["POST"], include_in_schema=False),
    ]


async def me(request: Request) -> Response:
    """Show who is logged in, or where to log in; where nobody logs in, what this is. Raises Problem."""
    api = api_of(request)
    if (people := api.people) is None:
        return pages.front(is_open(api.settings, api.settings.api.description))
    secret = cookie_in(request.scope, COOKIE)
    if secret is None:
        return pages.welcome(list(people.providers))
    try:
        session = await people.sessions.check(secret, address=address_of(request))
    except Unauthenticated:
        return pages.welcome(list(people.providers), {"set-cookie": no_cookie(COOKIE)})
    except TooManyUnknown as error:
        raise Problem(429, str(error), headers={"retry-after": str(int(error.wait) + 1)}) from error
    return pages.me(session, await _leads_to(people, session))


async def login(request: Request) -> Response:
    """Send the browser to an issuer: that of the parameter `issuer`, else the only one. Raises Problem."""
    if (people := api_of(request).people) is None:
        return pages.nobody()
    name = request.query_params.get("issuer")
    if name is None and len(people.providers) > 1:
        return pages.welcome(list(people.providers))
    provider = people.providers.get(next(iter(people.providers)) if name is None else name)
    if provider is None:
        raise Problem(404, "Nobody logs in by an issuer of this name.")
    attempt = Attempt.new(provider.tokens.name, request.query_params.get("next"))
    try:
        url = await provider.begin(attempt)
    except FAULTS as error:
        return _away(provider, error)
    headers = {"set-cookie": cookie(attempts.COOKIE, attempt.value, attempts.PATIENCE)}
    return RedirectResponse(url, 303, headers)


async def callback(request: Request) -> Response:
    """Start the session of a person whom the issuer sends back. Raises Problem."""
    people, given = _people(request), request.query_params
    if not (taken := people.rates.take(party_of(address_of(request)))).passes:
        raise Problem(
            429, "Too many log-ins come from this address.", headers={"retry-after": str(int(taken.wait) + 1)}
        )
    attempt = Attempt.read(cookie_in(request.scope, attempts.COOKIE) or "")
    provider = people.providers.get(attempt.issuer) if attempt is not None else None
    if attempt is None or provider is None or not attempt.answered(given.get("state", "")):
        return _refused(request, "This log-in was begun in another browser, or too long ago.", 401)
    if any(len(given.get(name, "")) > MOST for name in ("code", "error", "iss")):
        return _refused(request, "The identity provider's answer is too long.", 401)
    if "code" not in given:
        return _refused(request, str(Refused(given.get("error", "no code"))), 401)
    try:
        claims = await provider.claims(attempt, given["code"], given.get("iss"))
    except (Refused, Invalid) as error:
        log.info("login_refused", issuer=provider.tokens.issuer, why=str(error))
        return _refused(request, str(error), 401)
    except (IssuerAway, *FAULTS) as error:
        return _away(provider, error)
    try:
        issued = provider.tokens.said(claims)
    except Invalid as error:
        return await _not_let_in(request, provider, str(claims["sub"]), "a stronger log-in is demanded", str(error))
    if not issued.clients:
        words = "You are known, but may see no client's data here. Ask the administrator of the identity provider."
        return await _not_let_in(request, provider, issued.subject, "no client", words)
    ORIGIN.set(Origin(f"person:{issued.holder}", None, address_of(request) or None, request_id(request)))
    set_cookie = await people.sessions.start(issued, sid_of(claims), cookie_in(request.scope, COOKIE))
    answer = RedirectResponse(safe(attempt.next), 303, {"set-cookie": set_cookie})
    answer.headers.append("set-cookie", no_cookie(attempts.COOKIE))
    return answer


async def logout(request: Request) -> Response:
    """End the session, and send the browser to the issuer to end its own. Raises Problem."""
    people, secret = _people(request), cookie_in(request.scope, COOKIE)
    if crosses(request.method, request.headers, people.url):
        api_of(request).audit.refused(403, address_of(request), "")
        raise Problem(403, "This request may be another site's.")
    ORIGIN.set(Origin("threadline", None, address_of(request) or None, request_id(request)))
    issuer = await people.sessions.end(secret) if secret is not None else None
    provider = people.provider_at(issuer) if issuer is not None else None
    url = None
    if provider is not None:
        try:
            url = await provider.end_url()
        except FAULTS as error:  # the session here has ended all the same
            log.warning("issuer_away", issuer=issuer, error=type(error).__name__)
    return RedirectResponse(url or "/", 303, {"set-cookie": no_cookie(COOKIE)})


async def back_channel(request: Request) -> Response:
    """End the sessions that an issuer says are over (Back-Channel Logout 1.0 section 2.5). Raises Problem."""
    people, body = _people(request), b""
    async for piece in request.stream():
        body += piece
        if len(body) > BODY:
            raise Problem(413, f"The body has more than {BODY} bytes.")
    try:
        token = logout_token(body)
        provider = people.provider_of(token)
        over = await provider.over(token)
    except Invalid as error:
        api_of(request).audit.refused(401, address_of(request), "")
        raise Problem(400, str(error)) from error
    except IssuerAway as error:
        raise Problem(503, "Tokens cannot be verified now: their issuer does not answer.") from error
    ORIGIN.set(Origin("threadline", None, address_of(request) or None, request_id(request)))
    actor = f"issuer:{provider.tokens.name or provider.tokens.issuer}"
    issuer = provider.tokens.issuer
    ended = await people.sessions.end_all(issuer, over.said, actor, subject=over.subject, sid=over.sid)
    log.info("sessions_ended", issuer=issuer, sessions=ended)
    return Response(status_code=200)


def _people(request: Request) -> People:
    people = api_of(request).people
    if people is None:
        raise Problem(404, "There is no log-in here: no issuer of the settings has login_client_id.")
    return people


async def _leads_to(people: People, session: Session) -> str:
    """Return the origin to which the log-out of a session leads, for the page's policy; nothing if its issuer does not answer."""
    provider = people.provider_at(session.issuer)
    try:
        url = await provider.end_url() if provider is not None else None
    except FAULTS:
        return ""
    parts = urlsplit(url or "")
    return f"{parts.scheme}://{parts.netloc}" if url else ""


def _refused(request: Request, words: str, status: int) -> Response:
    """Return the page of a log-in that did not succeed, and count it."""
    api_of(request).audit.refused(status, address_of(request), "")
    return pages.refusal(words, status, {"set-cookie": no_cookie(attempts.COOKIE)})


async def _not_let_in(request: Request, provider: Provider, subject: str, why: str, words: str) -> Response:
    """Return the page of a person whom the issuer knows and who is not let in, and note who it was."""
    name = provider.tokens.name
    actor = f"person:{name}/{subject}" if name else f"person:{subject}"
    address, id = address_of(request) or None, request_id(request)
    await api_of(request).audit.enter(
        Entry(actor, "session.refused", detail={"why": why}, address=address, request_id=id)
    )
    return pages.refusal(words, 403, {"set-cookie": no_cookie(attempts.COOKIE)})


def _away(provider: Provider, error: Exception) -> Response:
    log.warning("issuer_away", issuer=provider.tokens.issuer, error=type(error).__name__, why=str(error))
    return pages.refusal("The identity provider does not answer. Try again later.", 503, {"retry-after": "30"})
