"""The life of a simulated message: its states and the seconds between them, drawn at random."""

import re
from collections.abc import Iterator, Sequence
from random import Random

#: States of a message that arrives, with the mean seconds after the previous state and the share that reaches it.
_WAY: dict[str, tuple[float, float]] = {
    "MessageQueued": (0.05, 1.0),
    "UserMessageSent": (0.2, 1.0),
    "MessageDelayed": (1.0, 0.05),
    "MessageDelivered": (0.8, 1.0),
    "MessageRead": (2.0, 0.6),
    "MessageOpened": (2.0, 0.5),
    "MessageClicked": (1.5, 0.3),
    "CallStarted": (0.3, 1.0),
    "CallCompleted": (3.0, 1.0),
    "CallRecorded": (0.5, 0.3),
}
#: Final states of a message that fails: after it was sent, and before.
_ENDS = ("MessageFailed", "MessageBounced", "CallFailed")
_REFUSED = ("MessageRejected",)
#: What a recipient may do after delivery, with the share that does.
_LATER: dict[str, float] = {"MessageComplained": 0.005, "RecipientUnsubscribed": 0.01, "RecipientSubscribed": 0.002}


def life(states: Sequence[str], failing: float, draw: Random) -> Iterator[tuple[float, str]]:
    """Yield the states of one message with the seconds after its send, in order.

    `states` are those that the provider reports; `failing` is the share of messages that do not arrive.
    """
    at = 0.0
    if draw.random() < failing and (ends := [state for state in states if state in _ENDS + _REFUSED]):
        end = draw.choice(ends)
        for state in states if end in _ENDS else ():
            if state in ("MessageQueued", "UserMessageSent", "CallStarted"):
                at += draw.expovariate(1 / _WAY[state][0])
                yield at, state
        yield at + draw.expovariate(1.0), end
        return
    for state in states:
        if state in _WAY and draw.random() < _WAY[state][1]:
            at += draw.expovariate(1 / _WAY[state][0])
            yield at, state
        elif draw.random() < _LATER.get(state, 0.0):
            yield at + draw.expovariate(0.5), state


def nth(address: str, number: int) -> str:
    """Return the address of the customer `number`, made from an example: the number replaces the last four digits of the
    longest run of digits; an e-mail address, or one with fewer than three digits, gets it behind its name."""
    name, at, domain = address.partition("@")
    runs = [] if at else list(re.finditer(r"[0-9]{3,}", name))
    if not runs:
        return f"{name}{number}{at}{domain}"
    longest = max(runs, key=lambda run: (len(run[0]), run.start()))
    width = min(4, len(longest[0]))
    return f"{name[: longest.end() - width]}{number % 10**width:0{width}d}{name[longest.end() :]}"
