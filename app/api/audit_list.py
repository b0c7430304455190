"""GET /v1/audit: who did what of a client's, page by page, newest first."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from app.api.bodies import answer
from app.api.cursors import encode_page
from app.api.parameters import after_in, limit_of, one_of, read, refusal, time_in
from app.api.service import api_of, caller
from sql.audited import ACTIONS

FILTERS = ("since", "until", "actor", "action", "subject")
PARAMETERS = (*FILTERS, "limit", "cursor")
#: Most characters of an actor, and of a subject.
MOST = 512


async def listed(request: Request) -> Response:
    """Return entries and the `next` page's cursor. Raises Problem."""
    key, given = caller(request), read(request, PARAMETERS)
    for name in ("actor", "subject"):
        if len(given.get(name, "")) > MOST:
            raise refusal(name, f"{name} has more than {MOST} characters.")
    wanted = {
        "actor": given.get("actor"),
        "action": one_of(given, "action", tuple(ACTIONS)),
        "subject": given.get("subject"),
        "since": time_in(given, "since"),
        "until": time_in(given, "until"),
    }
    limit, question = limit_of(given), "\x1f".join(("audit", key.client, *(str(value) for value in wanted.values())))
    after = after_in(given, question)
    before = None if after is None else after[1].int
    if before is not None and before >= 1 << 63:
        raise refusal("cursor", "cursor: this is no cursor of ours. Begin again without it.")
    rows = await api_of(request).store.audit_page(key.client, wanted, before, limit + 1)
    last = rows[limit - 1] if len(rows) > limit else None
    # The position alone is the place; positions grow, but need not in the order of the times.
    following = encode_page(last["at"], UUID(int=last["position"]), question) if last else None
    return answer(request, {"entries": [_entry_json(row) for row in rows[:limit]], "next": following})


def _entry_json(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "position": row["position"],
        "at": row["at"],
        "actor": row["actor"],
        "action": row["action"],
        "subject": row["subject"],
        "detail": row["detail"],
        "keyId": row["key_id"],
        "address": row["address"],
        "requestId": row["request_id"],
        "reason": row["why"],
    }
