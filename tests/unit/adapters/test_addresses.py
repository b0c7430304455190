"""Whose call it is: a number's or an address's, and nobody's where the caller hides."""

import pytest

from adapters.reading.addresses import caller
from schemas.events import Handle


@pytest.mark.parametrize(
    ("reported", "handle"),
    [
        ("+15551234567", Handle("phone", "+15551234567")),
        ("15551234567", Handle("phone", "+15551234567")),
        ("sip:ana@sip.example.com", Handle("sip", "ana@sip.example.com")),
        ("911", Handle("other", "911")),
        ("Anonymous", None),
        ("+anonymous", None),
        ("Restricted", None),
        ("", None),
        (None, None),
    ],
)
def test_who_hides_is_no_customer(reported: str | None, handle: Handle | None) -> None:
    """The words for it are the same for all who hide: under one of them strangers would share a timeline."""
    assert caller(reported) == handle
