"""Reads the price of a message or call: an exact amount as text, with its ISO 4217 currency."""

import re
from decimal import Decimal
from typing import Any

#: Amounts that the schema allows; decimals after the fifteenth are dropped.
_AMOUNT = re.compile(r"(-?[0-9]{1,15})(?:\.([0-9]{0,15})[0-9]{0,15})?")


def price_of(amount: Any, currency: Any = None) -> dict[str, str] | None:
    """Return the price, or None if `amount` is neither digits nor a number. An invalid currency is left out."""
    if type(amount) in (int, float) and abs(amount) < 10**15:
        amount = format(Decimal(repr(amount)), "f")
    found = _AMOUNT.fullmatch(amount) if isinstance(amount, str) else None
    if found is None:
        return None
    price = {"amount": f"{found[1]}.{found[2]}" if found[2] else found[1]}
    if isinstance(currency, str) and len(currency) == 3 and currency.isascii() and currency.isalpha():
        price["currency"] = currency.upper()
    return price
