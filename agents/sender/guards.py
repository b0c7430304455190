"""Finds the transition of a claimed message in the table of `app.sending.states`. Pure."""

from agents.sender.claimed import HOLD, Claimed, Recovery, following
from app.sending.configuration import Route
from app.sending.states import Transition, transition

#: How often a provider is asked whether it accepted a message, with doubling pauses, before a person must decide.
CHECKS = 5


def transition_of(claimed: Claimed, happened: str, route: Route | None = None, recovery: Recovery = HOLD) -> Transition:
    """Return the row of the table that applies. Raises NoTransition."""
    retries_left = claimed.tries + 1 < claimed.client.retry.attempts

    def holds(guard: str) -> bool:
        match guard:
            case "a channel follows":
                return route is not None and following(claimed, route) is not None
            case "a channel follows after that time":
                return claimed.client.fallback.after is not None and holds("a channel follows")
            case "retries are left":
                return retries_left
            case "an earlier call is in doubt":
                return claimed.doubted
            case "the provider can be asked":
                return recovery.ask_after is not None
            case "it may be repeated":
                return recovery.repeat and retries_left
            case "it may be asked again":
                return claimed.checks < CHECKS
            case "its client holds doubts":
                return claimed.client.unanswered == "hold"
        raise KeyError(guard)

    return transition("watched" if claimed.was == "watched" else "sending", happened, holds)


def event_of(move: Transition) -> str:
    """Return the type of the event that records the transition, which must have one."""
    assert move.event is not None
    return move.event
