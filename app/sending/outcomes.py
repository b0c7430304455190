"""What follows from what a provider answered, or did not: the message's next state, the events that tell it, and how its
account did. Pure, but for the jitter that it is given."""

from dataclasses import replace

from adapters.contract import Found, Outcome
from app.clients.configured import Route
from app.sending import events
from app.sending.claimed import CERTAIN, Claimed, Recourse, Result, backoff, following, settled_as
from schemas.events import Error, Handle
from sql import Settled

#: Seconds that an account rests whose own fault it is that nothing passes: who mends it needs a while, and no message is
#: lost by it. One message then tries it again.
FAULT_PAUSE = 30.0
#: What a gateway says that passed a request on and got no answer, or none that it could read (RFC 9110 sections 15.6.3
#: and 15.6.5): who stands behind it may have taken the message.
GATEWAY = (502, 504)
#: Seconds for which a failure that the provider tells of gives the next channel its turn, where no other time is asked for.
WATCHED = 86_400.0
#: Seconds that an account rests which says "too many" and not for how long.
RATE_PAUSE = 1.0
#: Times that a provider is asked whether it took a message, each after twice the time, before somebody has to decide.
CHECKS = 5
#: What nothing can be done about.
HOLD = Recourse()


def accepted(claimed: Claimed, route: Route, handle: Handle, provider: str, outcome: Outcome, status: int) -> Result:
    """The provider took it."""
    state, due_in = "sent", None
    if following(claimed, route) is not None:
        after = claimed.client.fallback.after
        state, due_in = "watched", WATCHED if after is None else after
    settled = settled_as(
        claimed,
        route,
        state,
        due_in,
        outcome="accepted",
        status=status,
        their_id=outcome.provider_message_id,
        doubt=CERTAIN,
    )
    event = events.sent(claimed.request, route.channel, handle, provider, outcome, claimed.claim)
    return Result(claimed, settled, [event], passed=True)


def refused(
    claimed: Claimed, route: Route, outcome: Outcome, status: int | None, jitter: float, recourse: Recourse = HOLD
) -> Result:
    """The provider did not take it, or could not be reached (`status` None), or was not even called (0). `jitter` is between
    0 and 1; `recourse` as in `unanswered`."""
    error = outcome.error or Error(None, None, "unknown")
    words = f"{status or 'no connection'}: {error.text or error.code or error.reason}"[:300]
    if outcome.state == "sender" and "sender" in claimed.request.document:
        outcome = Outcome("rejected", None, replace(error, reason="content"))  # of whoever named another's sender
        error = replace(error, reason="content")
    if outcome.state in ("account", "sender"):
        words = f"{status}: {error.text or error.code}"[:300] if status else words_of(error)
        return at_fault(claimed, route, replace(error, reason="account"), words, status or None)
    if outcome.state == "retryable" and (status == 429 or error.reason == "rate"):
        pause = outcome.retry_after if outcome.retry_after is not None else RATE_PAUSE
        settled = _again(claimed, route, claimed.tries, pause + jitter, error, status)
        return Result(claimed, settled, [], pause=pause, trouble=words)
    ill = status is None or status >= 500
    if status in GATEWAY and not recourse.repeat:
        return unanswered(claimed, route, recourse, words, jitter)
    if outcome.state == "retryable" and claimed.tries + 1 < claimed.client.retry.attempts:
        wait = max(backoff(claimed.client.retry, claimed.tries, jitter), outcome.retry_after or 0.0)
        settled = _again(claimed, route, claimed.tries + 1, wait, error, status)
        told = [events.delayed(claimed.request, route.channel, error, claimed.claim)]
        return Result(claimed, settled, told, passed=None if not ill else False, trouble=words)
    if claimed.doubted and (outcome.state != "rejected" or status == 0):
        # An earlier call may have been taken: only a no to the same key says that it was not.
        return unanswered(claimed, route, HOLD, words, jitter)
    how = "rejected" if outcome.state == "rejected" else "failed"
    result = _given_up(replace(claimed, doubted=False), route, error, how, status)
    result.passed = None if status == 0 else not ill
    result.trouble = words if ill else None
    return result


def at_fault(claimed: Claimed, route: Route | None, error: Error, words: str, status: int | None = None) -> Result:
    """Nothing passes by its account until somebody mends that: it waits, with its doubts, and costs no try."""
    settled = settled_as(
        claimed, route, "retrying", FAULT_PAUSE, outcome="account", status=status, error=error,
        cause=f"nothing can be sent by the account until it is mended: {words}"[:1024],
    )  # fmt: skip
    return Result(claimed, settled, [], passed=False, pause=FAULT_PAUSE, trouble=words[:300], fault=True)


def stopped(claimed: Claimed, route: Route, why: str) -> Result:
    """Its worker was stopped for so long that the call was not made: whoever has the message now goes on with it."""
    settled = settled_as(claimed, route, "retrying", 0.0, outcome="retryable", cause=why)
    return Result(claimed, settled)


