"""Makes the export of a customer: data.json, its schema, timeline.html, and README.txt."""

from collections.abc import AsyncIterator
from datetime import datetime
from importlib.resources import files

import orjson

from app.exporting.archive import archived
from app.exporting.gathering import Document, Form, Subject, head_of, interactions_of, messages_of
from app.exporting.page import foot, head, rows
from sql import EventStore

_WRITE = orjson.OPT_UTC_Z | orjson.OPT_INDENT_2
SCHEMA = "data.schema.json"

_README = """What is kept of one customer
============================

Made by Threadline on {at} for client {client}, customer {customer}.

data.json         everything, for programs: handles (addresses) with consents and time zone,
                  which handle was the customer's and when, interactions with their content,
                  and messages that were asked to be sent. Its form: data.schema.json
                  (JSON Schema 2020-12).
timeline.html     the interactions, newest first, to be read in a browser. It needs no network.

Where it comes from: the webhooks of the providers named in each interaction (`provider`), and
the requests and reports of the services of this client. These providers carried the messages,
and keep records of their own.

Not in it: attachments, which interactions name by their addresses; the webhooks as they came,
which are kept for a limited time and are in the interactions as far as they are about this
customer; and the audit, which says who read this data, without its content.

An interaction may quote other people. See to their rights before you give this to anybody.
"""


async def export(store: EventStore, subject: Subject, now: datetime, form: Form) -> AsyncIterator[bytes]:
    """Yield the ZIP in pieces; `form` makes the JSON of an interaction."""
    members = {
        "README.txt": _once(
            _README.format(at=f"{now:%Y-%m-%d %H:%M} UTC", client=subject.client, customer=subject.customer).encode()
        ),
        "data.json": _data(store, subject, now, form),
        SCHEMA: _once(files("app.exporting").joinpath(SCHEMA).read_bytes()),
        "timeline.html": _page(store, subject, now, form),
    }
    async for piece in archived(members, now):
        yield piece


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def _data(store: EventStore, subject: Subject, now: datetime, form: Form) -> AsyncIterator[bytes]:
    """Yield data.json: one object, whose two long lists are written as they are read."""
    begun = orjson.dumps(await head_of(store, subject, now), option=_WRITE)
    yield begun[: begun.rindex(b"\n}")]
    for name, pages in (
        ("interactions", interactions_of(store, subject, form)),
        ("messages", messages_of(store, subject)),
    ):
        yield f',\n  "{name}": ['.encode()
        async for piece in _listed(pages):
            yield piece
        yield b"]"
    yield b"\n}\n"


async def _listed(pages: AsyncIterator[list[Document]]) -> AsyncIterator[bytes]:
    comma = b""
    async for page in pages:
        for one in page:
            yield comma + b"\n" + orjson.dumps(one, option=_WRITE)
            comma = b","


async def _page(store: EventStore, subject: Subject, now: datetime, form: Form) -> AsyncIterator[bytes]:
    yield head(subject, now).encode()
    day = None
    async for page in interactions_of(store, subject, form):
        text, day = rows(page, day)
        yield text.encode()
    yield foot().encode()
