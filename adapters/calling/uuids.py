"""Idempotency keys that must be UUIDs: made of what identifies the message, so that a repeat has the same."""

from adapters.reading.facts import fact_id


def uuid_of(*parts: str) -> str:
    """A UUID in its text form, the same for the same parts. Its version and variant bits say 4, the version that those
    providers take who look at it (https://www.rfc-editor.org/rfc/rfc9562#section-5.4)."""
    digits = fact_id(*parts)
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"
