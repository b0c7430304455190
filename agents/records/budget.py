"""Bounds what a record makes: a record of N bytes makes at most 4 N + 1 MiB of events and dead letter, and `MOST_EVENTS` events. For a
body that is kept apart, N is at most `MOST_COUNTED`.
"""

from typing import TYPE_CHECKING

from agents.records.letters import BESIDE_VALUE, REASON
from agents.records.storable import Refused, storable, weight
from sql import Bad, Unstorable

if TYPE_CHECKING:
    from agents.records.outcome import RecordOutcome

#: Bytes of events and dead letter that a record may make: `TIMES` its own size and `BESIDE` more. The latter allows for a
#: batch report of a few kilobytes with a thousand recipients (Sinch), each of whom has opted out, which makes two events of
#: 450 bytes.
TIMES, BESIDE = 4, 1 << 20
#: Most bytes of a large body that count for the budget: files make it large, and its events do not contain them.
MOST_COUNTED = 8 << 20
#: Events that a record may make.
MOST_EVENTS = 5000


def fit(outcome: "RecordOutcome") -> None:
    """Serialise each event, repair or refuse what cannot be stored, and enforce the budget."""
    rows, outcome.rows = outcome.rows, []
    if len(rows) > MOST_EVENTS:
        outcome.drop()
        outcome.refuse(f"makes too much: {len(rows)} events, where a record may make {MOST_EVENTS}")
        return
    allowed = TIMES * (len(outcome.record.value) + outcome.apart) + BESIDE
    for row in rows:
        try:
            row, data = storable(row)
        except (Refused, Unstorable) as error:
            outcome.bad.append(Bad(len(outcome.bad), f"{row[0].type} {error}"[:REASON], row[0].payload))
            continue
        outcome.size += weight(data)
        if outcome.size > allowed:
            outcome.drop()
            outcome.size = 0
            outcome.refuse(f"makes too much: more than {allowed} bytes of events")
            return
        outcome.rows.append(row)
    if outcome.bad and outcome.size + len(outcome.record.value) + BESIDE_VALUE > allowed:
        outcome.drop()
        outcome.size = 0
        outcome.refuse(f"makes too much: more than {allowed} bytes of events and bad items")
