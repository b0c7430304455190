"""The receiving half of an adapter whose provider posts no webhooks: it takes none for its own, and refuses all.

Such an adapter does `from adapters.signing.silent import answer, handshake, normalize, recognise, verify`.
"""

from adapters.contract.receiving import Answer, Normalized, Request, Unconfigured, Unprocessable, Values

SIGNS_BODY = False
SIGNATURE = "posts no webhooks"
EVENTS: frozenset[str] = frozenset()


def recognise(request: Request) -> bool:
    """Never."""
    return False


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Raises Unconfigured: whoever posts this, it is not the provider."""
    raise Unconfigured("this provider posts no webhooks, it only answers what is sent")


def normalize(request: Request) -> Normalized:
    """Raises Unprocessable."""
    raise Unprocessable("this provider posts no webhooks, it only answers what is sent")


def answer(request: Request) -> Answer:
    """Never asked."""
    return Answer()


def handshake(request: Request, values: Values) -> Answer | None:
    """There is none."""
    return None
