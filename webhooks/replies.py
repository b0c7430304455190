"""Answers as ASGI messages, made once for each kind: what a provider hears, and the problem documents of refusals."""

from http import HTTPStatus
from typing import Any

import orjson

from adapters.contract.receiving import Answer

#: A response: the message that starts it and the one that is its body.
Reply = tuple[dict[str, Any], dict[str, Any]]

#: The source of a request that has none that is known.
UNKNOWN = "-"

#: Seconds after which a caller may come again, of whom there were too many at once.
SOON = 1

ALLOW = b"GET, HEAD, POST, OPTIONS"


class Refused(Exception):
    """The request is refused with this status. `reason` is for the operator's log; the caller is told the status only, and
    `detail` where it has proved who it is.

    `close` ends the connection, where what remains of the request is not going to be read.
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
    """The messages of an adapter's answer. Short ones (TwiML, an empty 200) are remembered, as they repeat."""
    key = (answer.status, answer.content_type, answer.body)
    known = _answers.get(key)
    if known is None:
        headers = [] if answer.status == 204 else [(b"content-type", answer.content_type.encode("latin-1"))]
        known = _reply(answer.status, headers, answer.body)
        if len(answer.body) <= 256 and len(_answers) < 256:
            _answers[key] = known
    return known


def refusal(refused: Refused) -> Reply:
    """The problem document (RFC 9457) of a refusal. Without a detail it says nothing that the status does not."""
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
    """What is allowed here."""
    return _reply(204, [(b"allow", ALLOW)], b"")


def _reply(status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> Reply:
    if status != 204:
        headers = [*headers, (b"content-length", b"%d" % len(body))]
    start = {"type": "http.response.start", "status": status, "headers": headers}
    return start, {"type": "http.response.body", "body": body}
