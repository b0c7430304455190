"""Gathers a customer's part in interactions that others share: a provider used an id again, or gives several people one. Such an interaction
is joined of what all of them said, so that an export has the customer's own events in its place."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from app.archive import archived_events, files_of
from app.exporting.gathering import Document, Form, Subject, message
from app.settings import Settings
from sql import EventStore
from sql.archive import ArchiveError
from sql.exporting import Shared
from sql.holdings import Holding
from webhooks.blobs import StoreMisconfigured

#: Interactions of one read, whose events are in memory.
PAGE = 50
#: The end of what has none.
FOREVER = datetime.max.replace(tzinfo=UTC)


@dataclass
class Parts:
    """Interactions of a customer that others share, when the customer had which handle, and what the archive has of them; `unread`: the
    months of the archive that could not be read here."""

    shared: Sequence[Shared] = ()
    holdings: Sequence[Holding] = ()
    archived: list[dict[str, Any]] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)

    @property
    def ids(self) -> set[UUID]:
        """The interactions' ids."""
        return {each.id for each in self.shared}


async def parts_of(store: EventStore, settings: Settings, subject: Subject) -> Parts:
    """Find these interactions, and read what the archive has of them."""
    shared: list[Shared] = []
    after = UUID(int=0)
    while found := await store.exported_shared(subject.client, subject.customer, after, 20 * PAGE):
        shared += found
        after = found[-1].id
    if not shared:
        return Parts()
    rows = await store.exported_assignments(subject.client, subject.customer)
    parts = Parts(shared, [_holding(row) for row in rows])
    files = await store.exported_files(min(each.began for each in shared))
    if files:
        try:
            references = {reference for each in shared for reference in each.references}
            parts.archived = await archived_events(files_of(settings), files, subject.client, references)
        except (ImportError, ArchiveError, StoreMisconfigured, OSError):
            parts.unread = sorted({f"{row['month']:%Y-%m}" for row in files})
    return parts


async def pages_of(store: EventStore, subject: Subject, parts: Parts, form: Form) -> AsyncIterator[list[Document]]:
    """Yield the parts in pages, each with the customer's `events`, and the `unreadMonths` of the archive that may have more of them."""
    for start in range(0, len(parts.shared), PAGE):
        page = parts.shared[start : start + PAGE]
        told = await store.exported_parts(subject.client, [each.id for each in page], parts.holdings, parts.archived)
        documents = [
            {
                "interactionId": each.id,
                "events": [form(row) for row in told.get(each.id, ())],
                "unreadMonths": [month for month in parts.unread if month >= f"{each.began:%Y-%m}"],
            }
            for each in page
            if each.id in told or (each.named and parts.unread)
        ]
        if documents:
            yield documents


async def shared_messages(store: EventStore, subject: Subject, parts: Parts) -> AsyncIterator[list[Document]]:
    """Yield the messages that were asked to be sent to the customer of these interactions, in pages."""
    handles = {each.handle for each in parts.holdings}

    def ids_of(row: Mapping[str, Any]) -> Document:
        return {"message_id": row["message_id"]}

    async for page in pages_of(store, subject, parts, ids_of):
        ids = {event["message_id"] for each in page for event in each["events"]} - {None}
        if ids and (found := await store.exported_messages(subject.client, sorted(ids), handles)):
            yield [message(row) for row in found]


def _holding(row: dict[str, Any]) -> Holding:
    since, until = row["valid_from"], row["valid_to"]
    return Holding(
        UUID(row["handle_id"]),
        None if since == "-infinity" else datetime.fromisoformat(since),
        FOREVER if until == "infinity" else datetime.fromisoformat(until),
    )
