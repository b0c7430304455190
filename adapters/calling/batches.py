"""Calls of one message each as one call of several, and the outcomes of one answer to several."""

from collections.abc import Callable, Sequence
from typing import Any

from adapters.contract import HttpCall, Outcome, Response, accepted
from adapters.reading.shapes import object_of

#: Statuses of a refusal that is about the account, whatever is sent: RFC 9110 section 15.5.
_OF_THE_ACCOUNT = (401, 402, 403)


def joined(calls: Sequence[HttpCall], before: bytes = b"", after: bytes = b"") -> bytes:
    """The calls' JSON bodies with commas between, each without what stands `before` and `after` its one item. As bytes:
    they were written by us a moment ago, and a batch has megabytes."""
    return b",".join([call.body.removeprefix(before).removesuffix(after) for call in calls])


def of_each(items: Any, count: int, read: Callable[[dict[str, Any]], Outcome]) -> list[Outcome]:
    """What `read` makes of each item of an answer that says the call was taken. Where they are not one a message,
    nobody knows whose is whose, and each was taken under an unknown id."""
    if isinstance(items, list) and len(items) == count:
        return [read(object_of(item)) for item in items]
    return [accepted(None) for _ in range(count)]


def of_all(outcome: Outcome, response: Response, count: int) -> list[Outcome]:
    """A call that was refused whole: the same for each where it is about the account, or may pass later; none where one
    message's fault, or its own sender, may be the reason."""
    if outcome.state == "sender" or (outcome.state == "rejected" and response.status not in _OF_THE_ACCOUNT):
        return []
    return [outcome] * count
