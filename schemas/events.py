"""What travels: the event, its handle, its error, and the tables of names that all parts share.

Everything here is plain data. An `Event` is what an adapter makes of one fact in a webhook, and what the store appends.
"""

from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args

Channel = Literal["sms", "email", "push", "voice", "whatsapp", "rcs", "chat", "iot"]
Direction = Literal["inbound", "outbound"]
Reason = Literal[
    "invalid_address", "unreachable", "blocked", "spam", "opted_out", "content", "rate", "expired", "account", "unknown"
]
#: What a handle's value is. `user_id` is a service's own id of the customer; `whatsapp_user_id` a business-scoped one
#: (BSUID); `chat_id` a chat platform's id behind its name (`telegram:12345`); `device_id` a device's, behind its
#: network's or broker's name (`the_things_stack:fleet/truck-7`), where `device_token` is what a push is sent to.
HandleKind = Literal[
    "phone",
    "email",
    "user_id",
    "whatsapp_user_id",
    "chat_id",
    "device_token",
    "device_id",
    "short_code",
    "alphanumeric",
    "sip",
    "other",
]

CHANNELS: tuple[str, ...] = get_args(Channel)
DIRECTIONS: tuple[str, ...] = get_args(Direction)
REASONS: tuple[str, ...] = get_args(Reason)
HANDLE_KINDS: tuple[str, ...] = get_args(HandleKind)

#: Our event types and their dotted names, as the envelope and CloudEvents write them.
EVENT_TYPES: dict[str, str] = {
    "MessageRequested": "message.requested",
    "MessageHeld": "message.held",
    "MessageCancelled": "message.cancelled",
    "MessageExpired": "message.expired",
    "MessageQueued": "message.queued",
    "UserMessageSent": "message.sent",
    "MessageDelayed": "message.delayed",
    "MessageDelivered": "message.delivered",
    "MessageFailed": "message.failed",
    "MessageBounced": "message.bounced",
    "MessageRejected": "message.rejected",
    "MessageRead": "message.read",
    "MessageOpened": "message.opened",
    "MessageClicked": "message.clicked",
    "MessageComplained": "message.complained",
    "RecipientUnsubscribed": "recipient.unsubscribed",
    "RecipientSubscribed": "recipient.subscribed",
    "MessageReceived": "message.received",
    "CallStarted": "call.started",
    "CallCompleted": "call.completed",
    "CallFailed": "call.failed",
    "CallRecorded": "call.recorded",
    "InteractionProcessing": "interaction.processing",
    "InteractionCompleted": "interaction.completed",
    "HandleLinked": "handle.linked",
    "HandleUnlinked": "handle.unlinked",
    "CustomersMerged": "customers.merged",
    "CustomersSplit": "customers.split",
    "CustomerErased": "customer.erased",
    "ProviderEventReceived": "provider_event.received",
}
TYPE_OF_DOTTED: dict[str, str] = {dotted: name for name, dotted in EVENT_TYPES.items()}

SCHEMA_VERSION = 1


@dataclass(slots=True)
class Handle:
    """A typed address of a customer, e.g. `Handle("phone", "+15551234567")`."""

    kind: str
    value: str


#: Characters of an error's code and text: whoever reads an event gets both whole, however large what was said is.
MAX_ERROR_CODE = 128
MAX_ERROR_TEXT = 1024


@dataclass(slots=True)
class Error:
    """Why a message failed: the provider's code and text as given, and our normalized reason (one of `REASONS`).

    Of a code and a text beyond `MAX_ERROR_CODE` and `MAX_ERROR_TEXT` characters the beginning is kept.
    """

    code: str | None
    text: str | None
    reason: str

    def __post_init__(self) -> None:
        if self.code and len(self.code) > MAX_ERROR_CODE:
            self.code = self.code[:MAX_ERROR_CODE]
        if self.text and len(self.text) > MAX_ERROR_TEXT:
            self.text = self.text[:MAX_ERROR_TEXT]


@dataclass(slots=True)
class Event:
    """One fact. The fields are those of the `events` table that its author knows; the rest is added on the way.

    `source_event_id` is the same at every redelivery of the same fact and differs between facts.
    `provider_message_id` is theirs, unique within `provider` (a source name; absent: `source`); `message_id` is ours.
    `handle` is the customer's: who received an outbound message, who sent an inbound one.
    `occurred_at` is the provider's clock, aware and in UTC, absent where it gives none.
    `payload` follows the type's schema (`schemas/<Type>.json`), keys in camelCase.
    """

    type: str
    source: str
    source_event_id: str
    _: KW_ONLY
    channel: str | None = None
    direction: str | None = None
    provider_message_id: str | None = None
    message_id: str | None = None
    handle: Handle | None = None
    occurred_at: datetime | None = None
    error: Error | None = None
    payload: dict[str, Any] = field(default_factory=dict)
    provider: str | None = None
