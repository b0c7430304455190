"""Reads what a bounce or delay of SES says of the mail: https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html."""

from typing import Any

from adapters.reading.facts import text

#: `bounceSubType`. SES reports a soft bounce when it stops retrying. Mail to a suppressed address is not attempted.
BOUNCES: dict[str, str] = {
    "General": "unknown",
    "NoEmail": "invalid_address",
    "Suppressed": "invalid_address",
    "OnAccountSuppressionList": "blocked",
    "OnTenantSuppressionList": "blocked",
    "EmailValidationSuppressed": "invalid_address",
    # From one topic, which the bounce does not name; `opted_out` would stop all mail. The `Subscription` event names it.
    "UnsubscribedRecipient": "blocked",
    "MailboxFull": "unreachable",
    "MessageTooLarge": "content",
    "ContentRejected": "content",
    "AttachmentRejected": "content",
    "CustomTimeoutExceeded": "expired",
    "Undetermined": "unknown",
}
#: `action`, of the server's report: RFC 3464 section 2.3.3. All but one of them report no failure.
_ACTIONS: dict[str, str] = {
    "failed": "MessageBounced",
    "delayed": "MessageDelayed",
    "delivered": "ProviderEventReceived",
    "relayed": "ProviderEventReceived",
    "expanded": "ProviderEventReceived",
}
#: Lists of suppressed addresses, an account's or a tenant's, as bounces and complaints name them.
LISTS = frozenset({"OnAccountSuppressionList", "OnTenantSuppressionList"})
_SUPPRESSED = LISTS | {"Suppressed", "EmailValidationSuppressed", "UnsubscribedRecipient"}
#: `delayType`.
DELAYS: dict[str, str] = {
    "InternalFailure": "unknown",
    "General": "unknown",
    "MailboxFull": "unreachable",
    "SpamDetected": "spam",
    "RecipientServerError": "unreachable",
    "IPFailure": "blocked",
    "TransientCommunicationFailure": "unreachable",
    "BYOIPHostNameLookupUnavailable": "unknown",
    "Undetermined": "unknown",
    "SendingDeferral": "rate",
}


def type_of(part: dict[str, Any], recipient: dict[str, Any], kind: str) -> str:
    """Return the event's type. A bounce that no server's report came with may be an automatic answer to a mail that was
    delivered: SES says so of `Transient`, `General` (…/notification-contents.html#bounce-types), and its simulator posts an
    out-of-office answer as that, with nothing but the address
    (https://docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html, `ooto`)."""
    if kind in _SUPPRESSED:
        return "MessageRejected"
    if (action := text(recipient.get("action"))) is not None:
        return _ACTIONS.get(action.lower(), "MessageBounced")
    reported = text(recipient.get("status")) or text(recipient.get("diagnosticCode"))
    general = part.get("bounceType") == "Transient" and kind in ("General", "")
    nobody = part.get("bounceType") == "Undetermined" and not recipient
    return "ProviderEventReceived" if not reported and (general or nobody) else "MessageBounced"
