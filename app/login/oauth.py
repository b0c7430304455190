"""What a client of an OpenID provider says to it: where to log in, and forms to its token endpoint. Used by the HTTP process and by
the command line."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote_plus, urlencode

import httpx
from pydantic import SecretStr

from app.http.discovery import endpoint, json_of

#: What an exchange with an issuer raises if it fails for another reason than a refusal.
FAULTS = (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValueError)


class Refused(Exception):
    """The issuer refused. `code`: its `error` (RFC 6749 section 5.2). The message is for the person."""

    def __init__(self, code: str, words: str = "") -> None:
        self.code = code if code.isprintable() else "?"
        more = f": {words}" if words and words.isprintable() else ""
        super().__init__(f"The identity provider refused ({self.code}{more}).")


def authorization_url(
    description: Mapping[str, Any],
    *,
    client_id: str,
    redirect: str,
    scopes: Sequence[str],
    state: str,
    challenge: str,
    nonce: str | None = None,
    acr: Sequence[str] = (),
) -> str:
    """Return the URL at which a person logs in (RFC 6749 section 4.1.1, RFC 7636 section 4.3). Raises ValueError."""
    wanted = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect,
        "scope": " ".join(scopes),
        "state": state,
        "nonce": nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "acr_values": " ".join(acr),
    }
    return with_query(endpoint(description, "authorization_endpoint"), wanted)


def with_query(url: str, more: Mapping[str, str | None]) -> str:
    """Return a URL with these parameters too, but for empty ones."""
    return f"{url}{'&' if '?' in url else '?'}{urlencode({name: value for name, value in more.items() if value})}"


async def asked(
    http: httpx.AsyncClient,
    description: Mapping[str, Any],
    where: str,
    form: Mapping[str, str],
    client_id: str,
    secret: SecretStr | None = None,
) -> dict[str, Any]:
    """Return the answer of an endpoint (`where`) to a form of a client: with its secret, where it has one (RFC 6749 section 2.3.1).
    Raises Refused, and FAULTS."""
    url = endpoint(description, where)
    if secret is None:
        found = await json_of(http, url, {**form, "client_id": client_id}, refusals=True)
    else:
        auth = quote_plus(client_id), quote_plus(secret.get_secret_value())
        found = await json_of(http, url, form, auth, refusals=True)
    if isinstance(code := found.get("error"), str):
        raise Refused(code, str(found.get("error_description") or ""))
    return found
