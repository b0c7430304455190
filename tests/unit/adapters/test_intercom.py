"""Intercom: what a visitor says of himself is not taken for a fact, and its signature is not Meta's."""

from datetime import UTC, datetime
from typing import Any

import pytest

from adapters import intercom
from adapters.contract import InvalidSignature, Request
from adapters.intercom.content import content_of, customer_of
from schemas.events import Handle
from tests.fixtures import accounts


@pytest.mark.parametrize(
    ("person", "first", "others"),
    [
        ({"type": "user", "id": "1", "email": "ana@example.com"}, "intercom:1", ["ana@example.com"]),
        ({"type": "lead", "id": "1", "email": "ana@example.com", "phone": "+15551234567"}, "intercom:1", []),
        ({"type": "contact", "role": "user", "id": "1", "phone": "+15551234567"}, "intercom:1", ["+15551234567"]),
    ],
)
def test_a_leads_addresses_are_not_linked(person: dict[str, Any], first: str, others: list[str]) -> None:
    """Anyone can type another's address into the messenger; of a user the workspace knows it."""
    found, beside = customer_of(person, "chat")
    assert found == Handle("chat_id", first) and [one["value"] for one in beside] == others


def test_text_is_the_body_without_tags() -> None:
    """Line ends where the page has them, entities read, no matter how broken the HTML is."""
    assert content_of({"body": "<p>a&lt;b</p><p>c<br/>d</p><<x"})["text"] == "a<b\nc\nd\n<<x"


def test_a_signature_of_another_kind_is_refused() -> None:
    """SHA-256 in its place, or a bare header, is none."""
    for given in ("sha256=00", "sha1=", "x"):
        request = Request(
            "POST", "https://hooks.example.com/", {"x-hub-signature": given}, b"{}", datetime.now(UTC), "intercom"
        )
        with pytest.raises(InvalidSignature):
            intercom.verify(request, accounts("intercom").values)
