"""Verifies webhooks, answers handshakes and reads Graph API responses, for WhatsApp, Messenger and Instagram.

https://developers.facebook.com/docs/graph-api/webhooks/getting-started (validating payloads, verification requests),
https://developers.facebook.com/docs/graph-api/guides/error-handling.
"""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from adapters.contract import (
    Answer,
    InvalidSignature,
    Outcome,
    Request,
    Response,
    Setting,
    Unconfigured,
    Unprocessable,
    Unsendable,
    Values,
    accepted,
    refused,
    secrets_of,
)
from adapters.reading.bodies import query_of
from adapters.reading.shapes import answer_of
from adapters.signing.signatures import header, same, signs
from schemas.events import Error

GRAPH = "https://graph.facebook.com"
VERSION = "v25.0"
SIGNATURE = "HMAC-SHA256 of the body"
SECRETS = (
    Setting("app_secret", "The app's secret (App Dashboard, App settings, Basic)."),
    Setting("verify_token", "The verify token that you choose and enter with the webhook's URL, for Meta's handshake."),
)
API = (
    Setting("api_url", f"URL of the Graph API; {GRAPH} if not set.", secret=False),
    Setting("api_version", f"The Graph API's version; {VERSION} if not set.", secret=False),
)


def is_handshake(request: Request) -> bool:
    """Return whether it is a verification request, which does not name the platform."""
    return request.method == "GET" and "hub.mode=" in request.url


def names(object_: str) -> re.Pattern[bytes]:
    """Return the pattern by which a body names its platform."""
    return re.compile(rb'"object"\s{0,4}:\s{0,4}"%b"' % object_.encode())


def is_of(request: Request, named: re.Pattern[bytes]) -> bool:
    """Return whether it is a handshake, or its body names the platform: near its beginning, unless the request has
    Meta's signature header."""
    if request.method == "GET":
        return is_handshake(request)
    return named.search(request.body if "x-hub-signature-256" in request.headers else request.body[:200]) is not None


def verify(request: Request, values: Values) -> bool | None:
    """Verify HMAC-SHA256 of the body with the app secret, in `X-Hub-Signature-256: sha256=…`. Raises
    InvalidSignature."""
    secrets = secrets_of(values, "app_secret")
    if not secrets:
        return None
    given = header(request, "x-hub-signature-256").removeprefix("sha256=")
    if any([signs(secret, "sha256", request.body, given) for secret in secrets]):
        return True
    raise InvalidSignature("no configured app_secret makes this signature")


def handshake(request: Request, values: Values) -> Answer | None:
    """Return the `hub.challenge` to a caller that knows the verify token. Raises InvalidSignature if it does not,
    Unconfigured if no token is configured."""
    if not is_handshake(request):
        return None
    try:
        query = dict(query_of(request))
    except Unprocessable as error:
        raise InvalidSignature(str(error)) from error
    given = query.get("hub.verify_token", "").encode("utf-8", "replace")
    tokens = secrets_of(values, "verify_token")
    if not tokens:
        raise Unconfigured("no verify_token is configured to answer the handshake with")
    if not any([same(token.encode(), given) for token in tokens]):
        raise InvalidSignature("hub.verify_token is not the configured verify_token")
    return Answer(200, query.get("hub.challenge", "").encode("utf-8", "replace"))


def outcome(
    response: Response,
    id_of: Callable[[dict[str, Any]], str | None],
    error_of: Callable[[dict[str, Any]], tuple[Error, bool | None]],
    of_account: Collection[str],
) -> Outcome:
    """Read a response of the Graph API.

    `id_of` finds the message's id; `error_of` reads the `error` and whether to retry (None: depends on the status).
    `of_account` holds the codes of errors that concern the account.
    """
    answer = answer_of(response)
    problem = answer.get("error")
    if 200 <= response.status < 300 and not isinstance(problem, dict):
        return accepted(id_of(answer))
    error, again = error_of(problem if isinstance(problem, dict) else {})
    # 403 with an unknown code may concern the recipient.
    account = error.code in of_account or (response.status == 401 and error.reason == "unknown")
    return refused(response, error, retryable=again, account=account)


def body_of(variables: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the body component of a template: variables named "1", "2", … by position, others by name. Raises
    Unsendable."""
    numbers = [name for name in variables if name.isascii() and name.isdecimal()]
    if numbers and len(numbers) < len(variables):
        raise Unsendable("a template of Meta's has its variables by position or by name, not some by each")
    named = [{"type": "text", "parameter_name": name, "text": value} for name, value in variables.items()]
    parameters = [{"type": "text", "text": variables[name]} for name in sorted(numbers, key=int)] if numbers else named
    return [{"type": "body", "parameters": parameters}] if parameters else []
