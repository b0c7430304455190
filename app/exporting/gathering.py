"""Reads what is kept of one customer, a page at a time."""

from collections.abc import AsyncIterator, Callable, Collection, Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from schemas.events import Handle
from sql import EventStore

#: Interactions of one read.
PAGE = 200

Document = dict[str, Any]
#: Makes the JSON of an interaction, or of an event, of the store, as the API has it.
Form = Callable[[Mapping[str, Any]], Document]


class Forms(NamedTuple):
    """How interactions and events are written."""

    interaction: Form
    event: Form


class Subject(NamedTuple):
    """Whose data is exported: the client, the customer's present id and handles (`kind`, `value`, `id`)."""

    client: str
    customer: UUID
    handles: list[Mapping[str, Any]]


async def subject_of(store: EventStore, client: str, customer: UUID) -> Subject | None:
    """Return the subject of an export; None if the client has no such customer, or he was erased."""
    handles = [row for row in await store.handles(client, customer) if row["value"] is not None]
    return Subject(client, handles[0]["customer_id"], list(handles)) if handles else None


async def head_of(store: EventStore, subject: Subject, now: datetime) -> Document:
    """Return what there is once of a customer."""
    hold = await store.hold_of(subject.client, subject.customer)
    return {
        "version": 1,
        "exportedAt": now,
        "clientId": subject.client,
        "customerId": subject.customer,
        "handles": [
            {
                "handleId": row["id"],
                "kind": row["kind"],
                "value": row["value"],
                **await _recipient(store, subject.client, row),
            }
            for row in subject.handles
        ],
        "assignments": [
            {
                "handleId": row["handle_id"],
                "validFrom": None if row["valid_from"] == "-infinity" else row["valid_from"],
                "validTo": None if row["valid_to"] == "infinity" else row["valid_to"],
                "customerId": row["customer_id"],
            }
            for row in await store.exported_assignments(subject.client, subject.customer)
        ],
        "legalHold": hold and {"reason": hold["reason"], "until": hold["until"]},
    }


async def _recipient(store: EventStore, client: str, row: Mapping[str, Any]) -> Document:
    handle = Handle(row["kind"], row["value"])
    profile = await store.profile(client, handle)
    consents = await store.consents(client, handle)
    return {
        "zone": profile and profile["zone"],
        "consents": [
            {
                "channel": each["channel"],
                "optedOut": each["opted_out"],
                "optedOutAt": each["opted_out_at"],
                "optedOutBasis": each["opted_out_basis"],
                "optedInAt": each["opted_in_at"],
                "optedInBasis": each["opted_in_basis"],
            }
            for each in consents
        ],
    }


async def interactions_of(
    store: EventStore, subject: Subject, form: Form, without: Collection[UUID] = ()
) -> AsyncIterator[list[Document]]:
    """Yield the customer's interactions in pages, newest first, without those that others share."""
    before = None
    while True:
        rows = await store.timeline(subject.client, subject.customer, before=before, limit=PAGE)
        if page := [form(row) for row in rows if row["id"] not in without]:
            yield page
        if len(rows) < PAGE:
            return
        before = (rows[-1]["timestamp"], rows[-1]["id"])


async def messages_of(
    store: EventStore, subject: Subject, without: Collection[UUID] = ()
) -> AsyncIterator[list[Document]]:
    """Yield the messages that were asked to be sent to the customer and are still kept, in pages, without those of interactions that others
    share."""
    before = None
    while True:
        rows = await store.timeline(subject.client, subject.customer, before=before, limit=PAGE, direction="outbound")
        ids = [row["message_id"] for row in rows if row["message_id"] is not None and row["id"] not in without]
        if ids and (found := await store.exported_messages(subject.client, ids)):
            yield [message(row) for row in found]
        if len(rows) < PAGE:
            return
        before = (rows[-1]["timestamp"], rows[-1]["id"])


def message(row: Mapping[str, Any]) -> Document:
    """Return what an export has of a message that is still kept."""
    return {
        "messageId": row["message_id"],
        "state": row["state"],
        "channel": row["channel"],
        "account": row["account"],
        "acceptedAt": row["accepted_at"],
        "changedAt": row["changed_at"],
        "request": row["request"],
        "error": row["error"],
    }
