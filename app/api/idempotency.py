"""Idempotency-Key: a request that came before is answered as it was then
(https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/). A key has no time at which it is forgotten.
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
#: Characters of a key.
MOST = 255

#: The draft has a string of RFC 9651 section 3.3.3 (in quotes); most that send one send it bare.
_QUOTED = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"', re.ASCII)
_BARE = re.compile(r"[!#-+\--~]+", re.ASCII)


def key_of(request: Request) -> str | None:
    """The key, None where none is given; `"abc"` and `abc` are the same. Raises Problem 400."""
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
    """The same (32 bytes) for the same request: its method, path, and what its body says, however that is written."""
    body = orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
    return sha256(b"\n".join((request.method.encode(), request.url.path.encode(), body))).digest()


async def replay(store: EventStore, client_id: str, key: str, mark: bytes) -> Response | None:
    """The answer of the request that came under this key before; None where none did, or none was taken.

    Raises Problem 422 where that was another request (`mark` is this one's fingerprint).
    """
    kept = await store.recall(client_id, key)
    if kept is None:
        return None
    if bytes(kept["fingerprint"]) != mark:
        raise taken()
    return Response(bytes(kept["answer"]), kept["status"], {REPLAYED: "true"}, "application/json")


def taken() -> Problem:
    """The problem of a request under a key that is another's."""
    detail = f"Another request was taken under this {HEADER}: give each its own, and repeat one as it was."
    return Problem(422, detail, parameter=HEADER)


def in_flight() -> Problem:
    """The problem of a request whose like is being answered just now."""
    detail = f"A request with this {HEADER} is being answered just now: ask again for its answer."
    return Problem(409, detail, parameter=HEADER, headers={"retry-after": "1"})
