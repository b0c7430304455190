"""Reads why Resend did not deliver a mail, from events of bounces, failures and suppressions, and the API's errors."""

from typing import Any

from adapters.reading.facts import text
from adapters.reading.smtp_codes import code_of, reason_of
from schemas.events import Error, Handle

#: https://resend.com/docs/dashboard/emails/email-bounces; `Suppressed`, `MessageRejected`:
#: https://resend.com/docs/webhooks/emails/bounced. For a general bounce, the server's code gives the reason.
BOUNCES: dict[str, str] = {
    "NoEmail": "invalid_address",
    "MailboxFull": "unreachable",
    "MessageTooLarge": "content",
    "ContentRejected": "content",
    "AttachmentRejected": "content",
    "MessageRejected": "blocked",
    "Suppressed": "invalid_address",
}
#: https://resend.com/docs/webhooks/emails/suppressed: the list has bounces, complaints, and manual entries.
SUPPRESSIONS: dict[str, str] = {"OnAccountSuppressionList": "blocked"}
#: https://resend.com/docs/webhooks/emails/failed
FAILURES: dict[str, str] = {"reached_daily_quota": "rate"}
#: https://resend.com/docs/api-reference/errors, by `name`.
_REFUSALS: dict[str, str] = {
    "rate_limit_exceeded": "rate",
    "daily_quota_exceeded": "rate",
    "monthly_quota_exceeded": "rate",
    "invalid_attachment": "content",
    "missing_required_field": "content",
    "invalid_from_address": "content",
}
#: Errors that a retry may solve, though their HTTP status does not say so.
_LATER = frozenset({"concurrent_idempotent_requests", "resource_locked"})


def is_suppressed(data: dict[str, Any]) -> bool:
    """Return whether a bounce came from Resend's suppression list: no server was contacted."""
    bounce = data.get("bounce")
    return isinstance(bounce, dict) and bounce.get("subType") in ("Suppressed", *SUPPRESSIONS)


def is_notice(data: dict[str, Any]) -> bool:
    """Return whether a bounce may be an automatic answer to a mail that was delivered: Resend sends by Amazon SES, which
    reports an out-of-office answer as `Transient`, `General` without a server's diagnostic code
    (https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html#bounce-types)."""
    bounce = data.get("bounce")
    if not isinstance(bounce, dict) or bounce.get("type") != "Transient" or bounce.get("diagnosticCode"):
        return False
    return bounce.get("subType") in ("General", "", None)


def named_in(data: dict[str, Any], recipients: list[tuple[Handle | None, str]]) -> list[tuple[Handle | None, str]]:
    """Return the one recipient that the server's diagnostic code names in angle brackets, or nobody."""
    bounce = data.get("bounce")
    lines = bounce.get("diagnosticCode") if isinstance(bounce, dict) else None
    said = " ".join(line for line in lines if isinstance(line, str)).lower() if isinstance(lines, list) else ""
    found = [each for each in recipients if f"<{each[1].lower()}>" in said]
    return found if len(found) == 1 else []


def error_of(data: dict[str, Any]) -> Error | None:
    """Return the error of an event's `data`; None if it has none (a delay)."""
    for key, table in (("bounce", BOUNCES), ("suppressed", SUPPRESSIONS), ("failed", FAILURES)):
        details = data.get(key)
        if not isinstance(details, dict):
            continue
        kind = text(details.get("subType")) or text(details.get("reason")) or text(details.get("type"))
        diagnostic = details.get("diagnosticCode")
        lines = [line for line in diagnostic if isinstance(line, str)] if isinstance(diagnostic, list) else []
        code = code_of(None, lines[0]) if lines else None
        words = text(details.get("message")) or (lines[0] if lines else None) or text(details.get("reason"))
        reason = table.get(kind or "") or SUPPRESSIONS.get(kind or "") or reason_of(code)
        return Error(code or kind, words, reason)
    return None


def refusal(name: str | None, message: str | None, status: int) -> tuple[Error, bool | None]:
    """Return the error of a response of the API, and whether a retry may succeed (None: decided by the HTTP status)."""
    reason = _REFUSALS.get(name or "") or ("rate" if status == 429 else "unknown")
    return Error(name or str(status), message, reason), True if name in _LATER else None
