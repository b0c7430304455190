"""Reads Facebook Messenger's webhooks (messages to a Page, delivery of the Page's own, consent) and sends messages.

https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks. Meta's
platforms share the signature and the handshake (`meta.platform`), Messenger and Instagram the events (`meta.chat`).
"""

from adapters.contract import Adapter, Answer, Normalized, Request, Send, Setting, Values
from adapters.facebook_messenger.send import build_request, read_response
from adapters.meta import chat as meta_chat
from adapters.meta import platform
from adapters.meta.platform import SIGNATURE, handshake

_NAMED = platform.names("page")


def recognise(request: Request) -> bool:
    """Recognise a webhook by Meta's name for its object, as WhatsApp's and Instagram's have the same signature header.
    A handshake names no object."""
    return platform.is_of(request, _NAMED)


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify HMAC-SHA256 of the body with the app secret. No time is signed, so `fresh` has no effect. Raises
    InvalidSignature."""
    return platform.verify(request, values)


def normalize(request: Request) -> Normalized:
    """Return one event per item, or one per message for a delivery. Raises Unprocessable."""
    return meta_chat.normalize(request, "messenger")


def answer(request: Request) -> Answer:
    """Return 200; Meta retries after anything else."""
    return Answer(200, b"EVENT_RECEIVED")


ADAPTER = Adapter(
    name="facebook_messenger",
    title="Facebook Messenger",
    docs="https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks",
    channels=frozenset({"chat"}),
    events=frozenset(
        {
            *meta_chat.OPTINS.values(),
            *(
                "MessageReceived",
                "MessageEdited",
                "MessageDeleted",
                "UserMessageSent",
                "MessageDelivered",
                "ProviderEventReceived",
            ),
        }
    ),
    signature=SIGNATURE,
    signs_body=True,
    settings=(
        *platform.SECRETS,
        Setting("access_token", "The Page's access token with pages_messaging, for sending."),
        Setting("page_id", "The Page's id; the token's Page if not set.", secret=False, aliases=("sender",)),
        Setting("tag", "A message tag, e.g. HUMAN_AGENT, for sending after the 24-hour window.", secret=False),
        *platform.API,
    ),
    recognise=recognise,
    verify=verify,
    normalize=normalize,
    answer=answer,
    handshake=handshake,
    send=Send(
        channels=frozenset({"chat"}),
        build_request=build_request,
        read_response=read_response,
    ),
)
