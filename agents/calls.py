"""One send: the adapter's request is built, carried to the provider, and its answer read."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog

from adapters.base import Values
from adapters.sending import Media, Message, Outcome, Outgoing, Response, Sender, Template, Unsendable
from agents.transport import AddressRefused, NoAnswer
from app.sending import outcomes
from app.sending.claimed import Claimed, Result
from app.sending.clients import Account, Route
from app.sending.requests import Request
from schemas.events import Error, Handle

log = structlog.get_logger(__name__)

#: Kinds of calls that were not made and never can be: what they are told to do cannot be done.
FOR_GOOD = ("request", "setting")

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


def sender_of(account: Account) -> Sender:
    """The sending half of an account's adapter."""
    adapter: Any = account.adapter
    return adapter  # type: ignore[no-any-return]


def build(
    claimed: Claimed, route: Route, handle: Handle, account: Account, values: Values, expires_at: datetime | None
) -> Call:
    """The call that sends a message. Raises Unsendable."""
    message = message_of(claimed.request, route, handle, account.url, expires_at)
    outgoing = sender_of(account).build_request(message, values, datetime.now(UTC))
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


async def make(call: Call, carry: Carry) -> Result:
    """Make the call. Never raises but CancelledError: what went wrong is in the result."""
    claimed, route = call.claimed, call.route
    again = sender_of(call.account).IDEMPOTENT or claimed.client.unanswered == "resend"
    jitter = random.random()  # noqa: S311  # no secret
    try:
        response = await carry(call.outgoing, call.values, trusted=call.account.trusted)
    except NoAnswer as error:
        words = f"{type(error).__name__}: {error}"[:300]
        if error.may_have_arrived:
            return outcomes.unanswered(claimed, route, again, words, jitter)
        if isinstance(error, AddressRefused) or error.kind in FOR_GOOD:
            return outcomes.refused(claimed, route, Outcome("rejected", None, Error(None, words, "unknown")), 0, jitter)
        failure = Outcome("retryable", None, Error("no connection", words, "unreachable"))
        return outcomes.refused(claimed, route, failure, None, jitter)
    except asyncio.CancelledError:
        raise
    except Exception as error:  # a fault of ours, and nobody knows how far it came
        log.exception("a call failed", account=call.account.name)
        return outcomes.unanswered(claimed, route, again, f"{type(error).__name__}", jitter)
    try:
        outcome = sender_of(call.account).read_response(response)
    except Exception as error:
        log.exception("an answer cannot be read", account=call.account.name, status=response.status)
        return outcomes.unanswered(claimed, route, again, f"its answer cannot be read: {type(error).__name__}", jitter)
    if outcome.state == "accepted":
        return outcomes.accepted(claimed, route, call.handle, call.account.source, outcome, response.status)
    return outcomes.refused(claimed, route, outcome, response.status, jitter, again)


def unsendable(claimed: Claimed, route: Route, error: Unsendable) -> Result:
    """The adapter has no way to say this."""
    return outcomes.refused(claimed, route, Outcome("rejected", None, Error(None, str(error), "content")), 0, 0.0)
