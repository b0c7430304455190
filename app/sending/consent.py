"""Consent of recipients: what events imply about it, and how a person records it. Pure."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from adapters.reading.facts import fact_id
from app.sending.keywords import IN, OUT, meaning, meaning_of_button
from schemas.event_data import OURS
from schemas.events import Event, Handle

#: The event of each state of a consent.
STATES: dict[str, str] = {"out": OUT, "in": IN}
#: The source of consents that a person records.
SOURCE = OURS
#: Stands for every channel.
ALL = "*"

#: Channels on which a recipient writes such words.
_WRITTEN = frozenset({"sms", "whatsapp", "rcs"})
_REFUSALS = frozenset({"MessageFailed", "MessageBounced", "MessageRejected"})
#: Keys of events that concern only one list or group at a provider.
_PARTIAL = frozenset({"list", "unsubscribeGroup"})


def learned(event: Event) -> list[Event]:
    """Return the consent events that an event implies. A recipient opts out of a channel by writing STOP there, in a message
    or in an edit of one, by a complaint, or if the provider refuses a message since the recipient opted out. Writing START
    opts in.

    Each keeps the event's message, handle, channel, direction and time, has an id made of the event's (so a redelivery gives
    the same) and names its `basis`. Where the provider reports the same consent, the fold counts both as one. Do not call
    it for our own refusals, which rest on a known consent.
    """
    if event.handle is None or (found := _found(event)) is None:
        return []
    type, basis = found
    payload: dict[str, Any] = {"basis": basis}
    return [
        replace(
            event,
            type=type,
            source_event_id=fact_id("consent", event.source_event_id),
            error=None,
            payload=payload,
        )
    ]


def consent_event(handle: Handle, channel: str, state: str, agent: str, at: datetime, id: str) -> Event:
    """Return the event of a consent that a person (`agent`) records. `state`: `out` or `in`; `channel`: one of ours or `*`;
    `id`: unique."""
    return Event(
        STATES[state],
        SOURCE,
        id,
        channel=None if channel == ALL else channel,
        handle=handle,
        occurred_at=at,
        payload={"basis": "api", "agent": agent},
    )


def _found(event: Event) -> tuple[str, str] | None:
    """Return the type and the basis of the implied event, or None."""
    if event.type == "MessageReceived" or (event.type == "MessageEdited" and event.direction == "inbound"):
        if event.channel not in _WRITTEN:
            return None
        content = event.payload.get("content")
        if not isinstance(content, dict):
            return None
        text, button = content.get("text"), content.get("buttonReply")
        type = meaning(text) if isinstance(text, str) else None
        if isinstance(button, dict) and type is None:
            type = meaning_of_button(button)
        return (type, "keyword") if type else None
    if event.type in _REFUSALS:
        refused = event.error is not None and event.error.reason == "opted_out"
        return (OUT, "error") if refused and _PARTIAL.isdisjoint(event.payload) else None
    return (OUT, "complaint") if event.type == "MessageComplained" else None
