"""Facebook Messenger: messages to a Page, what became of the Page's own, consent; several entries and items in one.

https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks. Signature and handshake
are those of all of Meta's platforms (`meta.platform`), the events those of Instagram too (`meta.chat`).
"""

from adapters.contract import Adapter, Answer, Normalized, Request, Send, Setting, Values
from adapters.facebook_messenger.send import build_request, read_response
from adapters.meta import chat as meta_chat
from adapters.meta import platform
from adapters.meta.platform import SIGNATURE, handshake

_NAMED = platform.names("page")


def recognise(request: Request) -> bool:
    """Recognise a webhook by what Meta calls the object: WhatsApp and Instagram are signed in the same header. A
    handshake does not name it."""
    return platform.is_of(request, _NAMED)


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify HMAC-SHA256 of the body with the app secret. No time is signed, so `fresh` has no effect. Raises
    InvalidSignature."""
    return platform.verify(request, values)


def normalize(request: Request) -> Normalized:
    """Return one event per item; of a delivery one per message. Raises Unprocessable."""
    return meta_chat.normalize(request, "messenger")


def answer(request: Request) -> Answer:
    """200; anything else is tried again."""
    return Answer(200, b"EVENT_RECEIVED")


ADAPTER = Adapter(
    name="facebook_messenger",
    title="Facebook Messenger",
    docs="https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks",
    channels=frozenset({"chat"}),
    events=frozenset(
        {
            *meta_chat.OPTINS.values(),
            *("MessageReceived", "UserMessageSent", "MessageDelivered", "ProviderEventReceived"),
        }
    ),
    signature=SIGNATURE,
    signs_body=True,
    settings=(
        *platform.SECRETS,
        Setting("access_token", "The Page's access token with pages_messaging, to send with."),
        Setting("page_id", "The Page's id; the token's Page if not set.", secret=False, aliases=("sender",)),
        Setting("tag", "A message tag, e.g. HUMAN_AGENT, to send with beyond 24 hours.", secret=False),
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