def words_of(error: Error) -> str:
    """An error in words."""
    return (error.text or error.code or error.reason)[:300]


def unanswered(claimed: Claimed, route: Route, recourse: Recourse, why: str, jitter: float) -> Result:
    """The call went out and no answer came: it may have been taken."""
    error = Error("no answer", why[:300], "unknown")
    asked = recourse.ask_after is not None
    if asked or (recourse.repeat and claimed.tries + 1 < claimed.client.retry.attempts):
        settled = settled_as(
            claimed,
            route,
            "retrying",
            recourse.ask_after if asked else backoff(claimed.client.retry, claimed.tries, jitter),
            tries=claimed.tries if asked else claimed.tries + 1,
            outcome="unanswered",
            error=error,
            cause=f"no answer came ({why}): the provider is asked whether it took it" if asked else why,
            doubt=(True, 1) if asked else (recourse.keyed, 0),
        )
        told = [events.delayed(claimed.request, route.channel, error, claimed.claim)]
        return Result(claimed, settled, told, passed=False, trouble=why)
    cause = (
        f"the provider may have taken it, and gives no way to tell ({why}): "
        "release it to send it again, or cancel it; what the provider tells of it later settles it"
    )
    settled = settled_as(
        claimed, route, "unanswered", None, outcome="unanswered", error=error, cause=cause, doubt=CERTAIN
    )
    told = [events.held(claimed.request, route.channel, cause, None, f"unanswered:{claimed.claim}")]
    return Result(claimed, settled, told, passed=False, trouble=why)


def looked_up(claimed: Claimed, provider: str, found: Found, ask_after: float, jitter: float) -> Result:
    """The provider was asked whether it took what went unanswered. `jitter` is between 0 and 1."""
    route = Route(claimed.channel, claimed.account)
    if found.taken is None and claimed.checks < CHECKS:
        cause, wait = (
            "the provider could not say yet whether it took it: it is asked again",
            ask_after * 2**claimed.checks,
        )
        return Result(
            claimed, settled_as(claimed, route, "retrying", wait, cause=cause, doubt=(True, claimed.checks + 1))
        )
    known = replace(claimed, doubted=False, checks=0)
    handle = claimed.request.handle(claimed.channel)
    if found.taken and handle is not None:
        result = accepted(known, route, handle, provider, Outcome("accepted", found.provider_message_id), 0)
        result.settled = result.settled._replace(
            outcome=None, status=None, cause="the provider says, when asked, that it took it"
        )
        return result
    if found.taken is None and claimed.client.unanswered == "hold":
        result = unanswered(known, route, HOLD, "nor does it say so when it is asked", jitter)
        result.settled = result.settled._replace(outcome=None)
        return result
    error = Error("no answer", "the provider says, when asked, that it did not take it", "unknown")
    if claimed.tries + 1 < claimed.client.retry.attempts:
        wait = backoff(claimed.client.retry, claimed.tries, jitter)
        return Result(
            known,
            settled_as(known, route, "retrying", wait, tries=claimed.tries + 1, error=error, cause=error.text),
        )
    return _given_up(known, route, error, "failed", None)


def doubtful(claimed: Claimed, recourse: Recourse, why: str) -> Result:
    """An earlier attempt of it has no answer, and nothing is tried now."""
    route = Route(claimed.channel, claimed.account)
    result = unanswered(replace(claimed, doubted=False, checks=0), route, recourse, why, 0.0)
    result.settled = result.settled._replace(outcome=None)  # of the attempt before, which stays without an answer
    result.passed = None
    return result


def _given_up(claimed: Claimed, route: Route, error: Error, how: str, status: int | None) -> Result:
    next_route = following(claimed, route)
    if next_route is not None:
        return by_next(claimed, route, next_route, error, how, status)
    settled = settled_as(claimed, route, "failed", None, outcome=how, status=status, error=error)
    return Result(claimed, settled, [events.ended(claimed.request, how, route.channel, error)])


def by_next(
    claimed: Claimed, route: Route, next_route: Route, error: Error, outcome: str | None, status: int | None
) -> Result:
    """It goes on by the next route."""
    cause = f"{route.channel} was given up"
    settled = settled_as(
        claimed, next_route, "queued", 0.0, tries=0, outcome=outcome, status=status, error=error, cause=cause
    )
    settled = settled._replace(tried=[*claimed.tried, route.channel])
    told = events.delayed(claimed.request, route.channel, error, claimed.claim, next_route.channel)
    return Result(claimed, settled, [told])


def _again(claimed: Claimed, route: Route, tries: int, wait: float, error: Error, status: int | None) -> Settled:
    return settled_as(
        claimed, route, "retrying", wait, tries=tries, outcome="retryable", status=status, error=error,
        cause=error.text or error.reason,
    )  # fmt: skip
