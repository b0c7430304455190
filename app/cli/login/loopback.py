"""The log-in with a browser of this machine: the authorization code with PKCE, answered on loopback (RFC 8252 section 7.3)."""

import asyncio
import hmac
import webbrowser
from collections.abc import Sequence
from typing import Any

from aiohttp import web

from app.cli.support.terminal import print_note
from app.http.discovery import description_of, exchange
from app.login.attempts import Attempt, challenge
from app.login.oauth import Refused, asked, authorization_url

PATH = "/callback"
_HEADERS = {
    "content-security-policy": "default-src 'none'",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
}


async def by_browser(issuer: str, client_id: str, scopes: Sequence[str], *, open: bool) -> dict[str, Any]:
    """Send the browser to the issuer, and wait until it comes back; return the answer with the tokens. Raises Refused, FAULTS."""
    async with exchange() as http:
        description = await description_of(http, issuer)
    attempt, came = Attempt.new("", None), asyncio.get_running_loop().create_future()

    async def take(request: web.Request) -> web.Response:
        # Any page may send a browser here: what is not the answer to this log-in is passed over.
        if not hmac.compare_digest(request.query.get("state", "").encode(), attempt.state.encode()):
            return web.Response(
                status=400, text="This is not the answer to the log-in that waits here.", headers=_HEADERS
            )
        if not came.done():
            came.set_result(dict(request.query))
        return web.Response(text="You may close this page and go back to the terminal.", headers=_HEADERS)

    served = web.Application()
    served.add_routes([web.get(PATH, take)])
    runner = web.AppRunner(served, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        redirect = f"http://127.0.0.1:{runner.addresses[0][1]}{PATH}"
        url = authorization_url(
            description,
            client_id=client_id,
            redirect=redirect,
            scopes=scopes,
            state=attempt.state,
            challenge=challenge(attempt.verifier),
        )
        print_note(f"Log in with your browser: {url}")
        if open:
            await asyncio.to_thread(webbrowser.open, url)
        answer: dict[str, str] = await came
    finally:
        await runner.cleanup()
    stated, states = answer.get("iss"), description.get("authorization_response_iss_parameter_supported") is True
    if stated != issuer and (stated is not None or states):
        raise ValueError("the answer is of another issuer")
    if "code" not in answer:
        raise Refused(answer.get("error", "no code"), answer.get("error_description", ""))
    form = {
        "grant_type": "authorization_code",
        "code": answer["code"],
        "redirect_uri": redirect,
        "code_verifier": attempt.verifier,
    }
    async with exchange() as http:
        return await asked(http, description, "token_endpoint", form, client_id)
