"""Verifies tokens of an issuer (JWT, RFC 7519, by the rules of RFC 8725), and reads from their claims what their holder may do."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from jwt.exceptions import ExpiredSignatureError, InvalidTokenError

from app.http.jwks import Jwks
from app.http.scopes import ALL_CLIENTS, ROLES, SCOPES, granted
from app.settings.identity import Identity

#: Most characters of a token.
MOST = 8192
#: Header parameters that bring or name a key, or demand an extension: no issuer that is configured here needs one.
_REFUSED = frozenset(("jku", "jwk", "x5u", "x5c", "crit"))


class Invalid(Exception):
    """The token is not valid here. The message may go to the caller."""


@dataclass(frozen=True, slots=True)
class Issued:
    """What a valid token says: who holds it (`subject`, of the issuer), for which client (None: for none), with which scopes."""

    issuer: str
    subject: str
    client: str | None
    scopes: frozenset[str]


class Tokens:
    """Verifies the tokens of the issuer that the settings name."""

    def __init__(self, identity: Identity, keys: Jwks | None = None) -> None:
        assert identity.issuer is not None
        self._issuer, self._identity = identity.issuer, identity
        self._keys = keys or Jwks(identity.issuer, identity.jwks_url)

    async def check(self, token: str) -> Issued:
        """Return what a token says. Raises Invalid, and IssuerAway if the issuer's keys are not known now."""
        if len(token) > MOST:
            raise Invalid(f"This token is longer than {MOST} characters.")
        try:
            header = jwt.get_unverified_header(token)
        except InvalidTokenError as error:
            raise Invalid("This is neither an API key nor a token (JWT).") from error
        if _REFUSED & header.keys() or not isinstance(id := header.get("kid"), str):
            raise Invalid(
                "This token's header must name a key of its issuer (kid), and neither bring one nor demand an extension."
            )
        key = await self._keys.key(id)
        # The key decides the algorithm, never the token: else a public key could be used as a secret (RFC 8725 section 3.1).
        if key is None or header.get("alg") != key.algorithm_name:
            raise Invalid("This token is not signed by a key of its issuer.")
        identity = self._identity
        try:
            claims = jwt.decode(
                token,
                key.key,
                algorithms=[key.algorithm_name],
                audience=identity.audience,
                issuer=self._issuer,
                leeway=identity.leeway,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except ExpiredSignatureError as error:
            raise Invalid("This token expired.") from error
        except InvalidTokenError as error:
            raise Invalid(
                "This token is not valid here: its signature, issuer, audience or times are wrong."
            ) from error
        return self._said(claims)

    def _said(self, claims: Mapping[str, Any]) -> Issued:
        identity = self._identity
        if identity.acr and claims.get("acr") not in identity.acr:
            raise Invalid(f"This token needs a stronger login: acr must be {' or '.join(identity.acr)}.")
        if not set(identity.amr) <= set(_words(claims.get("amr"))):
            raise Invalid(f"This token needs a stronger login: amr must have {', '.join(identity.amr)}.")
        # The subject goes into the audit log as it is.
        if not (subject := str(claims["sub"])).isprintable() or not subject:
            raise Invalid("This token's subject (sub) is empty, or has characters that cannot be printed.")
        client = _at(claims, identity.client_claim)
        if not isinstance(client, str) or not client.isprintable() or len(client) > 128 or client == ALL_CLIENTS:
            client = None
        scopes = [word for word in _words(_at(claims, identity.scope_claim)) if word in SCOPES]
        roles = [word for word in _words(_at(claims, identity.roles_claim)) if word in ROLES]
        return Issued(self._issuer, subject, client or None, granted(scopes, roles))


def _at(claims: Mapping[str, Any], path: str) -> Any:
    """Return the claim at a path with dots, None if there is none. A claim whose name itself has dots comes first."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _words(value: Any) -> list[str]:
    """Return the words of a claim: of a list, or of a text with spaces between them."""
    if isinstance(value, str):
        return value.split()
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
