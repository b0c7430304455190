"""Instagram Messaging: messages to a professional account, what became of its own, comments; several items in one
request.

https://developers.facebook.com/documentation/business-messaging/instagram-messaging/webhooks,
https://developers.facebook.com/docs/instagram-platform/webhooks. Signature and handshake are those of all of Meta's
platforms (`meta.platform`), the events those of Messenger too (`meta.chat`).
"""

from adapters.contract import Adapter, Normalized, Request, Values
from adapters.meta import chat as meta_chat
from adapters.meta import platform
from adapters.meta.platform import SIGNATURE, handshake

_NAMED = platform.names("instagram")


def recognise(request: Request) -> bool:
    """Recognise a webhook by what Meta calls the object: WhatsApp and Messenger are signed in the same header. A
    handshake does not name it."""
    return platform.is_of(request, _NAMED)


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify HMAC-SHA256 of the body with the app secret. No time is signed, so `fresh` has no effect. Raises
    InvalidSignature."""
    return platform.verify(request, values)


def normalize(request: Request) -> Normalized:
    """Return one event per item. Raises Unprocessable."""
    return meta_chat.normalize(request, "instagram")


ADAPTER = Adapter(
    name="instagram",
    title="Instagram Messaging",
    docs="https://developers.facebook.com/documentation/business-messaging/instagram-messaging/webhooks",
    channels=frozenset({"chat"}),
    events=frozenset(
        {
            *meta_chat.OPTINS.values(),
            *("MessageReceived", "UserMessageSent", "MessageRead", "ProviderEventReceived"),
        }
    ),
    signature=SIGNATURE,
    signs_body=True,
    settings=platform.SECRETS,
    recognise=recognise,
    verify=verify,
    normalize=normalize,
    # Answered with 200: Meta retries after anything else.
    handshake=handshake,
)
