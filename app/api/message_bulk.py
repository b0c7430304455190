"""POST /v1/messages/cancel and /release: changes the messages of a client that are in a state and pass a filter, a number at a
time. Each message changes as by its own route: with the same event, the same audit, and only from the states that allow it."""

from datetime import UTC, datetime

import structlog
from starlette.requests import Request
from starlette.responses import Response

from app.api.bodies import PRIVATE, write
from app.api.bulk import bulk_of, flag_in, unfit
from app.api.message_list import FILTERS, page_of, waiting_of
from app.api.service import api_of, caller
from app.sending.events import cancelled

#: The states from which messages are cancelled, and released, in bulk.
CANCELLED, RELEASED = ("queued", "held", "retrying", "unanswered"), ("held", "unanswered")

log = structlog.get_logger(__name__)


async def cancel_many(request: Request) -> Response:
    """Cancel messages that wait; those that are being sent are not among them. Raises Problem."""
    key = caller(request)
    bulk = await bulk_of(request, FILTERS)
    which, now = waiting_of(key.client, bulk.filter, CANCELLED), datetime.now(UTC)
    rows, following = await page_of(request, which, bulk.cursor, bulk.limit, "cancel")
    done = len(rows)
    if not bulk.dry:
        done = await api_of(request).store.cancel_messages(
            which, [row["id"] for row in rows], lambda ids: [(cancelled(id), key.client, now, None) for id in ids]
        )
        log.info("messages cancelled", client=key.client, messages=done, was=which.state, actor=key.actor)
    return Response(write({"cancelled": done, "next": following}), 200, PRIVATE, "application/json")


async def release_many(request: Request) -> Response:
    """Release held messages before their time or, with `resend`, send unanswered ones again. Raises Problem."""
    key = caller(request)
    bulk = await bulk_of(request, FILTERS, ("resend",))
    which, resend = waiting_of(key.client, bulk.filter, RELEASED), flag_in(bulk.more, "resend")
    if which.state == "unanswered" and not resend:
        words = 'their provider may have taken them: to send them again all the same, add "resend": true'
        raise unfit("$.resend", words)
    rows, following = await page_of(request, which, bulk.cursor, bulk.limit, "release")
    done = len(rows)
    if not bulk.dry:
        done = await api_of(request).store.release_messages(which, [row["id"] for row in rows], key.actor)
        log.info("messages released", client=key.client, messages=done, was=which.state, actor=key.actor)
    return Response(write({"released": done, "next": following}), 200, PRIVATE, "application/json")
