"""The result of a call that sends a message: one type, whether the adapter read an answer or none came. Pure."""

from dataclasses import dataclass, replace
from typing import Literal

from adapters.contract import Found, Outcome, Unsendable
from agents.sender.claimed import Recovery
from agents.transport import NoAnswer
from app.sending.requests import Request
from schemas.events import Error, Handle

#: A gateway passed the request on and got no answer, or none that it could read (RFC 9110 sections 15.6.3 and 15.6.5): the
#: server behind it may have taken the message.
GATEWAY = (502, 504)
#: Seconds that an account rests after it reported a rate limit without a Retry-After.
RATE_PAUSE = 1.0
#: Kinds of errors in the request itself; retrying cannot help.
FOR_GOOD = ("request",)
#: Kinds of errors in the account's settings; the call passes once they are corrected.
BY_SETTING = ("setting", "url", "address", "tls")

#: The words for a call that reached no server.
NO_CONNECTION = "no connection"
_WORDS = 300


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of a call, or of a look-up of one. `happened`: as in `app.sending.states`; `status`: the provider's (None:
    no connection, 0: no call was made); `retry_after`: seconds; `words`: the error, for people; `known_as`: the addresses by
    which the provider calls the recipient."""

    happened: Literal[
        "accepted", "rejected", "failed for now", "rate limited", "account at fault", "cannot be built", "lease over", "unanswered",
        "taken", "not taken", "not known",
    ]  # fmt: skip
    error: Error | None = None
    status: int | None = None
    provider_message_id: str | None = None
    retry_after: float | None = None
    words: str = ""
    known_as: tuple[Handle, ...] = ()

    @property
    def ill(self) -> bool:
        """Whether the provider itself is in trouble: unreachable, or a server error."""
        return self.status is None or self.status >= 500


def read(outcome: Outcome, status: int | None, request: Request, recovery: Recovery) -> Answer:
    """Return the answer that an adapter read from a response. `status`: as in Answer."""
    if outcome.state == "accepted":
        return Answer("accepted", None, status, outcome.provider_message_id, known_as=outcome.known_as)
    error = outcome.error or Error(None, None, "unknown")
    why = error.text or error.code or error.reason
    words = (why if not status and NO_CONNECTION in why else f"{status or NO_CONNECTION}: {why}")[:_WORDS]
    state = outcome.state
    if state == "sender" and "sender" in request.document:  # the request named a sender that is not the account's
        state, error = "rejected", replace(error, reason="content")
    if state in ("account", "sender"):
        words = f"{status}: {error.text or error.code}"[:_WORDS] if status else _text(error)
        return at_fault(words, replace(error, reason="account"), status or None)
    if state == "retryable" and (status == 429 or error.reason == "rate"):
        pause = outcome.retry_after if outcome.retry_after is not None else RATE_PAUSE
        return Answer("rate limited", error, status, retry_after=pause, words=words)
    if status in GATEWAY and not recovery.repeat:
        return unanswered(words)
    if state == "retryable":
        return Answer("failed for now", error, status, retry_after=outcome.retry_after, words=words)
    return Answer("cannot be built" if status == 0 else "rejected", error, status, words=words)


def not_answered(error: NoAnswer, request: Request, *, recipient_named_host: bool) -> Answer:
    """Return the answer for a call that failed without a response."""
    words = str(error)[:_WORDS]
    if error.may_have_arrived:
        return unanswered(words)
    if error.kind == "lease":
        return Answer("lease over", words=words)
    status: int | None = 0
    if error.kind in BY_SETTING and not recipient_named_host:
        outcome = Outcome("account", None, Error(None, words, "account"))
    elif error.kind in (*FOR_GOOD, *BY_SETTING):
        reason = "invalid_address" if recipient_named_host else "unknown"
        outcome = Outcome("rejected", None, Error(None, words, reason))
    else:
        outcome, status = Outcome("retryable", None, Error(NO_CONNECTION, words, "unreachable")), None
    return read(outcome, status, request, Recovery())


def unsendable(error: Unsendable, request: Request) -> Answer:
    """Return the answer for a request that the adapter cannot build from the message, or with the account's
    settings."""
    reason = "content" if error.state == "rejected" else "account"
    return read(Outcome(error.state, None, Error(None, str(error), reason)), 0, request, Recovery())


def found(answer: Found) -> Answer:
    """Return the answer that a look-up found for an unanswered call."""
    if answer.taken:
        return Answer("taken", provider_message_id=answer.provider_message_id)
    error = Error("no answer", "the provider says, when asked, that it did not take it", "unknown")
    return Answer("not known" if answer.taken is None else "not taken", error)


def unanswered(words: str) -> Answer:
    """Return the answer for a call that went out and got no response."""
    return Answer("unanswered", Error("no answer", words[:_WORDS], "unknown"), words=words)


def at_fault(words: str, error: Error, status: int | None = None) -> Answer:
    """Return the answer for a fault of the account: nothing can be sent by it until its owner corrects that."""
    return Answer("account at fault", error, status, words=words)


def _text(error: Error) -> str:
    return (error.text or error.code or error.reason)[:_WORDS]
