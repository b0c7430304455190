"""Explains why a message waits, or how it ended, by deciding again with the current configuration. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.numbered import numbered
from app.sending.configuration import Client
from app.sending.decide import Decision, End, Hold, Send, decide, known
from app.sending.requests import kept_request
from app.sending.states import FINAL

#: The kinds of reasons; all but the last five are of a message that waits.
KINDS = (
    "window", "zone", "notBefore", "ending", "ready", "retry", "account", "asking", "unanswered", "sending", "watched", "resting", "trouble",
    "rate", "queue", "due", "configuration", "consent", "cancelling", "sent", "failed", "expired", "cancelled",
)  # fmt: skip
#: Most messages that are counted as due before one.
COUNTED = 1000

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason: its kind (of KINDS), in words, and until when it holds, if known."""

    kind: str
    words: str
    until: datetime | None = None


#: Said alike of every message that waits, to who may not know who opted out.
UNTOLD = Reason(
    "consent",
    "if its recipient opted out, it is not sent: that is looked at when it leaves, and told with recipients:read",
)


def decision_of(row: Row, waits: Row, client: Client, now: datetime) -> Decision:
    """Return what a worker would do with a message now."""
    request = kept_request(row["client_id"], row["message_id"], row["request"], row["handles"])
    return decide(request, client, known({**row, **waits}), now)


def explain(row: Row, waits: Row, decision: Decision | str, now: datetime, *, consent: bool = True) -> list[Reason]:
    """Return the reasons for a message's state, the most important first. `row`, `waits`: of `EventStore.message` and
    `EventStore.waits`; `decision`: what a worker would do with it now, or in words why that is not known; `consent`: whether the
    decision rests on the recipient's consent, too."""
    state = row["state"]
    if state in FINAL:
        return [Reason(state, _ended(row))]
    if state == "unanswered":
        return [Reason("unanswered", row["cause"] or "its provider may have taken it, and gives no way to tell")]
    if state == "watched":
        words = f"it was sent by {row['channel']}; if it is not delivered in time, the next channel is tried"
        return [Reason("watched", words, row["due_at"])]
    if state == "sending":
        found = [Reason("sending", "a worker is sending it; if that worker dies, another takes it over", row["due_at"])]
        if row["cancelled"]:
            found.append(Reason("cancelling", "it was cancelled meanwhile, and is not tried again if this try fails"))
        return found
    if row["checks"] and state == "retrying":
        return [_asking(row)]
    found = [*_retrying(row, waits, now), *_decided(row, decision, now), *_account(row, waits, decision, now)]
    return found if consent else [*found, UNTOLD]


def _asking(row: Row) -> Reason:
    words = f"no answer came when it was sent by {row['channel']}; its provider is asked whether it took it"
    return Reason("asking", f"{words}, at {_time(row['due_at'])}", row["due_at"])


def _retrying(row: Row, waits: Row, now: datetime) -> Iterator[Reason]:
    if row["state"] == "retrying" and row["due_at"] > now:
        error = row["error"] or {}
        rests = waits["open_until"] is not None and waits["open_until"] > row["due_at"]
        when = "once the account is used again" if rests else f"at {_time(row['due_at'])}"
        last = error.get("text") or error.get("code") or row["cause"] or error.get("reason") or "not known"
        tries = f"after {row['tries']} tries by {row['channel']}" if row["tries"] > 1 else f"by {row['channel']}"
        if error.get("reason") == "account":
            words = f"held by a fault of the account {row['account']}, until it is mended: {last}"
            yield Reason("account", f"{words}; tried again {when}", row["due_at"])
            return
        again = f"{tries}, tried again {when}" if rests else f"tried again {when} {tries}"
        yield Reason("retry", f"{again}; the last error: {last}", row["due_at"])


def _decided(row: Row, decision: Decision | str, now: datetime) -> Iterator[Reason]:
    if isinstance(decision, str):
        yield Reason("configuration", decision)
    elif isinstance(decision, End):
        words = decision.error.text or decision.error.reason
        yield Reason("ending", f"it will not be sent, and ends as {decision.state}: {words}")
    elif isinstance(decision, Hold):
        yield Reason(_kind(row, decision, now), _held(decision), decision.opens or decision.until)
    elif row["state"] == "held" and row["due_at"] > now:
        words = f"as its client is configured now, it may leave by {decision.route.channel}"
        again = f"it is looked at again at {_time(row['due_at'])}; release it to send it at once"
        yield Reason("ready", f"{words}; {again}", row["due_at"])


def _account(row: Row, waits: Row, decision: Decision | str, now: datetime) -> Iterator[Reason]:
    account, ahead, rate = row["account"], waits["ahead"], waits["rate"]
    trouble = f": {waits['trouble']}" if waits["trouble"] and not _known(row, waits["trouble"], now) else ""
    until, rests = waits["open_until"], waits["open_until"] is not None and waits["open_until"] > now
    if rests:
        yield Reason("resting", f"the account {account} rests until {_time(until)}{trouble}", until)
    elif trouble:
        yield Reason("trouble", f"calls by the account {account} failed lately{trouble}")
    if row["due_at"] > now or not isinstance(decision, Send):
        return
    many = f"more than {COUNTED} are" if ahead > COUNTED else numbered(ahead, "is", "are")
    if ahead and rate is not None:
        wait = "" if ahead > COUNTED else f", about {numbered(round(ahead / rate), 'second')}"
        yield Reason("rate", f"{many} due before it, and the account {account} sends {rate:g} a second{wait}")
    elif ahead:
        yield Reason("queue", f"{many} due before it by the account {account}")
    else:
        when = "once the account is used again" if rests else "as soon as a worker takes it"
        yield Reason("due", f"it is due, and leaves by {decision.route.channel} {when}")


def _known(row: Row, trouble: str, now: datetime) -> bool:
    """Return whether the account's trouble is the message's own last error, which `_retrying` already states."""
    last = (row["error"] or {}).get("text") or ""
    return bool(last and row["state"] == "retrying" and row["due_at"] > now and last in trouble)


def _kind(row: Row, decision: Hold, now: datetime) -> str:
    if decision.opens is None:
        return "zone"
    return "notBefore" if decision.opens == row["not_before"] else "window"


def _held(decision: Hold) -> str:
    starts = decision.cause.startswith("held until") or decision.opens is None
    return decision.cause if starts else f"held until {_time(decision.opens)}: {decision.cause}"


def _ended(row: Row) -> str:
    error = row["error"] or {}
    why = error.get("text") or error.get("code") or row["cause"]
    if row["state"] == "sent":
        return f"it was sent by {row['channel']}, account {row['account']}" + (
            f"; what is known of its delivery: {row['delivery']}" if row["delivery"] else ""
        )
    if row["state"] == "cancelled":
        return "its client cancelled it"
    return f"it {row['state']}" + (f": {why}" if why else "")


def _time(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else "an unknown time"
