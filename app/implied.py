"""The events that follow from others: the consent that a message or a refusal expresses, and the handles that one person has.
Pure."""

from collections.abc import Iterable

from app.linking import Stated, links_of
from app.sending.consent import learned
from schemas.events import Event


def with_implied(events: Iterable[Event], by: Stated = "provider_states_both") -> list[Event]:
    """Return the events of one record, each followed by the consent that it implies, and the links of handles that they
    state, each once. `by`: the evidence of the links."""
    given = list(events)
    made: list[Event] = []
    for event in given:
        made.append(event)
        made += learned(event)
    made += links_of(given, by)
    return made
