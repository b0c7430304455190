"""Normalizes why mail was refused, by the enhanced status code (RFC 3463, RFC 5248): `5.1.1`, class, subject, detail."""

import re

_ENHANCED = re.compile(r"(?<![0-9.])([245])\.([0-9]{1,3})\.([0-9]{1,3})(?![0-9.])")
_BASIC = re.compile(r"^([245][0-9]{2})(?![0-9])")
#: Reasons by subject and detail, where the subject alone does not decide.
DETAILS: dict[str, str] = {
    "1.7": "blocked",  # the sender's address, not the recipient's
    "1.8": "blocked",
    "2.3": "content",  # too big for the mailbox
    "3.4": "content",  # too big for the system
    "4.7": "expired",
}
SUBJECTS: dict[str, str] = {
    "1": "invalid_address",
    "2": "unreachable",
    "4": "unreachable",
    "6": "content",
    "7": "blocked",
}


def code_of(status: str | None, response: str | None) -> str | None:
    """Return the enhanced code in a provider's status or response, else the three-digit reply code, else the status."""
    for text in (status, response):
        if text and (found := _ENHANCED.search(text[:500])):
            return found[0]
    for text in (status, response):
        if text and (found := _BASIC.match(text)):
            return found[0]
    return status


def reason_of(code: str | None) -> str:
    """Return the normalized reason of a code. A temporary refusal for policy (`4.7.…`) counts as a rate limit."""
    found = _ENHANCED.fullmatch(code) if code else None
    if found is None:
        return "unknown"
    kind, subject, detail = found.groups()
    if kind == "4" and subject == "7":
        return "rate"
    return DETAILS.get(f"{subject}.{detail}") or SUBJECTS.get(subject, "unknown")
