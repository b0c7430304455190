"""Moves a message from state to state: what follows from a decision, from an answer, or from what the log says by now.

`app.sending.states` has the transitions; this module fills in when the message is due again, and what is recorded. Pure, but
for the jitter that it is given (a share of the pause, 0 to 1).
"""

from datetime import datetime

from agents.sender.answers import Answer, at_fault
from agents.sender.claimed import HOLD, Claimed, Recovery, Settlement, following
from agents.sender.lanes import Blame, report
from agents.sender.settlements import CERTAIN, MAX_CAUSE, account_at_fault, by_next, cause_of, held_in_doubt, settlement
from app.clients.configured import Retry, Route
from app.sending import events
from app.sending.decide import End, Hold
from app.sending.states import Transition, transition
from schemas.events import Error, Handle
from webhooks.backoff import exponential

#: Seconds for which a failure that the provider reports starts the next channel, where no other time is configured.
WATCHED = 86_400.0
#: Seconds until a message is looked at again whose decision failed by a fault of ours.
UNDECIDED_PAUSE = 60.0
#: How often a provider is asked whether it accepted a message, with doubling pauses, before a person must decide.
CHECKS = 5


def after_call(
    claimed: Claimed,
    route: Route,
    answer: Answer,
    *,
    handle: Handle | None = None,
    source: str = "",
    job_ids: frozenset[str] = frozenset(),
    recovery: Recovery = HOLD,
    jitter: float = 0.0,
    called: bool = True,
    blame: Blame = "all",
) -> Settlement:
    """Return what follows from the answer to a call by `route`. `source`: under which the provider's webhooks come;
    `job_ids`: the channels on which its ids are those of jobs (`Adapter.job_ids`); `called`: whether this claim made the call, rather than a question about an earlier one."""
    move = _transition(claimed, answer.happened, route, recovery)
    number, error = claimed.claim, answer.error
    if move.event == "UserMessageSent":
        assert handle is not None
        event = events.sent(
            claimed.request, route.channel, handle, source, answer.provider_message_id, number,
            job_ids=job_ids, known_as=answer.known_as,
        )  # fmt: skip
        return settlement(
            claimed, move, route, _watch(claimed) if move.after == "watched" else None, [event],
            outcome="accepted" if called else None, status=answer.status if called else None,
            cause=None if called else "the provider says, when asked, that it took it",
            provider_message_id=answer.provider_message_id, doubt=CERTAIN, report=report(claimed, blame, passed=True),
        )  # fmt: skip
    if move.after == "unanswered":
        why = answer.words or "nor does it say so when it is asked"
        did = report(claimed, blame, failed=called or answer.happened == "not known", trouble=why)
        return held_in_doubt(claimed, move, route, why, did, called=called)
    if move.after == "retrying":
        return _retry(claimed, move, route, answer, recovery, jitter, blame, called=called)
    assert error is not None
    how = "rejected" if answer.happened in ("rejected", "cannot be built") else "failed"
    judged = called and answer.status != 0
    did = report(
        claimed, blame, passed=judged and not answer.ill, failed=judged and answer.ill,
        trouble=answer.words if judged and answer.ill else None,
    )  # fmt: skip
    if move.after == "queued":
        return by_next(claimed, move, route, error, did, outcome=how, status=answer.status)
    event = events.ended(claimed.request, _event(move), route.channel, error)
    return settlement(
        claimed, move, route, None, [event], outcome=how, status=answer.status, error=error, doubt=CERTAIN, report=did
    )


def _retry(
    claimed: Claimed, move: Transition, route: Route, answer: Answer, recovery: Recovery, jitter: float, blame: Blame,
    *, called: bool,
) -> Settlement:  # fmt: skip
    error, words, status, retry = answer.error, answer.words, answer.status, claimed.client.retry
    delayed = [events.delayed(claimed.request, route.channel, error, claimed.claim)] if move.event else []
    pause = backoff(retry, claimed.tries, jitter)
    match answer.happened:
        case "account at fault":
            return account_at_fault(claimed, move, route, answer, blame, called=called)
        case "lease over":
            return settlement(claimed, move, route, 0.0, outcome="retryable", cause=words)
        case "rate limited":
            rest = answer.retry_after or 0.0
            return settlement(
                claimed, move, route, rest + jitter, outcome="retryable", status=status, error=error, cause=cause_of(error),
                report=report(claimed, blame, pause=rest, trouble=words),
            )  # fmt: skip
        case "failed for now":
            return settlement(
                claimed, move, route, max(pause, answer.retry_after or 0.0), delayed, tries=claimed.tries + 1,
                outcome="retryable", status=status, error=error, cause=cause_of(error),
                report=report(claimed, blame, failed=answer.ill, trouble=words),
            )  # fmt: skip
        case "unanswered" if recovery.ask_after is not None:
            return settlement(
                claimed, move, route, recovery.ask_after, delayed, outcome="unanswered" if called else None, error=error,
                cause=f"no answer came ({words}): the provider is asked whether it took it", doubt=(True, 1),
                report=report(claimed, blame, failed=called, trouble=words),
            )  # fmt: skip
        case "unanswered":
            return settlement(
                claimed, move, route, pause, delayed, tries=claimed.tries + 1, outcome="unanswered" if called else None,
                error=error, cause=words, doubt=(recovery.keyed, 0), report=report(claimed, blame, failed=called, trouble=words),
            )  # fmt: skip
        case "not known" if claimed.checks < CHECKS:
            return settlement(
                claimed, move, route, (recovery.ask_after or 0.0) * 2**claimed.checks, doubt=(True, claimed.checks + 1),
                cause="the provider could not say yet whether it took it: it is asked again",
            )  # fmt: skip
    return settlement(
        claimed, move, route, pause, tries=claimed.tries + 1, error=error, cause=cause_of(error), doubt=CERTAIN
    )


