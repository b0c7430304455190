"""Instagram Messaging: messages to a professional account, what became of its own, comments; several items in one request.

https://developers.facebook.com/documentation/business-messaging/instagram-messaging/webhooks,
https://developers.facebook.com/docs/instagram-platform/webhooks. Signed and greeted as all of Meta's (`meta`), told as
Messenger is (`meta_chat`).
"""

from adapters.contract import Adapter, Normalized, Request, Values
from adapters.meta import chat as meta_chat
from adapters.meta import platform
from adapters.meta.platform import SIGNATURE, handshake

_NAMED = platform.names("instagram")


def recognise(request: Request) -> bool:
    """By what Meta calls the object: WhatsApp and Messenger are signed in the same header. A handshake does not say."""
    return platform.is_of(request, _NAMED)


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """HMAC-SHA256 of the body with the app secret. No time is signed: `fresh` has no say. Raises InvalidSignature."""
    return platform.verify(request, values)


def normalize(request: Request) -> Normalized:
    """One event per item. Raises Unprocessable."""
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
    # Meta retries what is not answered with 200.
    handshake=handshake,
)
