"""One issuer as the OpenID provider of people's log-ins: OpenID Connect Core 1.0, Back-Channel Logout 1.0, RP-Initiated Logout 1.0."""

import asyncio
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

from app.http.discovery import description_of, exchange
from app.http.issued import Invalid, Tokens
from app.http.jwks import FRESH
from app.login.attempts import Attempt, challenge
from app.login.oauth import asked, authorization_url, with_query

#: The path to which issuers send people back.
CALLBACK = "/login/callback"
#: The event that a logout token states.
LOGOUT = "http://schemas.openid.net/event/backchannel-logout"
#: Most seconds since a logout token was made.
AGE = 300
#: Seconds in which an issuer that did not answer is not asked again for its description.
AGAIN = 5.0
#: Most characters of an issuer's session id.
_MOST = 256


@dataclass(frozen=True, slots=True)
class Over:
    """What a logout token says: sessions of this subject, or of the issuer's session `sid`, that began until `said` are over."""

    subject: str | None
    sid: str | None
    said: datetime


class Provider:
    """An issuer at which `url` (ours) is registered. `tokens` verifies what it signs."""

    def __init__(self, tokens: Tokens, url: str) -> None:
        identity = tokens.identity
        assert identity.login_client_id is not None
        self.tokens, self.identity = tokens, identity
        self._client, self._url = identity.login_client_id, url
        #: The issuer's description of itself, None if it did not answer, and until when (monotonic) it is not asked again.
        self._described: dict[str, Any] | None = None
        self._until = 0.0
        self._turn = asyncio.Lock()

    async def begin(self, attempt: Attempt) -> str:
        """Return the URL at which a person logs in. Raises the FAULTS of `app.login.oauth`."""
        return authorization_url(
            await self._description(),
            client_id=self._client,
            redirect=self._url + CALLBACK,
            scopes=self.identity.login_scopes,
            state=attempt.state,
            nonce=attempt.nonce,
            challenge=challenge(attempt.verifier),
            acr=self.identity.acr,
        )

    async def claims(self, attempt: Attempt, code: str, iss: str | None) -> Mapping[str, Any]:
        """Return the verified claims of the person for a code. `iss`: what the answer with the code states (RFC 9207).

        Raises Refused (also for a wrong code verifier), Invalid, IssuerAway, and FAULTS.
        """
        description = await self._description()
        states = description.get("authorization_response_iss_parameter_supported") is True
        if iss != self.tokens.issuer and (iss is not None or states):
            raise Invalid("This answer is of another identity provider than the one that was asked.")
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._url + CALLBACK,
            "code_verifier": attempt.verifier,
        }
        async with exchange() as http:
            secret = self.identity.login_client_secret
            answer = await asked(http, description, "token_endpoint", form, self._client, secret)
        token = answer.get("id_token")
        claims = await self.tokens.verified(token if isinstance(token, str) else "", [self._client])
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", None if several else self._client) != self._client:
            raise Invalid("This ID token is of another client.")
        # In constant time, though the nonce is of this browser alone.
        if not hmac.compare_digest(str(claims.get("nonce")).encode(), attempt.nonce.encode()):
            raise Invalid("This ID token is of another log-in.")
        return claims

    async def over(self, token: str) -> Over:
        """Return what a logout token says (Back-Channel Logout 1.0 section 2.6). Raises Invalid, IssuerAway."""
        claims = await self.tokens.verified(token, [self._client], ("iss", "aud", "iat", "exp", "jti", "events"))
        events, subject, sid = claims["events"], claims.get("sub"), claims.get("sid")
        if not isinstance(events, dict) or not isinstance(events.get(LOGOUT), dict) or "nonce" in claims:
            raise Invalid("This is no logout token.")
        named = [each for each in (subject, sid) if each is not None]
        if not named or not all(isinstance(each, str) and each and each.isprintable() for each in named):
            raise Invalid("This logout token names neither a subject (sub) nor a session (sid).")
        leeway = self.identity.leeway
        if not isinstance(claims["iat"], int | float):
            raise Invalid("This logout token's time (iat) is no number.")
        if not 0 <= time.time() - claims["iat"] + leeway <= AGE + 2 * leeway:
            raise Invalid("This logout token is too old.")
        return Over(subject, sid, datetime.fromtimestamp(claims["iat"] + leeway, UTC))

    async def end_url(self) -> str | None:
        """Return the URL at which a person ends the issuer's own session, None if there is none. Raises FAULTS."""
        url = (await self._description()).get("end_session_endpoint")
        if not isinstance(url, str):
            return None
        return with_query(url, {"client_id": self._client, "post_logout_redirect_uri": self._url + "/"})

    async def _description(self) -> dict[str, Any]:
        async with self._turn:  # of many who come at once one asks
            if time.monotonic() >= self._until:
                self._described = None
                try:
                    async with exchange() as http:
                        self._described = await description_of(http, self.tokens.issuer)
                finally:
                    self._until = time.monotonic() + (AGAIN if self._described is None else FRESH)
            if self._described is None:
                raise ValueError("the issuer did not answer a moment ago")
            return self._described


def sid_of(claims: Mapping[str, Any]) -> str | None:
    """Return the issuer's id of its own session, None if an ID token names none."""
    sid = claims.get("sid")
    return sid if isinstance(sid, str) and 0 < len(sid) <= _MOST and sid.isprintable() else None


def logout_token(body: bytes) -> str:
    """Return the token of a form of the back-channel log-out. Raises Invalid."""
    try:
        (token,) = parse_qs(body.decode("ascii", "replace"), max_num_fields=10)["logout_token"]
    except (ValueError, KeyError) as error:
        raise Invalid("The body must be a form with one logout_token.") from error
    return token
