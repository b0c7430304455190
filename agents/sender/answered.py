"""Decides what follows from the answer to a call, or from a missing answer. Pure: the jitter (a share of the pause, 0
to 1) is a parameter.
"""

from agents.sender import guards
from agents.sender.answers import Answer
from agents.sender.claimed import HOLD, Claimed, Recovery, Settlement
from agents.sender.guards import event_of, transition_of
from agents.sender.lanes import Blame, report
from agents.sender.settlements import CERTAIN, account_at_fault, by_next, cause_of, held_in_doubt, settlement
from app.sending import events
from app.sending.configuration import Retry, Route
from app.sending.states import Transition
from schemas.events import Error, Handle
from webhooks.backoff import exponential

#: Seconds after a send within which a failure that the provider reports starts the next channel, unless the client
#: configures another time.
WATCHED = 86_400.0


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
    """Return what follows from the answer to a call by `route`. `source`: the source of the provider's webhooks;
    `job_ids`: the channels on which its ids are those of jobs (`Adapter.job_ids`); `called`: whether this claim made
    the call; if not, the answer is about an earlier call."""
    move = transition_of(claimed, answer.happened, route, recovery)
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
        why = answer.words or "asked about it, it gave no clear answer"
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
    event = events.ended(claimed.request, event_of(move), route.channel, error)
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
        case "not known" if claimed.checks < guards.CHECKS:
            return settlement(
                claimed, move, route, (recovery.ask_after or 0.0) * 2**claimed.checks, doubt=(True, claimed.checks + 1),
                cause="the provider could not say yet whether it took it: it is asked again",
            )  # fmt: skip
    return settlement(
        claimed, move, route, pause, tries=claimed.tries + 1, error=error, cause=cause_of(error), doubt=CERTAIN
    )


def in_doubt(claimed: Claimed, recovery: Recovery, why: str) -> Settlement:
    """Return what follows for a message whose earlier attempt has no answer, if no other call is made."""
    answer = Answer("unanswered", Error("no answer", why, "unknown"), words=why)
    return after_call(claimed, claimed.route, answer, recovery=recovery, called=False)


def backoff(retry: Retry, tries: int, jitter: float) -> float:
    """Return the seconds until the next try after `tries`, with full jitter (`jitter` is between 0 and 1)."""
    return exponential(retry.first, retry.longest, tries) * jitter


def _watch(claimed: Claimed) -> float:
    after = claimed.client.fallback.after
    return WATCHED if after is None else after
