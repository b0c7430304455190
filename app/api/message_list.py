"""GET /v1/messages?state=…: a client's messages that wait, or that ended without being sent, by state and page by
page."""

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app.api.batch import link
from app.api.bodies import answer
from app.api.cursors import encode_page
from app.api.parameters import after_in, limit_of, one_of, read, refusal, time_in
from app.api.service import api_of, caller
from schemas.events import CHANNELS
from sql import Waiting

#: The states that can be listed: `queued`, by the index from which messages are claimed, and those of the index
#: `messages_by_state`. Nearly all messages pass through `sending` to `sent`, so an index of these would cost every send;
#: sent messages are in the timelines.
LISTED = ("queued", "unanswered", "held", "retrying", "failed", "expired", "cancelled")
FILTERS = ("state", "channel", "account", "since", "until")
PARAMETERS = (*FILTERS, "limit", "cursor")


async def listed(request: Request) -> Response:
    """Return messages and the `next` page's cursor: queued ones the longest due first, others the last changed first.
    Raises Problem."""
    key = caller(request)
    given = read(request, PARAMETERS)
    which, limit = waiting_of(key.client, given, LISTED), limit_of(given)
    rows, following = await page_of(request, which, given, limit)
    return answer(request, {"messages": [_listed_json(row) for row in rows], "next": following})


def waiting_of(client: str, given: Mapping[str, str], states: Sequence[str]) -> Waiting:
    """Return which messages the parameters name. Raises Problem 400."""
    state = given.get("state")
    if state is None or state not in states:
        raise refusal("state", f"state is one of: {', '.join(states)}. A message in another state is found by its id.")
    return Waiting(
        client_id=client,
        state=state,
        channel=one_of(given, "channel", CHANNELS),
        account=given.get("account"),
        since=time_in(given, "since"),
        until=time_in(given, "until"),
    )


async def page_of(
    request: Request, which: Waiting, given: Mapping[str, str], limit: int, what: str = ""
) -> tuple[list[dict[str, Any]], str | None]:
    """Return a page of messages after the cursor that is given, and the cursor of the next page. `what`: the change that the cursor
    belongs to. Raises Problem 400."""
    question = "\x1f".join(("messages", what, *(str(value) for value in which)))
    rows = await api_of(request).store.messages_waiting(which, after_in(given, question), limit + 1)
    last = rows[limit - 1] if len(rows) > limit else None
    order = "due_at" if which.state == "queued" else "changed_at"
    return rows[:limit], encode_page(last[order], last["id"], question) if last else None


def _listed_json(row: Mapping[str, Any]) -> dict[str, Any]:
    waits = row["state"] in ("queued", "held", "retrying")
    return {
        "messageId": row["message_id"],
        "state": row["state"],
        "channel": row["channel"] or None,
        "account": row["account"] or None,
        "reference": row["reference"],
        "acceptedAt": row["accepted_at"],
        "changedAt": row["changed_at"],
        "dueAt": row["due_at"] if waits else None,
        "sendBefore": row["expires_at"],
        "cause": row["cause"],
        "error": row["error"],
        "links": {"self": link(row["message_id"])},
    }
