"""Why Resend's mail did not arrive, in the events of a bounce, a failure and a suppression, and in the API's refusals."""

from typing import Any

from adapters.reading.facts import text
from adapters.reading.smtp_codes import code_of, reason_of
from schemas.events import Error

#: https://resend.com/docs/dashboard/emails/email-bounces; `Suppressed`, `MessageRejected`:
#: https://resend.com/docs/webhooks/emails/bounced. A general one is told by the server's code alone.
BOUNCES: dict[str, str] = {
    "NoEmail": "invalid_address",
    "MailboxFull": "unreachable",
    "MessageTooLarge": "content",
    "ContentRejected": "content",
    "AttachmentRejected": "content",
    "MessageRejected": "blocked",
    "Suppressed": "invalid_address",
}
#: https://resend.com/docs/webhooks/emails/suppressed: the list has bounces, complaints, and what was put there by hand.
SUPPRESSIONS: dict[str, str] = {"OnAccountSuppressionList": "blocked"}
#: https://resend.com/docs/webhooks/emails/failed
FAILURES: dict[str, str] = {"reached_daily_quota": "rate"}
#: https://resend.com/docs/api-reference/errors, by its `name`.
_REFUSALS: dict[str, str] = {
    "rate_limit_exceeded": "rate",
    "daily_quota_exceeded": "rate",
    "monthly_quota_exceeded": "rate",
    "invalid_attachment": "content",
    "missing_required_field": "content",
    "invalid_from_address": "content",
}
#: What the status would not tell: these may pass later.
_LATER = frozenset({"concurrent_idempotent_requests", "resource_locked"})


def is_suppressed(data: dict[str, Any]) -> bool:
    """Return whether a bounce is none of a server's: Resend did not even try."""
    bounce = data.get("bounce")
    return isinstance(bounce, dict) and bounce.get("subType") in ("Suppressed", *SUPPRESSIONS)


def error_of(data: dict[str, Any]) -> Error | None:
    """Return the error of an event's `data`; None where it says nothing (a delay)."""
    for key, table in (("bounce", BOUNCES), ("suppressed", SUPPRESSIONS), ("failed", FAILURES)):
        said = data.get(key)
        if not isinstance(said, dict):
            continue
        kind = text(said.get("subType")) or text(said.get("reason")) or text(said.get("type"))
        diagnostic = said.get("diagnosticCode")
        lines = [line for line in diagnostic if isinstance(line, str)] if isinstance(diagnostic, list) else []
        code = code_of(None, lines[0]) if lines else None
        words = text(said.get("message")) or (lines[0] if lines else None) or text(said.get("reason"))
        reason = table.get(kind or "") or SUPPRESSIONS.get(kind or "") or reason_of(code)
        return Error(code or kind, words, reason)
    return None


def refusal(name: str | None, message: str | None, status: int) -> tuple[Error, bool | None]:
    """Return the error of an answer of the API, and whether it may pass later (None: as its status says)."""
    reason = _REFUSALS.get(name or "") or ("rate" if status == 429 else "unknown")
    return Error(name or str(status), message, reason), True if name in _LATER else None
