"""The receiving functions of an adapter whose provider posts no webhooks: they recognise none and refuse all."""

from adapters.contract import Normalized, Request, Unconfigured, Unprocessable, Values

SIGNATURE = "posts no webhooks"
EVENTS: frozenset[str] = frozenset()


def recognise(request: Request) -> bool:
    """Return False."""
    return False


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Raise Unconfigured: this request cannot come from the provider."""
    raise Unconfigured("this provider posts no webhooks, it only answers what is sent")


def normalize(request: Request) -> Normalized:
    """Raise Unprocessable."""
    raise Unprocessable("this provider posts no webhooks, it only answers what is sent")
