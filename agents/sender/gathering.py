"""Gathers calls that can be made as one, where the provider's API takes several messages in a call."""

from collections.abc import Iterator, Sequence

from adapters.contract import HttpCall
from agents.sender.calls import Call

#: Most bytes of the bodies in one call: an API refuses a larger call as a whole.
BYTES = 1 << 20


def gathered(calls: Sequence[Call]) -> Iterator[list[Call]]:
    """Yield the calls, each alone or with others of its account that go to the same URL."""
    open: dict[tuple[object, ...], tuple[list[Call], int]] = {}
    for call in calls:
        batching, outgoing = call.account.send.batch, call.outgoing
        if batching is None or not isinstance(outgoing, HttpCall):
            yield [call]
            continue
        key = (call.claimed.lane, outgoing.method, outgoing.url, *outgoing.headers.items())
        batch, size = open.get(key, ([], 0))
        if len(batch) == batching.size or (batch and size + len(outgoing.body) > BYTES):
            yield batch
            batch, size = [], 0
        batch.append(call)
        open[key] = batch, size + len(outgoing.body)
    for batch, _ in open.values():
        yield batch
