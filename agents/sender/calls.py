"""One send: the adapter's request is built, carried to the provider, and its answer read."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

import structlog

from adapters.contract import HttpCall, Media, Message, Outcome, Outgoing, Response, State, Template, Unsendable, Values
from adapters.reading.lines import lined
from agents.transport import NoAnswer
from agents.transport.fence import clock, fenced
from app.clients.configured import Account, Client, Route
from app.sending import outcomes
from app.sending.claimed import Claimed, Recourse, Result
from app.sending.requests import Request
from schemas.events import Error, Handle

log = structlog.get_logger(__name__)

#: Kinds of calls that were not made: what the message says cannot be done, ever; and what the account's settings say
#: cannot be done until somebody mends them.
FOR_GOOD, BY_SETTING = ("request",), ("setting", "url", "address", "tls")

#: Seconds that a repetition may take until its provider has it.
UNDER_WAY = 60.0

Carry = Callable[..., Awaitable[Response]]


@dataclass(slots=True)
class Call:
    """A send that is ready to be made."""

    claimed: Claimed
    route: Route
    handle: Handle
    account: Account
    outgoing: Outgoing
    values: Values

    @property
    def attempt(self) -> tuple[str, int, str, str]:
        """As `EventStore.begin` takes it."""
        return (self.claimed.id, self.claimed.claim, self.route.channel, self.route.account)


def build(
    claimed: Claimed, route: Route, handle: Handle, account: Account, values: Values, expires_at: datetime | None
) -> Call:
    """The call that sends a message. Raises Unsendable."""
    message = message_of(claimed.request, route, handle, account.url, expires_at)
    outgoing = account.send.build_request(lined(message), values, datetime.now(UTC))
    return Call(claimed, route, handle, account, outgoing, values)


def message_of(
    request: Request, route: Route, handle: Handle, callback_url: str | None, expires_at: datetime | None
) -> Message:
    """What the adapter is given. Our id is what the provider shall echo, so `reference` stays the client's own."""
    document = request.document
    content, template = document.get("content", {}), document.get("template")
    return Message(
        message_id=request.message_id,
        channel=route.channel,
        to=handle,
        sender=document.get("sender") or route.sender,
        text=content.get("text"),
        subject=content.get("subject"),
        html=content.get("html"),
        media=tuple(Media(each["url"], each.get("type"), each.get("name")) for each in content.get("media", ())),
        template=Template(template["name"], template.get("language"), document.get("variables", {}))
        if template
        else None,
        data=content.get("data", {}),
        callback_url=callback_url,
        expires_at=expires_at,
    )


def recourse_of(client: Client, account: Account, age: float = 0.0) -> Recourse:
    """What can be done about a call by this account that nobody answered, `age` seconds ago: its provider still knows a
    repetition, or can be asked; else its client decides."""
    send = account.adapter.send
    if send is not None and age + UNDER_WAY < send.idempotent_for:
        return Recourse(repeat=True, keyed=True)
    if send is not None and send.look_up is not None:
        return Recourse(ask_after=send.look_up.after)
    return Recourse(repeat=client.unanswered == "resend")


async def make(calls: Sequence[Call], carry: Carry, within: float) -> list[Result]:
    """Make a call, or several as one (see `agents.sender.gathering`), within so many seconds: it goes out only where they are over
    before the lease is. Never raises but CancelledError: what went wrong is in the results."""
    began, until = clock(), min(call.claimed.until for call in calls)
    with fenced(until - within, until):
        results = await _make(calls, carry)
    for result in results:
        result.began = began
        if calls[0].account.send.calls_recipient:
            # A server that the recipient named says nothing of the account, by which others' messages leave.
            result.passed = result.pause = None
    return results


async def _make(calls: Sequence[Call], carry: Carry) -> list[Result]:
    first = calls[0]
    send, batch = first.account.send, first.account.send.batch if len(calls) > 1 else None
    try:
        outgoing = first.outgoing if batch is None else batch.build([cast(HttpCall, call.outgoing) for call in calls])
        response = await carry(outgoing, first.values, trusted=first.account.trusted)
    except NoAnswer as error:
        return _once(_apart(calls, [_not_answered(call, error) for call in calls]))
    except Exception as error:  # a fault of ours, and nobody knows how far it came
        log.exception("a call failed", account=first.account.name)
        return _once([_doubtful(call, type(error).__name__) for call in calls])
    try:
        said = [send.read_response(response)] if batch is None else batch.read(response, len(calls))
    except Exception as error:
        log.exception("an answer cannot be read", account=first.account.name, status=response.status)
        return _once([_doubtful(call, f"its answer cannot be read: {type(error).__name__}") for call in calls])
    if not said:  # one of them is at fault, and none was taken
        return [result for each in await asyncio.gather(*(_make([call], carry) for call in calls)) for result in each]
    results = [_result(call, outcome, response.status) for call, outcome in zip(calls, said, strict=True)]
    return _once(_apart(calls, results))


def _apart(calls: Sequence[Call], results: list[Result]) -> list[Result]:
    """What came of calls to hosts that recipients chose says nothing of the account: one recipient's endpoint must not rest
    it for all."""
    for call, result in zip(calls, results, strict=True):
        if isinstance(call.outgoing, HttpCall) and call.outgoing.foreign:
            result.passed, result.pause, result.trouble = result.passed or None, None, None
    return results


def _once(results: list[Result]) -> list[Result]:
    """One call that failed is one failure of its account, however many messages it had."""
    for result in results[1:]:
        result.passed = result.passed or None
    return results


def _result(call: Call, outcome: Outcome, status: int) -> Result:
    if outcome.state == "accepted":
        return outcomes.accepted(call.claimed, call.route, call.handle, call.account.source, outcome, status)
    recourse = recourse_of(call.claimed.client, call.account)
    return outcomes.refused(call.claimed, call.route, outcome, status, jitter(), recourse)


def _not_answered(call: Call, error: NoAnswer) -> Result:
    words = str(error)[:300]
    if error.may_have_arrived:
        return _doubtful(call, words)
    if error.kind == "lease":
        return outcomes.stopped(call.claimed, call.route, words)
    named_by_recipient = call.account.send.calls_recipient
    if error.kind in BY_SETTING and not named_by_recipient:
        outcome, status = Outcome("account", None, Error(None, words, "account")), 0
    elif error.kind in (*FOR_GOOD, *BY_SETTING):
        reason = "invalid_address" if named_by_recipient else "unknown"
        outcome, status = Outcome("rejected", None, Error(None, words, reason)), 0
    else:
        outcome, status = Outcome("retryable", None, Error("no connection", words, "unreachable")), None
    return outcomes.refused(call.claimed, call.route, outcome, status, jitter())


def _doubtful(call: Call, why: str) -> Result:
    recourse = recourse_of(call.claimed.client, call.account)
    return outcomes.unanswered(call.claimed, call.route, recourse, why, jitter())


def jitter() -> float:
    """A share of the pause before another try."""
    return random.random()  # noqa: S311  # no secret


def unsendable(claimed: Claimed, route: Route, error: Unsendable) -> Result:
    """The adapter has no way to say this, or not with the settings that the account has."""
    state: State = error.state
    reason = "content" if state == "rejected" else "account"
    return outcomes.refused(claimed, route, Outcome(state, None, Error(None, str(error), reason)), 0, 0.0)
