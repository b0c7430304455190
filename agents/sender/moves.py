"""Decides what follows without a call: from a decision, or from what the log has by now. Pure.

`agents.sender.answered` decides what follows from a call. `app.sending.states` has the transitions; this module fills
in when the message is due again, and what is recorded.
"""

from datetime import datetime

from agents.sender.answers import at_fault
from agents.sender.claimed import Claimed, Settlement, following
from agents.sender.guards import event_of, transition_of
from agents.sender.lanes import report
from agents.sender.settlements import CERTAIN, MAX_CAUSE, account_at_fault, by_next, settlement
from app.sending import events
from app.sending.decide import End, Hold
from schemas.events import Error

#: Seconds until the next try, if a fault of ours prevented a decision.
UNDECIDED_PAUSE = 60.0


def reported(claimed: Claimed) -> Settlement:
    """Return the settlement of a message whose call went unanswered but which was sent: the provider's webhooks report
    on it."""
    move = transition_of(claimed, "reported")
    return settlement(claimed, move, None, None, cause="the provider has reported on it", doubt=CERTAIN)


def after_watching(claimed: Claimed) -> Settlement:
    """Return what follows for a message whose delivery was watched: the next channel, unless it was delivered."""
    if claimed.delivery in ("delivered", "completed"):
        return settlement(claimed, transition_of(claimed, "delivered"), None, None)
    failed = claimed.delivery in ("failed", "bounced", "rejected")
    move = transition_of(claimed, "delivery failed" if failed else "not delivered in time", claimed.route)
    text = "the provider says that it failed" if failed else "was not delivered in time"
    if move.after == "queued":
        follows = following(claimed, claimed.route)
        assert follows is not None
        error = Error(None, f"{text} by {claimed.channel}: {follows.channel} is tried next", "unreachable")
        return by_next(claimed, move, claimed.route, error, report(claimed))
    if move.event is None:
        return settlement(claimed, move, None, None)
    # While another channel was to follow, the client was not notified of the failure.
    error = Error(None, f"{text} by {claimed.channel}, and no channel follows", "unreachable")
    return settlement(claimed, move, None, None, [events.ended(claimed.request, move.event, claimed.channel, error)])


def hold(claimed: Claimed, decision: Hold, now: datetime) -> Settlement:
    """Return the settlement of a message that waits, with the reason and until when."""
    route, opens = decision.route, decision.opens
    what = f"{route.channel}:{opens.isoformat() if opens else 'zone'}"
    event = events.held(claimed.request, route.channel, decision.cause, opens, what)
    due_in = max(0.0, (decision.until - now).total_seconds())
    return settlement(claimed, transition_of(claimed, "must wait"), route, due_in, [event], cause=decision.cause)


def end(claimed: Claimed, decision: End) -> Settlement:
    """Return the settlement of a message that will not be sent."""
    move = transition_of(claimed, "no route" if decision.state == "failed" else decision.state)
    event = events.ended(claimed.request, event_of(move), claimed.channel, decision.error)
    return settlement(claimed, move, None, None, [event], error=decision.error)


def undecided(claimed: Claimed, why: str) -> Settlement:
    """Return the settlement of a message about which a fault of ours prevented a decision: it is tried again, and its
    account is not blamed."""
    move = transition_of(claimed, "undecided")
    did = report(claimed, trouble=why)
    return settlement(claimed, move, None, UNDECIDED_PAUSE, cause=why[:MAX_CAUSE], report=did)


def misconfigured(claimed: Claimed, why: str) -> Settlement:
    """Return the settlement of a message whose client or account is missing, or whose account gets no access token: it
    waits until that is corrected."""
    answer = at_fault(why, Error(None, why[:MAX_CAUSE], "account"))
    move = transition_of(claimed, answer.happened)
    return account_at_fault(claimed, move, None, answer, "all", called=False)
