"""Idempotency keys in the form of UUIDs, derived from what identifies a message, so that a retry has the same key."""

from adapters.reading.facts import fact_id


def uuid_of(*parts: str) -> str:
    """Return a UUID as text, the same for the same parts. Its version and variant bits are those of version 4, the one that
    providers accept which check it (https://www.rfc-editor.org/rfc/rfc9562#section-5.4)."""
    digits = fact_id(*parts)
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"
