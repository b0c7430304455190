"""Finds customers by an address that the caller names, who knows it already.

Who sees addresses masked must not find out the rest of one by trying: a mask leaves some 100,000 numbers open, and each answer tells
whether a number is known. So such a caller has a small allowance of addresses that are not, and is refused before the answer when
it is used up.
"""

import math
from typing import Any

from starlette.requests import Request

from app.api.service import api_of, caller, sees
from app.http.problems import Problem
from schemas.events import Handle
from schemas.typed_handles import typed


async def holder_of(request: Request, handle: Handle) -> list[dict[str, Any]]:
    """Return all handles of the customer who has this one. Raises Problem 404, and 429 for who tries too many."""
    tries(request)
    rows = await api_of(request).store.customer_of(caller(request).client, handle.kind, handle.value)
    if not rows:
        raise Problem(404, f"Nothing is known of {typed(handle.kind, handle.value)}.")
    succeeds(request)
    return rows


def tries(request: Request) -> None:
    """Count a look-up by an address. `succeeds` must follow if it is known. Raises Problem 429."""
    if sees(request):
        return
    taken = api_of(request).unknown.take(caller(request).id)
    if not taken.passes:
        detail = (
            "Too many addresses were asked for that are not known. With the scope personal:read there is no such limit."
        )
        raise Problem(429, detail, headers={"retry-after": str(math.ceil(taken.wait))})


def succeeds(request: Request) -> None:
    """Take back the count of a look-up, since the address is known."""
    if not sees(request):
        api_of(request).unknown.give_back(caller(request).id)
