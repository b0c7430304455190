"""Reads Instagram Messaging's webhooks: messages to a professional account, the status of its own messages, comments.

https://developers.facebook.com/documentation/business-messaging/instagram-messaging/webhooks,
https://developers.facebook.com/docs/instagram-platform/webhooks. Meta's platforms share the signature and the handshake
(`meta.platform`), Instagram and Messenger the events (`meta.chat`). A request has several items.
"""

from adapters.contract import Adapter, Normalized, Request, Values
from adapters.meta import chat as meta_chat
from adapters.meta import platform
from adapters.meta.platform import SIGNATURE, handshake

_NAMED = platform.names("instagram")


def recognise(request: Request) -> bool:
    """Recognise a webhook by Meta's name for its object, as WhatsApp's and Messenger's have the same signature header.
    A handshake names no object."""
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
            *(
                "MessageReceived",
                "MessageEdited",
                "MessageDeleted",
                "UserMessageSent",
                "MessageRead",
                "ProviderEventReceived",
            ),
        }
    ),
    signature=SIGNATURE,
    signs_body=True,
    settings=platform.SECRETS,
    recognise=recognise,
    verify=verify,
    normalize=normalize,
    # Meta retries after anything but 200.
    handshake=handshake,
)
