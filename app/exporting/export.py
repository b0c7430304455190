"""Makes the export of a customer: data.json, its schema, timeline.html, and README.txt."""

from collections.abc import AsyncIterator
from datetime import datetime
from importlib.resources import files

import orjson

from app.exporting.archive import archived
from app.exporting.gathering import Document, Forms, Subject, head_of, interactions_of, messages_of
from app.exporting.page import foot, head, rows, shared
from app.exporting.shared import Parts, pages_of, parts_of, shared_messages
from app.settings import Settings
from sql import EventStore

_WRITE = orjson.OPT_UTC_Z | orjson.OPT_INDENT_2
SCHEMA = "data.schema.json"

_README = """What is kept of one customer
============================

Made by Threadline on {at} for client {client}, customer {customer}.

data.json         everything, for programs: handles (addresses) with consents and time zone,
                  which handle was the customer's and when, interactions with their content,
                  the customer's own events in interactions that others share (`parts`), and
                  messages that were asked to be sent. Its form: data.schema.json
                  (JSON Schema 2020-12).
timeline.html     the interactions, newest first, and after them the parts in those that others
                  share, to be read in a browser. It needs no network.

Where it comes from: the webhooks of the providers named in each interaction (`provider`), and
the requests and reports of the services of this client. These providers carried the messages,
and keep records of their own.

Not in it: attachments, which interactions name by their addresses; the webhooks as they came,
which are kept for a limited time and are in the interactions as far as they are about this
customer; events of interactions that others share which name nobody; and the audit, which says
who read this data, without its content.

An interaction may quote other people. See to their rights before you give this to anybody.
"""


async def export(
    store: EventStore, settings: Settings, subject: Subject, now: datetime, forms: Forms
) -> AsyncIterator[bytes]:
    """Yield the ZIP in pieces."""
    parts = await parts_of(store, settings, subject)
    members = {
        "README.txt": _once(
            _README.format(at=f"{now:%Y-%m-%d %H:%M} UTC", client=subject.client, customer=subject.customer).encode()
        ),
        "data.json": _data(store, subject, now, forms, parts),
        SCHEMA: _once(files("app.exporting").joinpath(SCHEMA).read_bytes()),
        "timeline.html": _page(store, subject, now, forms, parts),
    }
    async for piece in archived(members, now):
        yield piece


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def _data(store: EventStore, subject: Subject, now: datetime, forms: Forms, parts: Parts) -> AsyncIterator[bytes]:
    """Yield data.json: one object, whose long lists are written as they are read."""
    begun = orjson.dumps(await head_of(store, subject, now), option=_WRITE)
    yield begun[: begun.rindex(b"\n}")]
    for name, pages in (
        ("interactions", interactions_of(store, subject, forms.interaction, parts.ids)),
        ("parts", pages_of(store, subject, parts, forms.event)),
        ("messages", _messages(store, subject, parts)),
    ):
        yield f',\n  "{name}": ['.encode()
        async for piece in _listed(pages):
            yield piece
        yield b"]"
    yield b"\n}\n"


async def _messages(store: EventStore, subject: Subject, parts: Parts) -> AsyncIterator[list[Document]]:
    async for page in messages_of(store, subject, parts.ids):
        yield page
    async for page in shared_messages(store, subject, parts):
        yield page


async def _listed(pages: AsyncIterator[list[Document]]) -> AsyncIterator[bytes]:
    comma = b""
    async for page in pages:
        for one in page:
            yield comma + b"\n" + orjson.dumps(one, option=_WRITE)
            comma = b","


async def _page(store: EventStore, subject: Subject, now: datetime, forms: Forms, parts: Parts) -> AsyncIterator[bytes]:
    yield head(subject, now).encode()
    day = None
    async for page in interactions_of(store, subject, forms.interaction, parts.ids):
        text, day = rows(page, day)
        yield text.encode()
    async for page in pages_of(store, subject, parts, forms.event):
        yield shared(page).encode()
    yield foot().encode()
