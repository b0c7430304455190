"""What follows from what a provider answered, or from a decision not to send: the message's next state, the events that
tell it, and how its account did. Pure, but for the jitter that it is given."""

from datetime import datetime

from adapters.sending import Outcome
from app.sending import events
from app.sending.claimed import Claimed, Result, backoff, following, settled_as
from app.sending.clients import Route
from app.sending.decide import End, Hold
from schemas.events import Error, Handle
from sql import Settled

#: Seconds that an account rests which refuses our credentials: who mends them needs a while, and no message is lost by it.
UNAUTHORIZED_PAUSE = 30.0
#: What a gateway says that passed a request on and got no answer, or none that it could read (RFC 9110 sections 15.6.3
#: and 15.6.5): who stands behind it may have taken the message.
GATEWAY = (502, 504)
#: Seconds for which a failure that the provider tells of gives the next channel its turn, where no other time is asked for.
WATCHED = 86_400.0
#: Seconds between looks at a message whose client or account is not configured any more.
MISCONFIGURED_PAUSE = 60.0
#: Seconds that an account rests which says "too many" and not for how long.
RATE_PAUSE = 1.0


def accepted(claimed: Claimed, route: Route, handle: Handle, provider: str, outcome: Outcome, status: int) -> Result:
    """The provider took it."""
    state, due_in = "sent", None
    if following(claimed, route) is not None:
        after = claimed.client.fallback.after
        state, due_in = "watched", WATCHED if after is None else after
    settled = settled_as(
        claimed, route, state, due_in, outcome="accepted", status=status, their_id=outcome.provider_message_id
    )
    event = events.sent(claimed.request, route.channel, handle, provider, outcome, claimed.claim)
    return Result(claimed, settled, [event], passed=True)


def refused(
    claimed: Claimed, route: Route, outcome: Outcome, status: int | None, jitter: float, again: bool = False
) -> Result:
    """The provider did not take it, or could not be reached (`status` None), or was not even called (0). `jitter` is between 0 and 1; `again` as in
    `unanswered`."""
    error = outcome.error or Error(None, None, "unknown")
    words = f"{status or 'no connection'}: {error.text or error.code or error.reason}"[:300]
    if status == 401:
        # The credentials' fault, not the message's: whatever the adapter makes of it.
        settled = _again(claimed, route, claimed.tries, UNAUTHORIZED_PAUSE, error, status)
        return Result(claimed, settled, [], passed=False, pause=UNAUTHORIZED_PAUSE, trouble=words)
    if outcome.state == "retryable" and (status == 429 or error.reason == "rate"):
        pause = outcome.retry_after if outcome.retry_after is not None else RATE_PAUSE
        settled = _again(claimed, route, claimed.tries, pause + jitter, error, status)
        return Result(claimed, settled, [], pause=pause, trouble=words)
    ill = status is None or status >= 500
    if status in GATEWAY and not again:
        return unanswered(claimed, route, False, words, jitter)
    if outcome.state == "retryable" and claimed.tries + 1 < claimed.client.retry.attempts:
        wait = max(backoff(claimed.client.retry, claimed.tries, jitter), outcome.retry_after or 0.0)
        settled = _again(claimed, route, claimed.tries + 1, wait, error, status)
        told = [events.delayed(claimed.request, route.channel, error, claimed.claim)]
        return Result(claimed, settled, told, passed=None if not ill else False, trouble=words)
    how = "rejected" if outcome.state == "rejected" else "failed"
    result = _given_up(claimed, route, error, how, status)
    result.passed = None if status == 0 else not ill
    result.trouble = words if ill else None
    return result


def unanswered(claimed: Claimed, route: Route, again: bool, why: str, jitter: float) -> Result:
    """The call went out and no answer came: it may have been taken. `again`: another try does no harm, or is wanted."""
    error = Error("no answer", why[:300], "unknown")
    if again and claimed.tries + 1 < claimed.client.retry.attempts:
        wait = backoff(claimed.client.retry, claimed.tries, jitter)
        settled = settled_as(
            claimed, route, "retrying", wait, tries=claimed.tries + 1, outcome="unanswered", error=error, cause=why
        )
        told = [events.delayed(claimed.request, route.channel, error, claimed.claim)]
        return Result(claimed, settled, told, passed=False, trouble=why)
    cause = (
        f"the provider may have taken it, and gives no way to tell ({why}): "
        "release it to send it again, or cancel it; what the provider tells of it later settles it"
    )
    settled = settled_as(claimed, route, "unanswered", None, outcome="unanswered", error=error, cause=cause)
    told = [events.held(claimed.request, route.channel, cause, None, f"unanswered:{claimed.claim}")]
    return Result(claimed, settled, told, passed=False, trouble=why)


def told_meanwhile(claimed: Claimed) -> Result:
    """Its last attempt went unanswered, but the provider has told of it since: it was sent."""
    cause = "the provider told of it"
    return Result(claimed, settled_as(claimed, None, "sent", None, cause=cause))


def doubtful(claimed: Claimed) -> Result:
    """A worker died in the middle of its last attempt, and nothing tells whether it was taken."""
    route = claimed.client.route(claimed.channel) or Route(claimed.channel, claimed.account)
    result = unanswered(claimed, route, False, "the worker ended during the call", 0.0)
    result.settled = result.settled._replace(outcome=None)  # of the attempt before, which stays without an answer
    result.passed = None
    return result


def delivered(claimed: Claimed) -> Result:
    """It was sent and watched, and was delivered."""
    return Result(claimed, settled_as(claimed, None, "sent", None))


def misconfigured(claimed: Claimed, why: str) -> Result:
    """Its client or account is not there, or sells no access: it waits until somebody mends that."""
    settled = settled_as(claimed, None, "retrying", MISCONFIGURED_PAUSE, cause=why[:1024])
    return Result(claimed, settled, [], trouble=why)


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


def undelivered(claimed: Claimed, failing: bool) -> Result:
    """It was sent and watched, and was not delivered: the next channel's turn, where there is one."""
    here = Route(claimed.channel, claimed.account)
    next_route = following(claimed, here)
    if next_route is None or (not failing and claimed.client.fallback.after is None):
        return Result(claimed, settled_as(claimed, None, "sent", None))
    text = "the provider says that it failed" if failing else "was not delivered in time"
    error = Error(None, f"{text} by {claimed.channel}: {next_route.channel} is tried next", "unreachable")
    return _next(claimed, here, next_route, error, None, None)


def _given_up(claimed: Claimed, route: Route, error: Error, how: str, status: int | None) -> Result:
    next_route = following(claimed, route)
    if next_route is not None:
        return _next(claimed, route, next_route, error, how, status)
    settled = settled_as(claimed, route, "failed", None, outcome=how, status=status, error=error)
    return Result(claimed, settled, [events.ended(claimed.request, how, route.channel, error)])


def _next(
    claimed: Claimed, route: Route, next_route: Route, error: Error, outcome: str | None, status: int | None
) -> Result:
    cause = f"{route.channel} was given up"
    settled = settled_as(
        claimed, next_route, "queued", 0.0, tries=0, outcome=outcome, status=status, error=error, cause=cause
    )
    settled = settled._replace(tried=[*claimed.tried, route.channel])
    return Result(claimed, settled, [events.delayed(claimed.request, route.channel, error, claimed.claim)])


def _again(claimed: Claimed, route: Route, tries: int, wait: float, error: Error, status: int | None) -> Settled:
    return settled_as(
        claimed, route, "retrying", wait, tries=tries, outcome="retryable", status=status, error=error,
        cause=error.text or error.reason,
    )  # fmt: skip
