"""Makes the adapter of a provider that posts no webhooks: it recognises no request and refuses all."""

from adapters.contract import Adapter, Normalized, Request, Send, Setting, Unconfigured, Unprocessable, Values


def recognise(request: Request) -> bool:
    """Return False."""
    return False


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Raise Unconfigured: this request cannot come from the provider."""
    raise Unconfigured("this provider posts no webhooks, it only answers what is sent")


def normalize(request: Request) -> Normalized:
    """Raise Unprocessable."""
    raise Unprocessable("this provider posts no webhooks, it only answers what is sent")


def send_only(*, name: str, title: str, docs: str, settings: tuple[Setting, ...], send: Send) -> Adapter:
    """Return the adapter of a provider that only sends: its channels are those of `send`. Raises ValueError as Adapter."""
    return Adapter(
        name=name,
        title=title,
        docs=docs,
        channels=send.channels,
        events=frozenset(),
        signature="posts no webhooks",
        signs_body=False,
        settings=settings,
        recognise=recognise,
        verify=verify,
        normalize=normalize,
        send=send,
    )
