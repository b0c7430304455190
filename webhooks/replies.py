"""Builds responses as ASGI messages: adapters' answers, and problem documents for refusals."""

from http import HTTPStatus
from typing import Any

import orjson

from adapters.contract import Answer

#: A response: its start message and its body message.
Reply = tuple[dict[str, Any], dict[str, Any]]

#: Stands for the source of a request that no source recognises.
UNKNOWN = "-"

#: Retry-After, in seconds, when too many requests are in progress.
SOON = 1

ALLOW = b"GET, HEAD, POST, OPTIONS"


class Refused(Exception):
    """A request is refused with this status. `reason` goes to the operator's log. The caller gets the status and `detail`. To a
    caller who is not authenticated, `detail` tells at most which limit was exceeded.

    `close` closes the connection, because the rest of the request will not be read.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        *,
        source: str = UNKNOWN,
        retry_after: int | None = None,
        close: bool = False,
        detail: str | None = None,
    ) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.source = source
        self.retry_after = retry_after
        self.close = close
        self.detail = detail


_answers: dict[tuple[int, str, bytes], Reply] = {}


def reply(answer: Answer) -> Reply:
    """Return the messages of an adapter's answer. Short ones (TwiML, an empty 200) are cached."""
    key = (answer.status, answer.content_type, answer.body)
    known = _answers.get(key)
    if known is None:
        headers = [] if answer.status == 204 else [(b"content-type", answer.content_type.encode("latin-1"))]
        known = _reply(answer.status, headers, answer.body)
        if len(answer.body) <= 256 and len(_answers) < 256:
            _answers[key] = known
    return known


def refusal(refused: Refused) -> Reply:
    """Return a refusal as a problem document (RFC 9457)."""
    problem = {"type": "about:blank", "title": HTTPStatus(refused.status).phrase, "status": refused.status}
    if refused.detail is not None:
        problem["detail"] = refused.detail
    body = orjson.dumps(problem)
    headers = [(b"content-type", b"application/problem+json")]
    if refused.retry_after is not None:
        headers.append((b"retry-after", b"%d" % refused.retry_after))
    if refused.status == 405:
        headers.append((b"allow", ALLOW))
    if refused.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if refused.close:
        headers.append((b"connection", b"close"))
    return _reply(refused.status, headers, body)


def options() -> Reply:
    """Return the response to OPTIONS: the allowed methods."""
    return _reply(204, [(b"allow", ALLOW)], b"")


def _reply(status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> Reply:
    if status != 204:
        headers = [*headers, (b"content-length", b"%d" % len(body))]
    start = {"type": "http.response.start", "status": status, "headers": headers}
    return start, {"type": "http.response.body", "body": body}
