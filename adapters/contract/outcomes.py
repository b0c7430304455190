"""What comes of a call: the response, the outcome that an adapter reads from it, and the result of a look-up."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Literal

from schemas.events import MAX_ID, Error, Handle

State = Literal["accepted", "retryable", "rejected", "account", "sender"]

#: RFC 9110 sections 15.5.2 and 15.5.3: no valid credentials, and nothing paid.
_OF_THE_ACCOUNT = (401, 402)


@dataclass(slots=True)
class Response:
    """The provider's response. `status` is the HTTP status, the SMTP reply code or the MQTT reason code."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(slots=True)
class Outcome:
    """The outcome of one call, for one message.

    `accepted`: with the provider's id if it gives one. `retryable`: a retry may succeed, after `retry_after` seconds if
    the provider names a time. `rejected`: a retry cannot succeed. `account`: a fault of the account (credentials,
    permissions, settings, credit); a retry succeeds once that is mended. `sender`: the account may not send as this
    sender, which is the account's fault unless the message names the sender. `error` is set unless it was accepted.
    `known_as`: the addresses by which the provider's answer calls the recipient (WhatsApp's `wa_id`), if it does: its
    webhooks will use these, and they are the same person as the address that was given.
    """

    state: State
    provider_message_id: str | None = None
    error: Error | None = None
    retry_after: float | None = None
    known_as: tuple[Handle, ...] = ()


@dataclass(slots=True)
class Found:
    """The result of a look-up after an unanswered call: whether the provider accepted the message (None if its records
    could not be read), and its id there."""

    taken: bool | None
    provider_message_id: str | None = None


def accepted(provider_message_id: str | None, known_as: tuple[Handle, ...] = ()) -> Outcome:
    """Return the outcome of an accepted message. An id beyond `MAX_ID` is left out: the message was accepted anyway."""
    known = provider_message_id if provider_message_id and len(provider_message_id) <= MAX_ID else None
    return Outcome("accepted", known, known_as=known_as)


def refused(
    response: Response,
    error: Error,
    *,
    retryable: bool | None = None,
    account: bool | None = None,
    sender: bool = False,
) -> Outcome:
    """Return the outcome of a refused message.

    `retryable`, if the provider's code does not decide it, follows from the status: 408, 425, 429 and 5xx are retryable
    (RFC 9110, RFC 6585, RFC 8470). So does `account`: 401 and 402 are the account's fault, and 403 if no table has the code.
    """
    if sender:
        return Outcome("sender", None, replace(error, reason="account"))
    if account is None and not retryable:
        account = response.status in _OF_THE_ACCOUNT or (response.status == 403 and error.reason == "unknown")
    if account:
        return Outcome("account", None, replace(error, reason="account"), retry_after(response))
    if retryable is None:
        retryable = response.status in (408, 425, 429) or response.status >= 500
    if not retryable:
        return Outcome("rejected", None, error)
    return Outcome("retryable", None, error, retry_after(response))


def retry_after(response: Response, now: datetime | None = None) -> float | None:
    """Return the seconds in the header Retry-After (RFC 9110 section 10.2.3), or None. A date counts from `now`, else from the
    header Date."""
    value = response.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit() and len(value) < 8:
        return float(value)
    try:
        start = now or parsedate_to_datetime(response.headers.get("date", ""))
        return max(0.0, (parsedate_to_datetime(value) - start).total_seconds()) if value else None
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
