"""Maps Bandwidth's error codes of failed messages to our reasons. https://dev.bandwidth.com/docs/messaging/errors"""

from schemas.events import Error

#: 9902 is absent: no receipt came in time, for an unknown reason.
_CODES = {
    "invalid_address": "4303 4350 4404 4406 4408 4434 4492 4720 4721",
    "unreachable": "4401 4409 4420 4421 4700 4701 4702 4730 5106 5500 5501 5610 5620 5630 5650",
    "blocked": (
        "4001 4302 4403 4405 4407 4431 4432 4433 4435 4451 4452 4481 4482 4493 4740 4750 4753 4772 4773 4774 4790 4791"
        " 4792 4793 4795"
    ),
    "spam": "4470 4770",
    "opted_out": "4775",
    "content": "4301 4410 4411 4412 4711 4712 4751 4752 4771 5231",
    "rate": "4780 4781 4785 5211 5600",
    "expired": "4360 5201",
}
_REASONS = {code: reason for reason, codes in _CODES.items() for code in codes.split()}


def error_of(code: str | None, text: str | None) -> Error:
    """Return the error. The reason depends on the code alone, as `text` is documented as informative only."""
    return Error(code, text, _REASONS.get(code or "", "unknown"))
