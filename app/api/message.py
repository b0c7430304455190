"""/v1/messages/{id}: a message's state, why it waits, and cancelling or releasing it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import structlog
from starlette.requests import Request
from starlette.responses import Response

from app.api.audited import about
from app.api.batch import link
from app.api.bodies import answer, write
from app.api.parameters import read
from app.api.payload import json_of
from app.api.service import Api, api_of, caller, sees_consents
from app.clients.configured import UnknownAccount, UnknownClient
from app.http.access import Key
from app.http.problems import Problem
from app.sending.decide import Decision, Send
from app.sending.events import cancelled
from app.sending.explain import decision_of, explain
from app.sending.requests import PRIORITIES
from sql.showing import showing, shows

#: The states that the API shows. The state `watched` (the next channel may still be tried) is internal, and shown as
#: `sent`.
STATES = (
    "queued", "held", "sending", "retrying", "unanswered", "sent", "failed", "expired", "cancelled",
)  # fmt: skip
#: Final states.
DONE = ("sent", "failed", "expired", "cancelled")
#: Most bytes of a body.
MOST = 4096
#: Headers of answers about one message, which no cache may store.
UNSTORED = {"cache-control": "no-store"}

_PRIORITIES = {number: name for name, number in PRIORITIES.items()}

log = structlog.get_logger(__name__)


async def message(request: Request) -> Response:
    """Return the message with its attempts. Raises Problem."""
    key = caller(request)
    read(request, ())
    return answer(request, _message_json(await _row(request, key)))


async def explained(request: Request) -> Response:
    """Explain the message's state by the client's current configuration; without the recipient's consent for who may not know it,
    who else could try addresses by messages that never leave. Raises Problem."""
    key = caller(request)
    read(request, ())
    row, now, shown = await _row(request, key), datetime.now(UTC), shows()
    waits = await api_of(request).store.waits(key.client, row["message_id"])
    if waits is None:  # removed meanwhile, as old enough
        raise _unknown()
    if not (told := sees_consents(request)):
        waits = dict(waits) | {"opted_out": ()}
    with showing(True):  # the zone is decided by the address
        whole = row if shown else await _row(request, key)
    reasons = explain(row, waits, await _decision(api_of(request), whole, waits, now), now, consent=told)
    body = {
        "messageId": row["message_id"],
        "state": _state(row),
        "words": "; ".join(reason.words for reason in reasons),
        "reasons": [{"kind": one.kind, "words": one.words, "until": one.until} for one in reasons],
    }
    return Response(write(body), headers=UNSTORED, media_type="application/json")


async def cancel(request: Request) -> Response:
    """Cancel the message: 200 if it waited, 202 if it is being sent and may still arrive. Raises Problem, 409 if it is
    too late."""
    key = caller(request)
    read(request, ())
    id, now = await _named(request, key), datetime.now(UTC)
    was = await api_of(request).store.cancel(key.client, id, (cancelled(id), key.client, now, None))
    if was == "sending":
        words = "It is being sent just now, and may arrive; if this try fails, there is no other."
        return _changed(id, "sending", 202, detail=words)
    if was is not None:
        return _changed(id, "cancelled", 200)
    row = await _row(request, key)
    if row["state"] == "cancelled":
        return _changed(id, "cancelled", 200)
    raise Problem(409, f"It is too late to cancel it: it is {_state(row)}.", state=_state(row))


async def release(request: Request) -> Response:
    """Release a held message before its time or, with `resend`, send an unanswered one again. Raises Problem, 409 if it
    is not held."""
    key = caller(request)
    read(request, ())
    resend = await _resend(request)
    id, actor = await _named(request, key), key.actor
    was = await api_of(request).store.release(key.client, id, resend, actor)
    if was is not None:
        log.info("message released", client=key.client, message=id, was=was, actor=actor)
        return _changed(id, "queued", 200)
    row = await _row(request, key)
    if row["state"] == "unanswered":
        words = 'Its provider may have taken it: to send it again all the same, release it with {"resend": true}.'
        raise Problem(409, words, state="unanswered")
    raise Problem(409, f"It is not held: it is {_state(row)}.", state=_state(row))


async def _resend(request: Request) -> bool:
    """Read `resend` from the body; without a body it is False. Raises Problem."""
    if "transfer-encoding" not in request.headers and request.headers.get("content-length", "0") == "0":
        return False
    body = await json_of(request, MOST)
    if not isinstance(body, dict) or body.keys() - {"resend"}:
        raise Problem(422, '$: must be an object, with no member but "resend"', path="$")
    resend = body.get("resend", False)
    if not isinstance(resend, bool):
        raise Problem(422, "$.resend: must be true or false", path="$.resend")
    return resend


async def _row(request: Request, key: Key) -> dict[str, Any]:
    row = await api_of(request).store.message(key.client, _id(request))
    if row is None:
        raise _unknown()
    # Not as the path names it: that may be the key of the request, and so an address.
    about(request, row["message_id"])
    return row


async def _named(request: Request, key: Key) -> str:
    """Return the message's id; the path has it, or the key of its request. Raises Problem."""
    id: str = (await _row(request, key))["message_id"]
    return id


def _id(request: Request) -> str:
    id: str = request.path_params["id"]
    if "\0" in id:  # PostgreSQL cannot store it
        raise _unknown()
    return id


def _unknown() -> Problem:
    return Problem(404, "No message of this client has this id.")


async def _decision(api: Api, row: Mapping[str, Any], waits: Mapping[str, Any], now: datetime) -> Decision | str:
    """Return what a worker would do with the message now, or why it could do nothing."""
    if row["state"] in DONE:
        return ""
    try:
        client = await api.clients.client(row["client_id"])
        decision = decision_of(row, waits, client, now)
        if isinstance(decision, Send):
            await api.clients.account(client, decision.route.account)
    except (UnknownClient, UnknownAccount) as error:
        return str(error)
    return decision


def _message_json(row: Mapping[str, Any]) -> dict[str, Any]:
    state, request = _state(row), row["request"]
    return {
        "messageId": row["message_id"],
        "interactionId": row["interaction_id"],
        "state": state,
        "delivery": row["delivery"],
        "channel": row["channel"] or None,
        "account": row["account"] or None,
        "priority": _PRIORITIES[row["priority"]],
        "to": request.get("to"),
        "reference": request.get("reference"),
        "acceptedAt": row["accepted_at"],
        "changedAt": row["changed_at"],
        "dueAt": row["due_at"] if state not in (*DONE, "unanswered") else None,
        "notBefore": row["not_before"],
        "sendBefore": row["expires_at"],
        "cancelled": row["cancelled"],
        "cause": row["cause"],
        "error": row["error"],
        "providerMessageId": row["provider_message_id"],
        "attempts": [_attempt(one) for one in row["attempts"]],
        "links": {name: link(row["message_id"]) + path for name, path in _LINKS.items()},
    }


_LINKS = {"self": "", "explain": "/explain", "cancel": "/cancel", "release": "/release"}


def _attempt(row: Mapping[str, Any]) -> dict[str, Any]:
    times = {name: row[name] and datetime.fromisoformat(row[name]) for name in ("begunAt", "answeredAt")}
    return dict(row) | times


def _state(row: Mapping[str, Any]) -> str:
    state: str = row["state"]
    return "sent" if state == "watched" else state


def _changed(id: str, state: str, status: int, **more: Any) -> Response:
    body = write({"messageId": id, "state": state, **more, "links": {"self": link(id)}})
    return Response(body, status, UNSTORED, "application/json")
