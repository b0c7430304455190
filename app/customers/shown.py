"""Shows customers, and what a decision on them moves, for the API and the command line."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from app.clients.shown_recipients import consent
from schemas.typed_handles import searched
from sql import Decision, EventStore
from sql.customers import Side

#: The words of a decision's kind.
KINDS = {"merge": "merged", "split": "split", "cut": "unlinked"}


async def customer_json(
    store: EventStore, client: str, customer: UUID, *, consents: bool = True
) -> dict[str, Any] | None:
    """Return a customer by its id, or by that of one that was merged into it; None if the client has none. `consents`: as in
    `belongings`."""
    side = await store.customer_assignments(client, customer)
    if side is None:
        return None
    ids = side.ids
    changes = await store.customer_changes_of(client, ids)
    return {
        "customerId": side.customer_id,
        "handles": [assignment(row) for row in side.assignments],
        **await belongings(store, side.assignments, consents=consents),
        "links": [link(row) for row in await store.applied_links(client, side.customer_id)],
        "linksNotApplied": [
            link(row) | {"otherCustomerId": row["other_customer_id"], "refusedBy": row["refused_by"]}
            for row in await store.unapplied_links(client, side.customer_id)
        ],
        "changes": [change(row) for row in changes],
    }


async def belongings(store: EventStore, assignments: Sequence[Mapping[str, Any]], *, consents: bool) -> dict[str, Any]:
    """Return what belongs to some assignments: interactions by channel, messages that wait, and, for who may know `consents`, these
    and how many of the present handles are opted out of anything, else None for both."""
    counts = await store.customer_interactions(assignments)
    return {
        "interactions": {row["channel"] or "other": row["interactions"] for row in counts},
        "waitingMessages": sum(row["waiting"] for row in counts),
    } | (await _consents(store, assignments) if consents else {"consents": None, "optedOut": None})


async def _consents(store: EventStore, assignments: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    rows = await store.customer_consents([row["id"] for row in assignments])
    present = {row["handle_id"] for row in assignments if row["valid_to"] is None}
    out = {row["handle_id"] for row in rows if row["opted_out"]}
    return {
        "consents": [{"handleId": row["handle_id"], **consent(row)} for row in rows],
        "optedOut": {"handles": len(out & present), "of": len(present)},
    }


async def decision_json(
    store: EventStore, decision: Decision, *, preview: bool = False, consents: bool = True
) -> dict[str, Any]:
    """Return a decision: what moves and what stays. `preview`: it was only looked at, so the
    id of a new customer is not known yet; `consents`: as in `belongings`."""
    moves, stays = decision.moves, decision.stays
    known = {moves.customer_id, stays.customer_id}
    return {
        "eventId": decision.event_id,
        "customerId": None if preview and decision.becomes not in known else decision.becomes,
        "from": moves.customer_id,
        "moves": await _part(store, moves.assignments, consents),
        "stays": await _part(store, stays.assignments, consents) | {"customerId": stays.customer_id},
    }


async def conflicts_json(store: EventStore, client: str, limit: int) -> list[dict[str, Any]]:
    """Return the links that contradict a split, newest first."""
    return [
        {
            "since": row["since"],
            "refusedBy": row["refused_by"],
            "one": {"customerId": row["customer_id"], "handle": {"kind": row["of_kind"], "value": row["of_value"]}},
            "other": {
                "customerId": row["other_customer_id"],
                "handle": {"kind": row["kind"], "value": row["value"]},
            },
        }
        for row in await store.customer_conflicts(client, limit)
    ]


def assignment(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON of a handle of a customer. `validFrom`, `validTo`: while it was the customer's; null: without an end."""
    return {
        "handleId": row["handle_id"],
        "kind": row["kind"],
        "value": row["value"],
        "validFrom": row["valid_from"],
        "validTo": row["valid_to"],
    }


def link(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON of a link of two handles, with what it rests on."""
    return {
        "handle": {"kind": row["of_kind"], "value": row["of_value"]},
        "other": {"kind": row["kind"], "value": row["value"]},
        "since": row["since"],
        "evidence": [{"kind": kind} for kind in row["evidence"]],
    }


def change(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON of a decision on a customer."""
    return {
        "eventId": row["event_id"],
        "kind": KINDS[row["kind"]],
        "at": row["at"],
        "customerId": row["other_id"],
        "otherCustomerId": row["one_id"],
        "undoneBy": row["undone_by"],
        "evidence": row["evidence"],
        "reason": row["decided_cause"],
    }


def handle_ids(side: Side, named: Iterable[str]) -> list[UUID]:
    """Return the ids of the customer's handles that are named by their ids, or as they are typed. Raises ValueError for a text that
    is neither, LookupError for one that is not the customer's, without its value."""
    known: dict[UUID | tuple[str, str], UUID] = {}
    for row in side.assignments:
        known[row["kind"], row["value"]] = known[row["handle_id"]] = row["handle_id"]
    found = []
    for one in map(_named, named):
        if one not in known:
            raise LookupError("one of the handles is not this customer's")
        found.append(known[one])
    return found


def _named(text: str) -> UUID | tuple[str, str]:
    try:
        return UUID(text)
    except ValueError:
        handle = searched(text)
        return handle.kind, handle.value


async def _part(store: EventStore, assignments: Sequence[Mapping[str, Any]], consents: bool) -> dict[str, Any]:
    handles = [assignment(row) for row in assignments]
    return {"handles": handles, **await belongings(store, assignments, consents=consents)}
