"""The log-in with a browser elsewhere: the device authorization grant (RFC 8628)."""

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx

from app.cli.support.terminal import print_note
from app.http.discovery import description_of, exchange
from app.login.attempts import Attempt, challenge
from app.login.oauth import Refused, asked

#: Seconds between two questions, where the issuer states none, and more after each `slow_down`.
INTERVAL, SLOWER = 5.0, 5.0


async def by_device(issuer: str, client_id: str, scopes: Sequence[str]) -> dict[str, Any]:
    """Print where to go and the code to enter, and wait; return the answer with the tokens. Raises Refused, FAULTS."""
    async with exchange() as http:
        description = await description_of(http, issuer)
        # RFC 8628 knows no PKCE; issuers that do demand it of some clients, and others pass over what they do not know.
        attempt = Attempt.new("", None)
        wanted = {"code_challenge": challenge(attempt.verifier), "code_challenge_method": "S256"}
        wanted |= {"scope": " ".join(scopes)} if scopes else {}
        begun = await asked(http, description, "device_authorization_endpoint", wanted, client_id)
    code, where, user_code = (begun.get(name) for name in ("device_code", "verification_uri", "user_code"))
    if not all(isinstance(each, str) for each in (code, where, user_code)):
        raise ValueError("its answer has no code")
    print_note(f"Open {where} and enter the code {user_code}")
    if isinstance(whole := begun.get("verification_uri_complete"), str):
        print_note(f"or open {whole}")
    stated = begun.get("interval")
    wait = float(stated) if isinstance(stated, int | float) and stated >= 0 else INTERVAL
    grant = "urn:ietf:params:oauth:grant-type:device_code"
    form = {"grant_type": grant, "device_code": str(code), "code_verifier": attempt.verifier}
    while True:
        await asyncio.sleep(wait)
        try:
            async with exchange() as http:
                return await asked(http, description, "token_endpoint", form, client_id)
        except Refused as error:
            if error.code == "slow_down":
                wait += SLOWER
            elif error.code != "authorization_pending":
                raise
        except (TimeoutError, httpx.TransportError):  # RFC 8628 section 3.5
            wait += SLOWER
