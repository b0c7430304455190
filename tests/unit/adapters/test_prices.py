"""Prices and addresses: one spelling by whatever provider."""

from typing import Any

import pytest

from adapters.reading.addresses import dialled, written
from adapters.reading.prices import price_of
from schemas.events import Handle


@pytest.mark.parametrize(
    ("amount", "currency", "price"),
    [
        ("0.03330000", "eur", {"amount": "0.03330000", "currency": "EUR"}),
        (0.0758, "USD", {"amount": "0.0758", "currency": "USD"}),
        (1e-7, None, {"amount": "0.0000001"}),
        (0, "EUR", {"amount": "0", "currency": "EUR"}),
        (-2, "€", {"amount": "-2"}),
        ("12.", "EURO", {"amount": "12"}),
        ("0.1234567890123456", 978, {"amount": "0.123456789012345"}),
    ],
)
def test_a_price_is_exact_text(amount: Any, currency: Any, price: dict[str, str]) -> None:
    """No digit is lost to a float, none is added; a currency that is none is left out."""
    assert price_of(amount, currency) == price


@pytest.mark.parametrize(
    "amount", [None, "", "free", "1,5", "1e5", "٣", True, 1e300, float("nan"), float("inf"), 10**20, "9" * 999, [1], {}]
)
def test_what_is_no_amount_is_no_price(amount: Any) -> None:
    """Odd values raise nothing."""
    assert price_of(amount, "EUR") is None


def test_addresses_have_one_spelling() -> None:
    """Numbers with and without their plus are the same; what is no address stays as it came."""
    assert dialled("15551234567", "sms") == dialled("+15551234567", "sms") == Handle("phone", "+15551234567")
    assert dialled("12345", "sms") == Handle("short_code", "12345")
    assert dialled("US.13491208655302741918", "whatsapp") == Handle("whatsapp_user_id", "US.13491208655302741918")
    assert written("15551234567", "sms") == "+15551234567"
    assert written("SHOPIN", "sms") == "SHOPIN"
    assert written("a\x00b", "sms") == "a\x00b"
    assert dialled(None, "sms") is None and written("", "sms") is None and written(5, None) is None
