"""One call: builds the adapter's request, has it carried to the provider, and reads the answer."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple, cast

import structlog

from adapters.contract import HttpCall, Media, Message, Outgoing, Response, Template, Values
from adapters.reading.lines import lined
from agents.sender import answered, answers
from agents.sender.answers import Answer
from agents.sender.claimed import Claimed, Recovery, Settlement
from agents.sender.lanes import Blame
from agents.transport import NoAnswer
from agents.transport.fence import clock, fenced
from app.clients.configured import Account, Client, Route
from app.sending.requests import Request
from schemas.events import Handle
from webhooks.cancelled import pass_on

log = structlog.get_logger(__name__)

#: Seconds within which a repeated call reaches its provider; the key must be remembered for longer.
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
        """The attempt, as `EventStore.begin` takes it."""
        return (self.claimed.id, self.claimed.claim, self.route.channel, self.route.account)

    @property
    def recovery(self) -> Recovery:
        """How to recover if this call goes unanswered."""
        return recovery_of(self.claimed.client, self.account)


def build(
    claimed: Claimed, route: Route, handle: Handle, account: Account, values: Values, expires_at: datetime | None
) -> Call:
    """Build the call that sends a message. Raises Unsendable."""
    message = message_of(claimed.request, route, handle, account.url, expires_at)
    outgoing = account.send.build_request(lined(message), values, datetime.now(UTC))
    return Call(claimed, route, handle, account, outgoing, values)


def message_of(
    request: Request, route: Route, handle: Handle, callback_url: str | None, expires_at: datetime | None
) -> Message:
    """Return the message as adapters take it. The provider is to echo our id, so `reference` stays the client's own."""
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


def recovery_of(client: Client, account: Account, age: float = 0.0) -> Recovery:
    """Return how to recover from a call by this account that went unanswered `age` seconds ago: repeat it while the provider
    remembers the idempotency key; or ask the provider; or else do what the client configured."""
    send = account.adapter.send
    if send is not None and age + UNDER_WAY < send.idempotent_for:
        return Recovery(repeat=True, keyed=True)
    if send is not None and send.look_up is not None:
        return Recovery(ask_after=send.look_up.after)
    return Recovery(repeat=client.unanswered == "resend")


class Answered(NamedTuple):
    """Calls that were made as one, and ended. `answers`: for each call its answer, and whether its failure counts for its account (one
    failed call counts as one failure, whatever the number of its messages); `began`: when it began, by this worker's clock."""

    calls: Sequence[Call]
    answers: Sequence[tuple[Answer, bool]]
    began: float


async def make(calls: Sequence[Call], carry: Carry, within: float) -> Answered:
    """Make a call, or several as one (see `agents.sender.gathering`), within `within` seconds. No call is made if less
    of the lease is left. Raises only CancelledError: errors are in the answers."""
    began, until = clock(), min([call.claimed.until for call in calls])
    with fenced(until - within, until):
        return Answered(calls, await _make(calls, carry), began)


async def _make(calls: Sequence[Call], carry: Carry) -> list[tuple[Answer, bool]]:
    first = calls[0]
    send, batch = first.account.send, first.account.send.batch if len(calls) > 1 else None
    try:
        outgoing = first.outgoing if batch is None else batch.build([cast(HttpCall, call.outgoing) for call in calls])
        response = await carry(outgoing, first.values, trusted=first.account.trusted)
    except NoAnswer as error:
        return _of_one([_not_answered(call, error) for call in calls])
    except Exception as error:  # a fault of ours: the call may have arrived
        pass_on(error)
        log.exception("a call failed", account=first.account.name)
        return _of_one([answers.unanswered(type(error).__name__)] * len(calls))
    try:
        outcomes = [send.read_response(response)] if batch is None else batch.read(response, len(calls))
    except Exception as error:
        log.exception("an answer cannot be read", account=first.account.name, status=response.status)
        why = f"its answer cannot be read: {type(error).__name__}"
        return _of_one([answers.unanswered(why)] * len(calls))
    if not outcomes:  # refused because of one message: each is sent alone
        return [each for alone in await asyncio.gather(*(_make([call], carry) for call in calls)) for each in alone]
    return _of_one(
        [
            answers.read(outcome, response.status, call.claimed.request, call.recovery)
            for call, outcome in zip(calls, outcomes, strict=True)
        ]
    )


def _of_one(came: Sequence[Answer]) -> list[tuple[Answer, bool]]:
    """Return the answers to one call."""
    return [(answer, place == 0) for place, answer in enumerate(came)]


def settled(answered_calls: Answered) -> list[Settlement]:
    """Return the settlement of each message of a call."""
    settlements = [
        answered.after_call(
            call.claimed,
            call.route,
            answer,
            handle=call.handle,
            source=call.account.source,
            job_ids=call.account.adapter.job_ids,
            recovery=call.recovery,
            jitter=jitter(),
            blame=_blame(call, first=first),
        )
        for call, (answer, first) in zip(answered_calls.calls, answered_calls.answers, strict=True)
    ]
    for settlement in settlements:
        settlement.began = answered_calls.began
    return settlements


def _blame(call: Call, *, first: bool) -> Blame:
    """Return which results of the call count in its account's health: none if the recipient chose the host."""
    if _recipient_named_host(call):
        return "nothing"
    if isinstance(call.outgoing, HttpCall) and call.outgoing.foreign:
        return "success"
    return "all" if first else "no failure"


def _recipient_named_host(call: Call) -> bool:
    return call.account.send.calls_recipient


def _not_answered(call: Call, error: NoAnswer) -> Answer:
    return answers.not_answered(error, call.claimed.request, recipient_named_host=_recipient_named_host(call))


def jitter() -> float:
    """Return a random share of a pause, 0 to 1."""
    return random.random()  # noqa: S311  # no secret
