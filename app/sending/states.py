"""The states of a message and all transitions between them, in one table that the sender and the API use.

`python -m app.sending.states` prints it as in docs/sending.md.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

#: What each state means.
STATES: dict[str, str] = {
    "queued": "leaves as soon as its account may send",
    "held": "waits for its window, its `notBefore`, or for a time zone that is not known",
    "sending": "a worker has claimed it and holds its lease",
    "retrying": "did not pass, and is tried again; or its account rests; or the provider is asked whether it took it",
    "unanswered": "the call went out and no answer came: see below",
    "watched": "the provider took it; if delivery fails or takes too long, the next channel is tried (the API shows it as `sent`)",
    "sent": "the provider took it; its webhooks report what follows, and join the same interaction",
    "failed": "the provider, the configuration, or the recipient's opt-out says no; or the retries ran out",
    "expired": "not sent in time",
    "cancelled": "cancelled by its client",
}
#: Stands for the state of a message that is not stored yet.
NEW = ""


class Transition(NamedTuple):
    """In one of the states `before`, when `happened` and the `guard` holds ("": always), the message goes to `after`, and
    `event` is recorded (None: none). `by`: the statement in `sql/queries` that makes it, or `sender`."""

    before: tuple[str, ...]
    happened: str
    guard: str
    after: str
    event: str | None = None
    by: str = "sender"


def _from(*before: str) -> tuple[str, ...]:
    return before


_NEW, _SENDING, _WATCHED = _from(NEW), _from("sending"), _from("watched")

#: If several rows have the same state and happening, the first with a guard that holds applies.
TRANSITIONS: tuple[Transition, ...] = (
    # A client asks.
    Transition(_NEW, "requested", "", "queued", "MessageRequested", "accept"),
    Transition(_NEW, "refused", "", "failed", "MessageRejected", "accept"),
    Transition(_from("queued", "held", "retrying", "unanswered"), "cancelled", "", "cancelled", "MessageCancelled", "cancel"),
    Transition(_SENDING, "cancelled", "", "sending", None, "cancel"),
    Transition(_from("held", "unanswered"), "released", "", "queued", None, "release"),
    # A worker claims what is due: it waits, a lease has ended, or a delivery was watched long enough.
    Transition(_from("queued", "held", "retrying", "sending"), "claimed", "", "sending", None, "claim"),
    Transition(_WATCHED, "claimed", "", "watched", None, "claim"),
    # It decides that no call is made.
    Transition(_SENDING, "must wait", "", "held", "MessageHeld"),
    Transition(_SENDING, "expired", "", "expired", "MessageExpired"),
    Transition(_SENDING, "cancelled", "", "cancelled", "MessageCancelled"),
    Transition(_SENDING, "no route", "", "failed", "MessageRejected"),
    Transition(_SENDING, "cannot be built", "an earlier call is in doubt", "unanswered", "MessageHeld"),
    Transition(_SENDING, "cannot be built", "a channel follows", "queued", "MessageDelayed"),
    Transition(_SENDING, "cannot be built", "", "failed", "MessageRejected"),
    Transition(_SENDING, "undecided", "", "retrying"),
    Transition(_WATCHED, "undecided", "", "watched"),
    # It calls the provider.
    Transition(_SENDING, "accepted", "a channel follows", "watched", "UserMessageSent"),
    Transition(_SENDING, "accepted", "", "sent", "UserMessageSent"),
    Transition(_SENDING, "rejected", "a channel follows", "queued", "MessageDelayed"),
    Transition(_SENDING, "rejected", "", "failed", "MessageRejected"),
    Transition(_SENDING, "failed for now", "retries are left", "retrying", "MessageDelayed"),
    Transition(_SENDING, "failed for now", "an earlier call is in doubt", "unanswered", "MessageHeld"),
    Transition(_SENDING, "failed for now", "a channel follows", "queued", "MessageDelayed"),
    Transition(_SENDING, "failed for now", "", "failed", "MessageFailed"),
    Transition(_SENDING, "rate limited", "", "retrying"),
    Transition(_SENDING, "account at fault", "", "retrying"),
    Transition(_WATCHED, "account at fault", "", "watched"),
    Transition(_SENDING, "lease over", "", "retrying"),
    Transition(_SENDING, "unanswered", "the provider can be asked", "retrying", "MessageDelayed"),
    Transition(_SENDING, "unanswered", "it may be repeated", "retrying", "MessageDelayed"),
    Transition(_SENDING, "unanswered", "", "unanswered", "MessageHeld"),
    # It asks the provider whether it took an unanswered call, or its webhooks report that.
    Transition(_SENDING, "taken", "a channel follows", "watched", "UserMessageSent"),
    Transition(_SENDING, "taken", "", "sent", "UserMessageSent"),
    Transition(_SENDING, "not taken", "retries are left", "retrying"),
    Transition(_SENDING, "not taken", "a channel follows", "queued", "MessageDelayed"),
    Transition(_SENDING, "not taken", "", "failed", "MessageFailed"),
    Transition(_SENDING, "not known", "it may be asked again", "retrying"),
    Transition(_SENDING, "not known", "its client holds doubts", "unanswered", "MessageHeld"),
    Transition(_SENDING, "not known", "retries are left", "retrying"),
    Transition(_SENDING, "not known", "a channel follows", "queued", "MessageDelayed"),
    Transition(_SENDING, "not known", "", "failed", "MessageFailed"),
    Transition(_SENDING, "reported", "", "sent"),
    Transition(_from("unanswered"), "reported", "", "sent", None, "sweep"),
    Transition(_from("retrying"), "reported", "an earlier call is in doubt", "sent", None, "sweep"),
    # Another worker had claimed it meanwhile, or its client cancelled it.
    Transition(
        _from("queued", "held", "sending", "retrying", "unanswered"), "accepted", "by an earlier claim, and a channel follows",
        "watched", "UserMessageSent", "settle",
    ),
    Transition(
        _from("queued", "held", "sending", "retrying", "unanswered"), "accepted", "by an earlier claim", "sent",
        "UserMessageSent", "settle",
    ),
    Transition(_SENDING, "accepted", "its client cancelled it", "sent", "UserMessageSent", "settle"),
    Transition(_SENDING, "must wait", "its client cancelled it", "retrying", "MessageHeld", "settle"),
    # It was watched.
    Transition(_WATCHED, "delivered", "", "sent"),
    Transition(_WATCHED, "delivery failed", "a channel follows", "queued", "MessageDelayed"),
    Transition(_WATCHED, "delivery failed", "", "sent", "MessageFailed"),
    Transition(_WATCHED, "not delivered in time", "a channel follows after that time", "queued", "MessageDelayed"),
    Transition(_WATCHED, "not delivered in time", "", "sent"),
)  # fmt: skip

BY_SENDER: dict[tuple[str, str], list[Transition]] = {}
for _each in TRANSITIONS:
    for _before in _each.before if _each.by == "sender" else ():
        BY_SENDER.setdefault((_before, _each.happened), []).append(_each)

#: The states that no transition leaves.
FINAL = tuple(state for state in STATES if not any(state in each.before for each in TRANSITIONS))


class NoTransition(Exception):
    """The table has no transition from that state for what happened."""


def transition(state: str, happened: str, holds: Callable[[str], bool]) -> Transition:
    """Return the sender's transition from `state`; `holds` says whether a guard holds. Raises NoTransition."""
    for each in BY_SENDER.get((state, happened), ()):
        if not each.guard or holds(each.guard):
            return each
    raise NoTransition(f"a message in state {state!r} cannot go on: {happened!r}")


def page() -> str:
    """Return the tables of docs/sending.md."""
    return "\n".join([*_states(), "", *_transitions(), ""])


def _states() -> Iterator[str]:
    yield "| state | what it means | event |"
    yield "| --- | --- | --- |"
    for state, meaning in STATES.items():
        events = dict.fromkeys(each.event for each in TRANSITIONS if each.after == state and each.event)
        yield f"| `{state}` | {meaning} | {', '.join(f'`{event}`' for event in events)} |"


def _transitions() -> Iterator[str]:
    yield "| from | what happened | if | to | event |"
    yield "| --- | --- | --- | --- | --- |"
    for each in TRANSITIONS:
        before = ", ".join(f"`{state}`" if state else "" for state in each.before)
        event = f"`{each.event}`" if each.event else ""
        yield f"| {before} | {each.happened} | {each.guard} | `{each.after}` | {event} |"


if __name__ == "__main__":
    print(page(), end="")
