"""Writes reads of personal data, and changes that the store does not audit itself, to the audit: a table of routes."""

import math
from collections.abc import Awaitable, Callable, Iterable
from functools import wraps

from starlette.requests import Request
from starlette.responses import Response

from app.api.service import api_of
from app.auditing.entering import PATIENCE, NotWritten
from app.http.problems import Problem
from app.http.scopes import PERSONAL, RECORDS
from sql.audited import Entry
from sql.origin import origin

Answer = Callable[[Request], Awaitable[Response]]

#: The action of each audited method and path; the path's `id` is the subject, unless the route calls `about`.
AUDITED: dict[tuple[str, str], str] = {
    ("GET", "/api/customers"): "customer.read",
    ("GET", "/api/customers/{id}/interactions"): "timeline.read",
    ("GET", "/api/customers/{id}/interactions/stream"): "timeline.stream",
    ("GET", "/api/interactions/{id}"): "interaction.read",
    ("GET", "/api/interactions/{id}/attachments/{n}"): "attachment.read",
    ("GET", "/v1/customers"): "customer.read",
    ("GET", "/v1/customers/{id}"): "customer.read",
    ("GET", "/v1/customer-conflicts"): "customer.conflicts",
    ("POST", "/v1/customers/{id}/merge"): "customer.merge",
    ("POST", "/v1/customers/{id}/link"): "customer.merge",
    ("POST", "/v1/customers/{id}/split"): "customer.split",
    ("POST", "/v1/customers/{id}/unlink"): "customer.unlink",
    ("POST", "/v1/customer-changes/{id}/undo"): "customer.undo",
    ("GET", "/v1/customers/{id}/export"): "customer.export",
    ("GET", "/v1/recipients/{handle:path}"): "recipient.read",
    ("PUT", "/v1/recipients/{handle:path}"): "recipient.set",
    ("PUT", "/v1/recipients/{handle:path}/consents/{channel}"): "consent.set",
    ("GET", "/v1/dead-letters"): "dead_letter.read",
    ("GET", "/v1/dead-letters/{id}"): "dead_letter.read",
    ("GET", "/v1/messages"): "message.read",
    ("GET", "/v1/messages/{id:path}"): "message.read",
    ("GET", "/v1/messages/{id:path}/explain"): "message.read",
    ("GET", "/v1/audit"): "entries.read",
}


def about(request: Request, subject: str) -> None:
    """State whose data a request reads or changes, for its entry: an id, or the kind of an address, never the address."""
    request.scope.setdefault("state", {})["subject"] = subject


def looks(request: Request) -> None:
    """State that a request only looks at what it could change: its entry is that of a read."""
    request.scope.setdefault("state", {})["action"] = "customer.read"


def of_clients(request: Request, clients: Iterable[str | None]) -> None:
    """State whose data a request reads where that may be other clients' than the caller's: its entry goes to the audit of each. None:
    of no client, as a record that could not be read so far."""
    request.scope.setdefault("state", {})["clients"] = {client or "" for client in clients}


def audited(method: str, path: str, answer: Answer) -> Answer:
    """Return a route that writes an entry for each request that it answers, if its action is in the table, and counts those that
    it refuses to a key that is authentic. Raises Problem 503 where the entry is required and cannot be written."""
    action = AUDITED.get((method, path))

    @wraps(answer)
    async def noting(request: Request) -> Response:
        try:
            response = await answer(request)
        except Problem as error:
            # `authenticated` counts a key without the scope, and sets no key then: this one asked for another client's.
            if error.status == 403 and (key := request.scope.get("state", {}).get("key")) is not None:
                api_of(request).audit.refused(403, origin().address or "", str(key.id))
            raise
        if action is None:
            return response
        key = request.scope["state"]["key"]
        if action == "dead_letter.read" and not key.scopes >= RECORDS:
            return response  # without the record, and its reason in a general form
        done = request.scope["state"].get("action", action)
        subject = str(request.scope["state"].get("subject", request.path_params.get("id", "")))
        asked, detail = origin(), {"masked": True} if method == "GET" and PERSONAL not in key.scopes else {}
        by = (asked.key_id, asked.address, asked.request_id)
        try:
            for client in sorted(request.scope["state"].get("clients") or (key.client,)):
                await api_of(request).audit.enter(Entry(asked.actor, done, client, subject, detail, *by))
        except NotWritten as error:
            raise Problem(
                503,
                "The audit cannot be written now, and no personal data is given without it.",
                headers={"retry-after": str(math.ceil(PATIENCE))},
            ) from error
        return response

    return noting
