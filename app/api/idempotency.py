"""Idempotency-Key: a repeated request gets the answer of the first
(https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/).
"""

import re
from hashlib import sha256
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from app.http.problems import Problem
from sql import EventStore

HEADER, REPLAYED = "Idempotency-Key", "idempotency-replayed"
#: Most characters of a key.
MOST = 255

#: The draft asks for a string of RFC 9651 section 3.3.3 (in quotes); most callers send it without quotes.
_QUOTED = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"', re.ASCII)
_BARE = re.compile(r"[!#-+\--~]+", re.ASCII)


def key_of(request: Request) -> str | None:
    """Return the key, None if there is none; `"abc"` and `abc` are the same. Raises Problem 400."""
    given = request.headers.getlist(HEADER)
    if not given:
        return None
    text = given[0].strip()
    if quoted := _QUOTED.fullmatch(text):
        key = re.sub(r"\\(.)", r"\1", quoted[1])
    else:
        key = text if _BARE.fullmatch(text) else ""
    if len(given) > 1 or not 0 < len(key) <= MOST:
        detail = f'{HEADER} is one string of 1 to {MOST} characters, as "8e03978e-40d5-43e8-bc93-6894a57f9324".'
        raise Problem(400, detail, parameter=HEADER)
    return key


def fingerprint(request: Request, document: Any) -> bytes:
    """Return a digest (32 bytes) of a request: of its method, its path, and its body regardless of formatting."""
    body = orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
    return sha256(b"\n".join((request.method.encode(), request.url.path.encode(), body))).digest()


async def replay(store: EventStore, client_id: str, key: str, mark: bytes) -> Response | None:
    """Return the stored answer for this key, or None. Raises Problem 422 if another request had the key (`mark` is this
    one's fingerprint), and 410 if its answer was removed.
    """
    kept = await store.recall(client_id, key, mark)
    if kept is None:
        return None
    if kept.answer is None:
        raise erased()
    if not kept.same:
        raise taken()
    return Response(kept.answer, kept.status, {REPLAYED: "true"}, "application/json")


def taken() -> Problem:
    """Return the problem of a request whose key another request has used."""
    detail = f"Another request was taken under this {HEADER}: give each its own, and repeat one as it was."
    return Problem(422, detail, parameter=HEADER)


def erased() -> Problem:
    """Return the problem of a request whose answer was removed."""
    detail = (
        f"A request was taken under this {HEADER}, and its answer was removed since: the recipient of one of its messages was erased. "
        "Nothing was sent now. Take another key for another request."
    )
    return Problem(410, detail, parameter=HEADER)


def in_flight() -> Problem:
    """Return the problem of a request that another one with the same key is ahead of."""
    detail = f"A request with this {HEADER} is being answered just now: ask again for its answer."
    return Problem(409, detail, parameter=HEADER, headers={"retry-after": "1"})
