"""Defines the event, its handle and its error, and the names that all parts share: channels, reasons, kinds, types.

Everything here is plain data. Adapters make an `Event` of each fact in a webhook, and the store appends it.
"""

from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args

Channel = Literal["sms", "email", "push", "voice", "whatsapp", "rcs", "chat", "iot"]
Direction = Literal["inbound", "outbound"]
Reason = Literal[
    "invalid_address", "unreachable", "blocked", "spam", "opted_out", "content", "rate", "expired", "account", "unknown"
]
#: The kinds of a handle's value. `user_id`: a service's own id of the customer. `whatsapp_user_id`: a business-scoped
#: user id (BSUID). `chat_id`: a chat platform's id after the platform's name (`telegram:12345`). `device_id`: a
#: device's id after the name of its network or broker (`the_things_stack:fleet/truck-7`). `device_token`: the address
#: of a push message.
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
    "MessageEdited": "message.edited",
    "MessageDeleted": "message.deleted",
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
    "CustomerChangeUndone": "customer_change.undone",
    "ErasureRequested": "customer_erasure.requested",
    "CustomerErased": "customer.erased",
    "ProviderEventReceived": "provider_event.received",
}
TYPE_OF_DOTTED: dict[str, str] = {dotted: name for name, dotted in EVENT_TYPES.items()}

#: Most characters of an id of a message or a fact, as `definitions.json` has it too, and of the name of a source. The
#: longest id that is known has some 130 (WhatsApp's). A longer one is refused, since half of it is another id.
MAX_ID = 512
MAX_SOURCE = 512


@dataclass(slots=True)
class Handle:
    """A typed address of a customer, e.g. `Handle("phone", "+15551234567")`."""

    kind: str
    value: str


#: Most characters of an error's code and text, so that every reader of an event gets both whole.
MAX_ERROR_CODE = 128
MAX_ERROR_TEXT = 1024


@dataclass(slots=True)
class Error:
    """Why a message failed: the provider's code and text as given, and our normalized reason (one of `REASONS`).

    The code is cut to `MAX_ERROR_CODE` characters, the text to `MAX_ERROR_TEXT`.
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
    """One event. The fields are the columns of the `events` table that its author knows; the store adds the others.

    `source_event_id` is the same at every redelivery of the same fact and differs between facts. `provider_message_id`
    is the provider's, unique within `provider` (a source name; absent: `source`), or with `per_recipient` that of a job
    with several recipients, so that id and `handle` together are one message. `message_id` is ours;
    `echoed_message_id` is ours as a provider repeats it, which counts only if we sent that message to this `handle`,
    since a sender may copy it to other messages. `handle` is the customer's: the recipient of an outbound message, the
    sender of an inbound one. `occurred_at` is the provider's
    time, aware and in UTC, absent if the provider gives none. `payload` follows the type's schema
    (`schemas/<Type>.json`), keys in camelCase. `trace` is the W3C `traceparent` of what made it, if that was traced.
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
    per_recipient: bool = False
    echoed_message_id: str | None = None
    trace: str | None = field(default=None, compare=False)
