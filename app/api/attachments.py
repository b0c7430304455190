"""GET /api/interactions/{id}/attachments/{n}: the bytes of one file of an interaction, read from the webhook that brought it."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import IO, Any
from urllib.parse import quote
from uuid import UUID

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from adapters.contract import Request as Received
from adapters.reading.attachments import attachment
from app.api.bodies import PRIVATE
from app.api.negotiation import has
from app.api.parameters import read
from app.api.service import Api, api_of, caller
from app.http.problems import Problem
from sql.sealed_records import UnknownKey, Unopenable
from sql.sealing import NoKey, Tampered
from webhooks.blobs import NoBlob, StoreAway, matches
from webhooks.blobs.sealed import opened
from webhooks.record import Webhook, decode

#: Bytes of a file that are read from disk at once; files up to this many bytes are held in memory.
PIECE, SMALL = 256 << 10, 1 << 20
#: Media types as RFC 6838 section 4.2 spells them; any other is sent as bytes.
_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}")
#: A browser must not run or show what a stranger sent: it saves the file, guesses no other type, and grants it no rights.
SAFE = {"x-content-type-options": "nosniff", "content-security-policy": "sandbox; default-src 'none'"}


async def attachment_of(request: Request) -> Response:
    """Return the file at place `n` of the interaction's `content.media`, counted from 0. Raises Problem."""
    key = caller(request)
    read(request, ())
    api = api_of(request)
    missing = Problem(404, "There is no such attachment.")
    try:
        id, place = UUID(request.path_params["id"]), int(request.path_params["n"])
    except ValueError as error:
        raise missing from error
    row = await api.store.interaction(key.client, id)
    media = ((row or {}).get("content") or {}).get("media")
    if row is None or not isinstance(media, list) or not 0 <= place < len(media):
        raise missing
    wanted = media[place]
    digest, size = wanted.get("digest"), wanted.get("size")
    if not isinstance(digest, str) or not isinstance(size, int):
        raise Problem(404, "The provider did not send this attachment's bytes; see its url or id.")
    tag = f'"{digest[:32]}"'
    if has(request, tag):
        return Response(status_code=304, headers=PRIVATE | {"etag": tag})
    file = await _search(api, key.client, row["id"], size, digest)
    kind = wanted.get("type")
    headers = {
        **PRIVATE,
        **SAFE,
        "etag": tag,
        "content-length": str(size),
        "content-type": kind if isinstance(kind, str) and _TYPE.fullmatch(kind) else "application/octet-stream",
        "content-disposition": _disposition(wanted.get("name")),
    }
    if request.method == "HEAD":
        file.close()
        return Response(headers=headers)
    return StreamingResponse(_pieces(file), headers=headers, background=BackgroundTask(file.close))


async def _search(api: Api, client: str, interaction: UUID, size: int, digest: str) -> IO[bytes]:
    """Return the file, open for reading. Raises Problem 410 if its webhook was deleted, 503 if the blobs cannot be read."""
    events = await api.store.history(client, interaction)
    blocks = [(event["webhook_block"], event["webhook_id"]) for event in events if _names(event["payload"], digest)]
    async with api.searches:
        for block, id in blocks:
            if block is None or id is None:
                continue
            for raw in await _records(api, block, id):
                try:
                    webhook = decode(raw)
                    if webhook.client == client:
                        body = await _body(api, webhook)
                        return await asyncio.to_thread(_found, api, webhook, body, size, digest)
                except (ValueError, NoBlob, Unopenable, Tampered):
                    continue
                except (StoreAway, NoKey, OSError) as error:
                    raise Problem(503, "The attachments cannot be read now.", headers={"retry-after": "10"}) from error
    raise Problem(410, "The webhook that brought this attachment was deleted.")


def _names(payload: Any, digest: str) -> bool:
    """Return whether an event's content has a file of this digest."""
    content = payload.get("content") if isinstance(payload, dict) else None
    media = content.get("media") if isinstance(content, dict) else None
    return any(one.get("digest") == digest for one in media or () if isinstance(one, dict))


async def _records(api: Api, block: int, id: UUID) -> list[bytes]:
    """Return the webhooks of this id in a block. Raises Problem 503 where they cannot be opened now."""
    try:
        return await api.store.read_raw(block, id)
    except (UnknownKey, Tampered):
        return []
    except NoKey as error:
        raise Problem(503, "The attachments cannot be read now.", headers={"retry-after": "10"}) from error


async def _body(api: Api, webhook: Webhook) -> bytes:
    """Return a webhook's body. Raises NoBlob, StoreAway, Unopenable, Tampered, and NoKey where the settings lack a key."""
    if webhook.blob is None:
        return webhook.body
    data = await asyncio.to_thread(api.blobs.read, webhook.blob.name)
    try:
        return await opened(data, api.store)
    except (Unopenable, Tampered):
        if not await asyncio.to_thread(matches, webhook.blob.name, webhook.client, data):
            raise
        return data  # nobody sealed it


def _found(api: Api, webhook: Webhook, body: bytes, size: int, digest: str) -> IO[bytes]:
    """Return the file. Raises OSError, and ValueError if the webhook does not have it."""
    one = Received(webhook.method, webhook.url, webhook.headers, body, webhook.received_at, webhook.source)
    data = attachment(one, size, digest)
    if data is None:
        raise ValueError("the webhook has no such attachment")
    # On disk while a slow caller reads it, and without a name, so that it ends with this process.
    file = api.blobs.temporary(SMALL)
    file.write(data)
    file.seek(0)
    return file


async def _pieces(file: IO[bytes]) -> AsyncIterator[bytes]:
    try:
        while piece := await asyncio.to_thread(file.read, PIECE):
            yield piece
    finally:
        file.close()


def _disposition(name: Any) -> str:
    """Return the header that makes a browser save the file (RFC 6266), with its name in ASCII and in UTF-8 (RFC 8187)."""
    given = "".join(c for c in name if c.isprintable() and c not in "/\\")[:200] if isinstance(name, str) else ""
    if not given:
        return "attachment"
    ascii_ = "".join(c if c.isascii() and c not in '"%' else "_" for c in given)
    return f"attachment; filename=\"{ascii_}\"; filename*=UTF-8''{quote(given, safe='')}"
