"""Verifies tokens of issuers (JWT, RFC 7519, by the rules of RFC 8725), and reads from their claims what their holder may do."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import jwt
from jwt.exceptions import ExpiredSignatureError, InvalidTokenError

from app.clients.ids import is_client_id
from app.http.jwks import Jwks
from app.http.scopes import ROLES, SCOPES, granted
from app.settings.identity import Identity

#: Most characters of a token, and clients that one names.
MOST, CLIENTS = 8192, 100
#: What each token must say, beside what its kind demands.
REQUIRED = ("exp", "iss", "aud", "sub")
#: Header parameters that bring or name a key, or demand an extension: no issuer that is configured here needs one.
_REFUSED = frozenset(("jku", "jwk", "x5u", "x5c", "crit"))


class Invalid(Exception):
    """The token is not valid here. The message may go to the caller."""


@dataclass(frozen=True, slots=True)
class Issued:
    """What a valid token says: who holds it (`subject`, of the issuer), for which clients, with which scopes. `name`: that of the issuer
    in the settings."""

    issuer: str
    name: str
    subject: str
    clients: tuple[str, ...]
    scopes: frozenset[str]

    @property
    def client(self) -> str | None:
        """The only client; None if there is none, or several."""
        return self.clients[0] if len(self.clients) == 1 else None

    @property
    def holder(self) -> str:
        """Who holds it, among the subjects of all issuers, for the audit."""
        return f"{self.name}/{self.subject}" if self.name else self.subject


class Checks(Protocol):
    """What verifies the tokens of one issuer or of several."""

    async def check(self, token: str) -> Issued:
        """Return what a token says. Raises Invalid, IssuerAway."""
        ...


class Tokens:
    """Verifies the tokens of one issuer. `name`: that of the issuer in the settings."""

    def __init__(self, identity: Identity, keys: Jwks | None = None, name: str = "") -> None:
        assert identity.issuer is not None
        self.issuer, self.identity, self.name = identity.issuer, identity, name
        self._keys = keys or Jwks(identity.issuer, identity.jwks_url)

    async def check(self, token: str) -> Issued:
        """Return what a token for the API says. Raises Invalid, and IssuerAway if the issuer's keys are not known now."""
        return self.said(await self.verified(token, self.identity.audience))

    async def verified(
        self, token: str, audience: Sequence[str], required: Sequence[str] = REQUIRED
    ) -> Mapping[str, Any]:
        """Return the claims of a token that the issuer signed for one of an audience, and that is of this time. Raises as `check` does."""
        if len(token) > MOST:
            raise Invalid(f"This token is longer than {MOST} characters.")
        try:
            header = jwt.get_unverified_header(token)
        except (InvalidTokenError, RecursionError) as error:  # the latter: of JSON in JSON in JSON
            raise Invalid("This is neither an API key nor a token (JWT).") from error
        if _REFUSED & header.keys() or not isinstance(id := header.get("kid"), str):
            raise Invalid(
                "This token's header must name a key of its issuer (kid), and neither bring one nor demand an extension."
            )
        key = await self._keys.key(id)
        # The key decides the algorithm, never the token: else a public key could be used as a secret (RFC 8725 section 3.1).
        if key is None or header.get("alg") != key.algorithm_name:
            raise Invalid("This token is not signed by a key of its issuer.")
        try:
            claims: Mapping[str, Any] = jwt.decode(
                token,
                key.key,
                algorithms=[key.algorithm_name],
                audience=audience,
                issuer=self.issuer,
                leeway=self.identity.leeway,
                options={"require": list(required)},
            )
        except ExpiredSignatureError as error:
            raise Invalid("This token expired.") from error
        except InvalidTokenError as error:
            raise Invalid(
                "This token is not valid here: its signature, issuer, audience or times are wrong."
            ) from error
        return claims

    def said(self, claims: Mapping[str, Any]) -> Issued:
        """Return what verified claims say of their holder. Raises Invalid."""
        identity = self.identity
        if identity.acr and claims.get("acr") not in identity.acr:
            raise Invalid(f"This token needs a stronger login: acr must be {' or '.join(identity.acr)}.")
        if not set(identity.amr) <= set(_words(claims.get("amr"))):
            raise Invalid(f"This token needs a stronger login: amr must have {', '.join(identity.amr)}.")
        # The subject goes into the audit log as it is.
        if not (subject := str(claims["sub"])).isprintable() or not subject:
            raise Invalid("This token's subject (sub) is empty, or has characters that cannot be printed.")
        named = _at(claims, identity.client_claim)
        stated = [one for one in (named if isinstance(named, list) else [named]) if isinstance(one, str)]
        clients = sorted({one for one in stated if one.isprintable() and is_client_id(one)})[:CLIENTS]
        scopes = [word for word in _words(_at(claims, identity.scope_claim)) if word in SCOPES]
        return Issued(self.issuer, self.name, subject, tuple(clients), granted(scopes, self._roles(claims)))

    def _roles(self, claims: Mapping[str, Any]) -> list[str]:
        words, mapping = _words(_at(claims, self.identity.roles_claim)), self.identity.roles
        if mapping:
            return [role for word in words for role in mapping.get(word, ())]
        return [word for word in words if word in ROLES]


class Issuers:
    """Verifies the tokens of several issuers, each by its own keys, audience and claims: `iss` says by which."""

    def __init__(self, issuers: Mapping[str, Identity]) -> None:
        made = [Tokens(identity, name=name) for name, identity in issuers.items()]
        self._of = {tokens.issuer: tokens for tokens in made}

    def __iter__(self) -> Iterator[Tokens]:
        """Yield each issuer's."""
        return iter(self._of.values())

    def of(self, token: str) -> Tokens:
        """Return what verifies a token, by the issuer that it states, which is not verified yet. Raises Invalid."""
        if len(token) > MOST:
            raise Invalid(f"This token is longer than {MOST} characters.")
        try:
            stated = jwt.decode(token, options={"verify_signature": False}).get("iss")
        except (InvalidTokenError, RecursionError) as error:  # the latter: of JSON in JSON in JSON
            raise Invalid("This is neither an API key nor a token (JWT).") from error
        if not isinstance(stated, str) or (found := self._of.get(stated)) is None:
            raise Invalid("This token is not valid here: it is of no issuer that is accepted here.")
        return found

    async def check(self, token: str) -> Issued:
        """Return what a token for the API says, as `Tokens.check` does."""
        return await self.of(token).check(token)


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
