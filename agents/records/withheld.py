"""Decides which raw webhooks are kept: only those of which every part may be stored."""

from collections.abc import Mapping, Sequence

from agents.records.outcome import RecordOutcome
from sql import EventStore
from sql.personal.withheld import Contents


async def raw_of(outcomes: Sequence[RecordOutcome], store: EventStore) -> list[bytes]:
    """Return the raw webhooks that are kept, and note in each other outcome that its webhook is not. Raises what the database raises."""
    contents = await store.contents({outcome.client for outcome in outcomes if outcome.client is not None})
    for outcome in outcomes:
        outcome.withheld = not keeps_raw(outcome, contents)
    return [outcome.raw for outcome in outcomes if outcome.raw is not None and not outcome.withheld]


def keeps_raw(outcome: RecordOutcome, contents: Mapping[str, Contents]) -> bool:
    """Return whether the raw webhook of an outcome is kept beside its events: only if all its events are kept whole. A webhook that made
    no event, or of which a part could not be read, may be of any channel. `contents`: the modes of clients that do not keep everything."""
    wanted = contents.get(outcome.client or "")
    if wanted is None:
        return True
    channels = [event.channel for event, *_ in outcome.rows]
    if not channels or outcome.letter is not None:
        channels.append(None)
    return all(wanted.mode(channel) == "keep" for channel in channels)
