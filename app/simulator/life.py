"""What becomes of a message: which states follow, and after how many seconds. Pure, given a source of chance."""

import re
from collections.abc import Iterator, Sequence
from random import Random

#: States on the way of a message that arrives, with the mean seconds after the state before, and the share that gets so far.
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
#: States after which nothing follows, where it fails; those told of a message that had not even left, apart.
_ENDS = ("MessageFailed", "MessageBounced", "CallFailed")
_REFUSED = ("MessageRejected",)
#: What a recipient may do about one that arrived, and how many do.
_LATER: dict[str, float] = {"MessageComplained": 0.005, "RecipientUnsubscribed": 0.01, "RecipientSubscribed": 0.002}


def life(states: Sequence[str], failing: float, draw: Random) -> Iterator[tuple[float, str]]:
    """Each state of one message with the seconds after its send, in order; `failing` is the share that does not arrive.

    `states` are those that the provider tells.
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
    """The address of another customer: the last four digits of the longest run of digits say which; an e-mail address,
    and what has too few, gets the number behind its name."""
    name, at, domain = address.partition("@")
    runs = [] if at else list(re.finditer(r"[0-9]{3,}", name))
    if not runs:
        return f"{name}{number}{at}{domain}"
    longest = max(runs, key=lambda run: (len(run[0]), run.start()))
    width = min(4, len(longest[0]))
    return f"{name[: longest.end() - width]}{number % 10**width:0{width}d}{name[longest.end() :]}"
