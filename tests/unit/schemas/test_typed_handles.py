"""Handles as people type and read them."""

import pytest

from schemas.events import HANDLE_KINDS, Handle
from schemas.typed_handles import EXAMPLES, searched, typed


@pytest.mark.parametrize(
    ("handle", "text"),
    [
        (Handle("phone", "+15557654321"), "+15557654321"),
        (Handle("email", "ben@example.org"), "ben@example.org"),
        (Handle("email", '"a,b"@example.org'), '"a,b"@example.org'),
        (Handle("user_id", "42"), "user_id:42"),
        (Handle("user_id", "15557654321"), "user_id:15557654321"),
        (Handle("whatsapp_user_id", "DE.9876543210"), "whatsapp_user_id:DE.9876543210"),
        (Handle("chat_id", "line:U4af4980629"), "chat_id:line:U4af4980629"),
        (Handle("device_id", "emqx:fleet/van-3"), "device_id:emqx:fleet/van-3"),
        (Handle("device_token", "f00d"), "device_token:f00d"),
        (Handle("short_code", "12345"), "short_code:12345"),
        (Handle("alphanumeric", "BAKERY"), "alphanumeric:BAKERY"),
        (Handle("sip", "ben@example.org"), "sip:ben@example.org"),
        (Handle("other", "client:ben"), "other:client:ben"),
        (Handle("other", "ben@"), "other:ben@"),
        (Handle("other", "+1555"), "other:+1555"),
    ],
)
def test_what_is_printed_can_be_typed(handle: Handle, text: str) -> None:
    """Whatever its kind, the printed text finds the same handle."""
    assert typed(handle.kind, handle.value) == text
    assert searched(typed(handle.kind, handle.value)) == handle


@pytest.mark.parametrize("text", ["+1555", "+", "+1 (555) 12", "+12345678901234567", "\uff0b1555"])
def test_a_part_of_a_number_is_no_handle_to_look_for(text: str) -> None:
    """It would be taken for an address of an unknown kind, which nobody has."""
    with pytest.raises(ValueError, match="no complete phone number"):
        searched(text)


def test_every_kind_has_its_line() -> None:
    """The help lists the kinds that there are."""
    assert tuple(EXAMPLES) == HANDLE_KINDS
    for kind, (example, _) in EXAMPLES.items():
        found = searched(example)
        assert found.kind == kind and typed(found.kind, found.value) == example
