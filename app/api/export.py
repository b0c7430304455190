"""GET /v1/customers/{id}/export: all that is kept of a customer, as a ZIP that is made while it is sent."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from app.api.bodies import PRIVATE, event, interaction
from app.api.customers import customer_id
from app.api.parameters import read
from app.api.service import Api, api_of, caller
from app.exporting.export import export
from app.exporting.gathering import Forms, Subject, subject_of
from app.http.problems import Problem

#: Exports of this process at once; most seconds that one may take.
AT_ONCE, LONGEST = 2, 3600.0
_FORMS = Forms(interaction, event)


async def export_of(request: Request) -> Response:
    """Return the export. Raises Problem."""
    key, customer, api = caller(request), customer_id(request), api_of(request)
    read(request, ())
    subject = await subject_of(api.store, key.client, customer)
    if subject is None:
        raise Problem(404, "There is no customer with this id who is not erased.")
    headers = PRIVATE | {"content-disposition": f'attachment; filename="customer-{subject.customer}.zip"'}
    if request.method == "HEAD":
        return Response(headers=headers, media_type="application/zip")
    if api.exporting >= AT_ONCE:
        raise Problem(503, "Other exports are being made. Try again.", headers={"retry-after": "10"})
    return StreamingResponse(_bounded(api, subject), headers=headers, media_type="application/zip")


async def _bounded(api: Api, subject: Subject) -> AsyncIterator[bytes]:
    """Yield the export, within a time, counted while it is made."""
    api.exporting += 1
    try:
        async with asyncio.timeout(LONGEST):
            async for piece in export(api.store, api.settings, subject, datetime.now(UTC), _FORMS):
                yield piece
    finally:
        api.exporting -= 1
