"""GET /v1/messages?state=…: a client's messages that wait, or that ended without being sent, by state and page by
page."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app.api.batch import link
from app.api.bodies import answer
from app.api.cursors import decode_page, encode_page
from app.api.messages import READ
from app.api.parameters import limit_of, read, refusal
from app.api.service import api_of, caller

#: The states that can be listed: `queued`, by the index from which messages are claimed, and those of the index
#: `messages_by_state`. Nearly all messages pass through `sending` to `sent`, so an index of these would cost every send;
#: sent messages are in the timelines.
LISTED = ("queued", "unanswered", "held", "retrying", "failed", "expired", "cancelled")
PARAMETERS = ("state", "limit", "cursor")


async def listed(request: Request) -> Response:
    """Return messages and the `next` page's cursor: queued ones the longest due first, others the last changed first.
    Raises Problem."""
    key = await caller(request, READ)
    given = read(request, PARAMETERS)
    state = given.get("state")
    if state not in LISTED:
        raise refusal("state", f"state is one of: {', '.join(LISTED)}. A message in another state is found by its id.")
    question, after = f"messages\x1f{key.client}\x1f{state}", None
    if "cursor" in given:
        try:
            after = decode_page(given["cursor"], question)
        except ValueError as error:
            raise refusal("cursor", f"cursor: {error}. Begin again without it.") from error
    limit = limit_of(given)
    store = api_of(request).store
    if state == "queued":
        order, rows = "due_at", await store.messages_queued(key.client, after, limit + 1)
    else:
        order, rows = "changed_at", await store.messages_in_state(key.client, state, after, limit + 1)
    page, last = rows[:limit], rows[limit - 1] if len(rows) > limit else None
    following = encode_page(last[order], last["id"], question) if last else None
    return answer(request, {"messages": [_listed_json(row) for row in page], "next": following})


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