def in_doubt(claimed: Claimed, recovery: Recovery, why: str) -> Settlement:
    """Return what follows for a message whose earlier attempt has no answer, without another call."""
    answer = Answer("unanswered", Error("no answer", why, "unknown"), words=why)
    return after_call(claimed, Route(claimed.channel, claimed.account), answer, recovery=recovery, called=False)


def reported(claimed: Claimed) -> Settlement:
    """Return that a message whose call went unanswered was sent: the provider's webhooks report on it."""
    move = _transition(claimed, "reported")
    return settlement(claimed, move, None, None, cause="the provider has reported on it", doubt=CERTAIN)


def after_watching(claimed: Claimed) -> Settlement:
    """Return what follows for a message whose delivery was watched: the next channel, unless it was delivered."""
    here = Route(claimed.channel, claimed.account)
    if claimed.delivery in ("delivered", "completed"):
        return settlement(claimed, _transition(claimed, "delivered"), None, None)
    failed = claimed.delivery in ("failed", "bounced", "rejected")
    move = _transition(claimed, "delivery failed" if failed else "not delivered in time", here)
    text = "the provider says that it failed" if failed else "was not delivered in time"
    if move.after == "queued":
        follows = following(claimed, here)
        assert follows is not None
        error = Error(None, f"{text} by {claimed.channel}: {follows.channel} is tried next", "unreachable")
        return by_next(claimed, move, here, error, report(claimed))
    if move.event is None:
        return settlement(claimed, move, None, None)
    # While another channel was to follow, the client was not notified of the failure.
    error = Error(None, f"{text} by {claimed.channel}, and no channel follows", "unreachable")
    return settlement(claimed, move, None, None, [events.ended(claimed.request, move.event, claimed.channel, error)])


def hold(claimed: Claimed, decision: Hold, now: datetime) -> Settlement:
    """Return that the message waits, until when and why."""
    route, opens = decision.route, decision.opens
    what = f"{route.channel}:{opens.isoformat() if opens else 'zone'}"
    event = events.held(claimed.request, route.channel, decision.cause, opens, what)
    due_in = max(0.0, (decision.until - now).total_seconds())
    return settlement(claimed, _transition(claimed, "must wait"), route, due_in, [event], cause=decision.cause)


def end(claimed: Claimed, decision: End) -> Settlement:
    """Return that the message will not be sent."""
    move = _transition(claimed, "no route" if decision.state == "failed" else decision.state)
    event = events.ended(claimed.request, _event(move), claimed.channel, decision.error)
    return settlement(claimed, move, None, None, [event], error=decision.error)


def undecided(claimed: Claimed, why: str) -> Settlement:
    """Return that a fault of ours prevented a decision: the message is looked at again. Its account is not to blame."""
    move = _transition(claimed, "undecided")
    did = report(claimed, trouble=why)
    return settlement(claimed, move, None, UNDECIDED_PAUSE, cause=why[:MAX_CAUSE], report=did)


def misconfigured(claimed: Claimed, why: str) -> Settlement:
    """Return that its client or account is missing, or gets no access token: the message waits until that is corrected."""
    answer = at_fault(why, Error(None, why[:MAX_CAUSE], "account"))
    move = _transition(claimed, answer.happened)
    return account_at_fault(claimed, move, None, answer, "all", called=False)


def backoff(retry: Retry, tries: int, jitter: float) -> float:
    """Return the seconds until the next try after `tries`, with full jitter (`jitter` is between 0 and 1)."""
    return exponential(retry.first, retry.longest, tries) * jitter


def _transition(claimed: Claimed, happened: str, route: Route | None = None, recovery: Recovery = HOLD) -> Transition:
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


def _watch(claimed: Claimed) -> float:
    after = claimed.client.fallback.after
    return WATCHED if after is None else after


def _event(move: Transition) -> str:
    assert move.event is not None
    return move.event
