"""Weighs Kafka's records by how long they take to process, so that batches of them stay short. Pure."""

from collections.abc import Sequence
from typing import Any

from webhooks.record import is_large

#: The weight of a record whose body is kept apart, in ordinary records: it takes much longer to process, and a batch must end
#: long before the watchdog considers the worker stalled.
LARGE = 50


def weight(records: Sequence[Any]) -> int:
    """Return the weight of records: 1 for each, and `LARGE` for each whose body is kept apart."""
    return sum([_weight_of(record) for record in records])


def _weight_of(record: Any) -> int:
    return LARGE if is_large(record) else 1


def divided(run: Sequence[Any], most: int) -> Sequence[Sequence[Any]]:
    """Divide a run of records into parts of at most this weight, or of one record."""
    if weight(run) <= most:
        return [run]
    parts: list[list[Any]] = [[]]
    left = most
    for record in run:
        each = _weight_of(record)
        if each > left and parts[-1]:
            parts.append([])
            left = most
        left -= each
        parts[-1].append(record)
    return parts
