"""What follows where no provider was called: from a decision, or from what is known of the message by now. Pure."""

from datetime import datetime

from app.clients.configured import Route
from app.sending import events
from app.sending.claimed import CERTAIN, Claimed, Result, following, settled_as
from app.sending.decide import End, Hold
from app.sending.outcomes import at_fault, by_next
from schemas.events import Error

#: Seconds between looks at a message that cannot be decided about, by a fault of ours.
UNDECIDED_PAUSE = 60.0


def told_meanwhile(claimed: Claimed) -> Result:
    """Its last attempt went unanswered, but the provider has told of it since: it was sent."""
    cause = "the provider told of it"
    return Result(claimed, settled_as(claimed, None, "sent", None, cause=cause, doubt=CERTAIN))


def delivered(claimed: Claimed) -> Result:
    """It was sent and watched, and was delivered."""
    return Result(claimed, settled_as(claimed, None, "sent", None))


def undelivered(claimed: Claimed, failing: bool) -> Result:
    """It was sent and watched, and was not delivered: the next channel's turn, where there is one."""
    here = Route(claimed.channel, claimed.account)
    next_route = following(claimed, here)
    if next_route is None and failing:
        # While another channel was to follow, the client was not told of the failure.
        error = Error(
            None, f"the provider says that it failed by {claimed.channel}, and no channel follows", "unreachable"
        )
        told = events.ended(claimed.request, "failed", claimed.channel, error)
        return Result(claimed, settled_as(claimed, None, "sent", None), [told])
    if next_route is None or (not failing and claimed.client.fallback.after is None):
        return Result(claimed, settled_as(claimed, None, "sent", None))
    text = "the provider says that it failed" if failing else "was not delivered in time"
    error = Error(None, f"{text} by {claimed.channel}: {next_route.channel} is tried next", "unreachable")
    return by_next(claimed, here, next_route, error, None, None)


def held(claimed: Claimed, hold: Hold, now: datetime) -> Result:
    """It waits."""
    due_in = max(0.0, (hold.until - now).total_seconds())
    settled = settled_as(claimed, hold.route, "held", due_in, cause=hold.cause)
    what = f"{hold.route.channel}:{hold.opens.isoformat() if hold.opens else 'zone'}"
    return Result(claimed, settled, [events.held(claimed.request, hold.route.channel, hold.cause, hold.opens, what)])


def ended(claimed: Claimed, end: End) -> Result:
    """It will not be sent."""
    settled = settled_as(claimed, None, end.state, None, error=end.error)
    how = "rejected" if end.state == "failed" else end.state
    return Result(claimed, settled, [events.ended(claimed.request, how, claimed.channel, end.error)])


def undecided(claimed: Claimed, why: str) -> Result:
    """A fault of ours is in the way: it is looked at again, with its doubts. Of its account that says nothing."""
    return Result(claimed, settled_as(claimed, None, "retrying", UNDECIDED_PAUSE, cause=why[:1024]), trouble=why)


def misconfigured(claimed: Claimed, why: str) -> Result:
    """Its client or account is not there, or sells no access: it waits until somebody mends that, with its doubts."""
    result = at_fault(claimed, None, Error(None, why[:1024], "account"), why)
    result.settled = result.settled._replace(outcome=None)
    return result
