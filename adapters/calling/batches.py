"""Joins calls of one message each into a batch, and reads the outcomes from the one response."""

from collections.abc import Callable, Sequence
from typing import Any

from adapters.contract import HttpCall, Outcome, Response, accepted
from adapters.reading.shapes import object_of

#: Statuses of a refusal that is about the account, whatever is sent: RFC 9110 section 15.5.
_OF_THE_ACCOUNT = (401, 402, 403)


def joined(calls: Sequence[HttpCall], before: bytes = b"", after: bytes = b"") -> bytes:
    """Join the calls' JSON bodies with commas, each without the bytes `before` and `after` its one item. Bytes are joined,
    not parsed: this process wrote them, and a batch has megabytes."""
    return b",".join([call.body.removeprefix(before).removesuffix(after) for call in calls])


def of_each(items: Any, count: int, read: Callable[[dict[str, Any]], Outcome]) -> list[Outcome]:
    """Return the outcome that `read` makes of each item of a response to an accepted call. If the items are not one per
    message, they cannot be matched, and each message counts as accepted with an unknown id."""
    if isinstance(items, list) and len(items) == count:
        return [read(object_of(item)) for item in items]
    return [accepted(None) for _ in range(count)]


def of_all(outcome: Outcome, response: Response, count: int) -> list[Outcome]:
    """Return the outcomes of a batch that was refused as a whole: the same for each message if the account is at fault or a
    retry may help; an empty list if one message or its sender may be the reason, so that each is sent by itself."""
    if outcome.state == "sender" or (outcome.state == "rejected" and response.status not in _OF_THE_ACCOUNT):
        return []
    return [outcome] * count
