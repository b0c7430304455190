"""A mask shows what a value is, and too little of it to know it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.events import HANDLE_KINDS
from sql import opened_rows
from sql.personal import mask_handle, mask_payload, mask_row, masking
from sql.personal.masking import mask_id


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        ("phone", "+15551234567", "+1 555 ••• ••67"),
        ("phone", "+4915112345678", "+49 151 ••• ••78"),
        ("phone", "+2905123", "+290 ••• ••23"),
        ("phone", "+9995551234567", "+•••67"),
        ("phone", "15551234567", "•••67"),
        ("email", "ana@example.com", "a•••@e•••.com"),
        ("email", "jo@mail.example.co.uk", "•••@m•••.uk"),
        ("email", "a@b.com", "•••@•••.com"),
        ("email", "ana@localhost", "a•••@•••"),
        ("user_id", "customer-4711", "•••11"),
        ("user_id", "42", "•••"),
        ("user_id", "ana:customer-4711", "•••11"),
        ("chat_id", "telegram:123456789", "telegram:•••89"),
        ("other", "whatsapp:+15551234567", "whatsapp:+1 555 ••• ••67"),
        ("other", "", "•••"),
    ],
)
def test_a_handle_is_shown_by_its_kind(kind: str, value: str, shown: str) -> None:
    """Enough to tell two known ones apart."""
    assert mask_handle(kind, value) == shown


def test_a_payload_shows_sizes_and_what_is_not_personal() -> None:
    """Addresses as handles are, everything else by its size; what has no mark stays."""
    payload = {
        "providerMessageId": "SM1",
        "channel": "email",
        "from": "ana@example.com",
        "to": "info@example.com, Ben <ben@example.com>",
        "displayName": "Ana",
        "handles": [{"kind": "phone", "value": "+15551234567"}],
        "error": {"code": "30003", "text": "Unknown ana@example.com"},
        "content": {"text": "Hello", "media": [1, 2], "subject": None, "mine": "x"},
        "native": {"a": 1},
        "ip": "203.0.113.7",
        "further": True,
    }
    assert mask_payload("MessageReceived", payload) == {
        "providerMessageId": "•••",
        "channel": "email",
        "from": "a•••@e•••.com",
        "to": "i•••@e•••.com, •••m>",
        "displayName": "••• (3 characters)",
        "handles": [{"kind": "phone", "value": "+1 555 ••• ••67"}],
        "error": {"code": "30003", "text": "••• (23 characters)"},
        "content": {
            "text": "••• (5 characters)",
            "media": ["•••", "•••"],
            "subject": None,
            "•••": "••• (1 characters)",
        },
        "native": {"•••": "1 keys"},
        "ip": "••• (11 characters)",
        "further": "•••",
    }


@given(st.sampled_from(HANDLE_KINDS), st.text(max_size=40) | st.emails() | st.from_regex(r"\+[1-9][0-9]{6,14}"))
def test_a_mask_never_shows_a_whole_handle(kind: str, value: str) -> None:
    """Whatever is given as an address, the mask has dots, and the value cannot be read in it."""
    shown = mask_handle(kind, value)
    assert "•••" in shown
    assert value not in shown or not value.strip("•")


@given(st.text(min_size=4, max_size=40, alphabet="abcdefghij"))
def test_no_text_is_shown(text: str) -> None:
    """Of contents, names and unknown properties nothing is left but the length."""
    payload: dict[str, Any] = {
        "content": {"text": text, text: text},
        "displayName": text,
        "note": [text],
        "unknown": text,
    }
    assert text not in str(mask_payload("MessageReceived", payload))


def test_all_that_is_opened_can_be_masked() -> None:
    """Each column that the store keeps sealed has its mask."""
    assert masking.COLUMNS.keys() == opened_rows.COLUMNS.keys()


def test_a_row_is_masked_in_the_columns_that_are_named() -> None:
    """By the kinds of its handles; null stays, and what is not named."""
    row = {
        "kind": "phone",
        "value": "+15551234567",
        "of_kind": "email",
        "of_value": "ana@example.com",
        "address_value": None,
        "error": {"code": "1", "text": "ana said no", "reason": "unknown"},
        "handles": [["sms", "phone\x1f+15551234567", "an id"]],
        "cause": "quoted",
        "request": {"to": {"sms": "+15551234567"}, "reference": "r-1", "variables": {"name": "Ana"}},
    }
    masked = mask_row(row, row.keys() - {"kind", "of_kind", "cause"})
    assert masked == row | {
        "value": "+1 555 ••• ••67",
        "of_value": "a•••@e•••.com",
        "error": {"code": "1", "text": "••• (11 characters)", "reason": "unknown"},
        "handles": [["sms", "phone\x1f+1 555 ••• ••67", "an id"]],
        "request": {
            "to": {"sms": "+1 555 ••• ••67"},
            "reference": "••• (3 characters)",
            "variables": {"•••": "1 keys"},
        },
    }


def test_a_providers_id_shows_its_ends_where_it_is_long() -> None:
    """Enough to find it at the provider; what is amid it may be an address (WhatsApp's is base64 of one)."""
    id = "wamid.HBgLMTU1NTEyMzQ1NjcVAgARGBI5QTNDQTVCM0Q0Q0Q2RTY3RTcA"
    assert mask_id(id) == "wami•••RTcA" and mask_id("15551234567") == "•••"


@pytest.mark.parametrize("error", [{"reason": None}, {"reason": "unreachable"}])
def test_an_emptied_error_is_masked_as_it_is(error: dict[str, Any]) -> None:
    """It has no text, and gets none: a stream masks all columns, and a page those that were sealed."""
    assert mask_row({"error": error}) == {"error": error}
