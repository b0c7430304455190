"""Builds settlements: what is stored of a message after a claim."""

from dataclasses import asdict
from typing import Any

from agents.sender.answers import Answer
from agents.sender.claimed import Claimed, Settlement, following
from agents.sender.lanes import Blame, report
from app.clients.configured import Route
from app.sending import events
from app.sending.states import Transition
from schemas.events import Error, Event, Handle
from sql.messages import LaneReport

#: Seconds that an account rests after a fault of its own; one message then tries it. Correcting it takes a while, and no
#: message is lost meanwhile.
FAULT_PAUSE = 30.0
#: A message without doubts: neither `doubted` nor any `checks`.
CERTAIN = (False, 0)
#: Most characters of a cause.
MAX_CAUSE = 1024


def account_at_fault(
    claimed: Claimed, move: Transition, route: Route | None, answer: Answer, blame: Blame, *, called: bool
) -> Settlement:
    """Return the settlement of a message that waits because of its account. It spends no retry, and a call in doubt
    stays in doubt."""
    return settlement(
        claimed, move, route, FAULT_PAUSE, outcome="account" if called else None, status=answer.status, error=answer.error,
        cause=f"nothing can be sent by the account until it is mended: {answer.words}"[:MAX_CAUSE],
        report=report(claimed, blame, failed=True, fault=True, pause=FAULT_PAUSE, trouble=answer.words[:300]),
    )  # fmt: skip


def held_in_doubt(
    claimed: Claimed, move: Transition, route: Route, why: str, did: LaneReport, *, called: bool
) -> Settlement:
    """Return the settlement of a message that waits for a person's decision, as it is unknown whether the provider
    accepted it."""
    cause = (
        f"the provider may have taken it, and gives no way to tell ({why}): "
        "release it to send it again, or cancel it; a later report of the provider settles it"
    )
    event = events.held(claimed.request, route.channel, cause, None, f"unanswered:{claimed.claim}")
    return settlement(
        claimed, move, route, None, [event], outcome="unanswered" if called else None,
        error=Error("no answer", why[:300], "unknown"), cause=cause, doubt=CERTAIN, report=did,
    )  # fmt: skip


def by_next(
    claimed: Claimed, move: Transition, route: Route, error: Error, did: LaneReport, *,
    outcome: str | None = None, status: int | None = None,
) -> Settlement:  # fmt: skip
    """Return the settlement of a message that goes on by the next route, with all of its retries."""
    follows = following(claimed, route)
    assert follows is not None
    event = events.delayed(claimed.request, route.channel, error, claimed.claim, follows.channel)
    return settlement(
        claimed, move, follows, 0.0, [event], tries=0, tried=(*claimed.tried, route.channel), outcome=outcome, status=status,
        error=error, cause=f"{route.channel} was given up", doubt=CERTAIN, report=did,
    )  # fmt: skip


def settlement(
    claimed: Claimed,
    move: Transition,
    route: Route | None,
    due_in: float | None,
    happened: list[Event] | None = None,
    *,
    tries: int | None = None,
    tried: tuple[str, ...] | None = None,
    outcome: str | None = None,
    status: int | None = None,
    error: Error | None = None,
    cause: str | None = None,
    provider_message_id: str | None = None,
    doubt: tuple[bool, int] | None = None,
    report: LaneReport | None = None,
) -> Settlement:
    """Return a settlement. Without `route` the message keeps its route; without `doubt` (a pair of `doubted` and
    `checks`) it keeps both values."""
    channel, account = (claimed.channel, claimed.account) if route is None else (route.channel, route.account)
    fault: dict[str, Any] | None = asdict(error) if error is not None else None
    doubted, checks = (claimed.doubted, claimed.checks) if doubt is None else doubt
    return Settlement(
        id=claimed.id,
        claim=claimed.claim,
        state=move.after,
        due_in=due_in,
        tries=claimed.tries if tries is None else tries,
        channel=channel,
        account=account,
        tried=[*(claimed.tried if tried is None else tried)],
        cause=cause,
        error=fault,
        provider_message_id=provider_message_id,
        outcome=outcome,
        status=status,
        doubted=doubted,
        checks=checks,
        recipient=_recipient(claimed, happened),
        claimed=claimed,
        report=LaneReport(claimed.lane, probe=claimed.probe) if report is None else report,
        events=[] if happened is None else happened,
    )


def _recipient(claimed: Claimed, happened: list[Event] | None) -> tuple[str, Handle] | None:
    """Return the client and the first address of a message if the first event names that address."""
    first = next(iter(claimed.request.to.values()), None)
    named = first is not None and happened and happened[0].handle == first
    return (claimed.request.client_id, first) if first is not None and named else None


def cause_of(error: Error | None) -> str | None:
    """Return the text of an error, or else its reason."""
    return None if error is None else error.text or error.reason
