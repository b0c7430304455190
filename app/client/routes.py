"""The routes of the API as typed requests, and the documents that they take and give.

Made by `python -m app.api.openapi.typed` from the API's description; a test keeps it true.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypeAlias, TypedDict

from app.client.calls import Call, part


class Customer(TypedDict):
    """The document Customer."""

    customerId: str
    handles: list[Handle]
    linksNotApplied: list[dict[str, Any]]


class Timeline(TypedDict):
    """The document Timeline."""

    customerId: str
    interactions: list[Interaction]
    next: str | None


class Hold(TypedDict):
    """A customer's legal hold."""

    customerId: str
    reason: str
    until: str


class Erasures(TypedDict):
    """The document Erasures."""

    erasures: list[Erasure]


class Erasure(TypedDict):
    """The erasure of a customer."""

    erasureId: str
    customerId: str
    state: Literal[
        "waiting",
        "refused",
        "expired",
        "approved",
        "requested",
        "fenced",
        "searched",
        "asked",
        "destroyed",
        "purged",
        "rewritten",
        "completed",
    ]
    waits: str | None
    asked: list[dict[str, Any]]
    requestedAt: str
    fencedAt: str | None
    destroyedAt: str | None
    completedAt: str | None
    receipt: dict[str, Any] | None
    approval: Approval | None


class Sessions(TypedDict):
    """The document Sessions."""

    sessions: list[Session]
    next: str | None


class Callback(TypedDict):
    """The document Callback."""

    clientId: str
    url: str
    types: list[DottedEventType]
    concurrency: int
    state: Literal["enabled", "failing", "disabled"]
    failingSince: str | None
    disabledAt: str | None
    disabledReason: str | None
    deliveries: list[CallbackDelivery]


class Deliveries(TypedDict):
    """The document Deliveries."""

    deliveries: list[CallbackDelivery]


class Secret(TypedDict):
    """The document Secret."""

    secret: str
    othersUntil: str


class Enabled(TypedDict):
    """The document Enabled."""

    waiting: int


class Replayed(TypedDict):
    """The document Replayed."""

    replayed: int
    next: str | None


class DeadLetters(TypedDict):
    """The document DeadLetters."""

    deadLetters: list[DeadLetter]
    next: str | None


class DeadLetterGroups(TypedDict):
    """The document DeadLetterGroups."""

    groups: list[DeadLetterGroup]
    counted: int


class DeadLettersReplay(TypedDict):
    """The document DeadLettersReplay."""

    filter: DeadLetterFilter
    limit: NotRequired[int]
    cursor: NotRequired[str]
    dryRun: NotRequired[bool]
    lost: NotRequired[bool]


class DeadLettersReplayed(TypedDict):
    """The document DeadLettersReplayed."""

    replayed: int
    notKept: int
    next: str | None


class DeadLettersDiscard(TypedDict):
    """The document DeadLettersDiscard."""

    filter: DeadLetterFilter
    limit: NotRequired[int]
    cursor: NotRequired[str]
    dryRun: NotRequired[bool]
    reason: str
    removeRecord: NotRequired[bool]


class DeadLettersDiscarded(TypedDict):
    """The document DeadLettersDiscarded."""

    discarded: int
    next: str | None


class DeadLetterWithRecord(TypedDict):
    """The document DeadLetterWithRecord."""

    id: str
    state: Literal["open", "replayed", "discarded"]
    clientId: str | None
    source: str | None
    topic: str
    partition: int
    offset: int
    webhookId: str | None
    reason: str
    shape: str | None
    badItems: int
    size: int
    digest: str | None
    recordKept: bool
    recordedAt: str
    replayOf: str | None
    replay: DeadLetterReplay | None
    discard: DeadLetterDiscarded | None
    links: dict[str, Any]
    record: NotRequired[str | None]
    detail: NotRequired[Any]
    items: NotRequired[list[dict[str, Any]]]


class ReplayAgain(TypedDict):
    """The document ReplayAgain."""

    again: NotRequired[bool]


class DeadLetter(TypedDict):
    """The document DeadLetter."""

    id: str
    state: Literal["open", "replayed", "discarded"]
    clientId: str | None
    source: str | None
    topic: str
    partition: int
    offset: int
    webhookId: str | None
    reason: str
    shape: str | None
    badItems: int
    size: int
    digest: str | None
    recordKept: bool
    recordedAt: str
    replayOf: str | None
    replay: DeadLetterReplay | None
    discard: DeadLetterDiscarded | None
    links: dict[str, Any]


class DeadLetterDiscard(TypedDict):
    """The document DeadLetterDiscard."""

    reason: str
    removeRecord: NotRequired[bool]


class AuditEntries(TypedDict):
    """The document AuditEntries."""

    entries: list[AuditEntry]
    next: str | None


class MessagesCancel(TypedDict):
    """The document MessagesCancel."""

    filter: CancelFilter
    limit: NotRequired[int]
    cursor: NotRequired[str]
    dryRun: NotRequired[bool]


class MessagesCancelled(TypedDict):
    """The document MessagesCancelled."""

    cancelled: int
    next: str | None


class MessagesRelease(TypedDict):
    """The document MessagesRelease."""

    filter: ReleaseFilter
    limit: NotRequired[int]
    cursor: NotRequired[str]
    dryRun: NotRequired[bool]
    resend: NotRequired[bool]


class MessagesReleased(TypedDict):
    """The document MessagesReleased."""

    released: int
    next: str | None


class ListedMessages(TypedDict):
    """The document ListedMessages."""

    messages: list[ListedMessage]
    next: str | None


class TakenMessage(TypedDict):
    """The document TakenMessage."""

    messageId: str
    state: Literal["accepted"]
    channel: Channel
    links: dict[str, Any]
    duplicate: NotRequired[Literal[True]]


class TakenMessages(TypedDict):
    """The document TakenMessages."""

    messages: list[TakenMessage | RefusedMessage]


class Message(TypedDict):
    """The document Message."""

    messageId: str
    interactionId: str
    state: MessageState
    delivery: Delivery | None
    channel: Channel | None
    account: str | None
    priority: Literal["high", "normal", "low"]
    to: str | dict[str, Any] | None
    reference: str | None
    acceptedAt: str
    changedAt: str
    dueAt: str | None
    notBefore: str | None
    sendBefore: str | None
    cancelled: bool
    cause: str | None
    error: Error | None
    providerMessageId: str | None
    attempts: list[Attempt]
    links: MessageLinks


class Explanation(TypedDict):
    """The document Explanation."""

    messageId: str
    state: MessageState
    words: str
    reasons: list[dict[str, Any]]


class ChangedMessage(TypedDict):
    """The document ChangedMessage."""

    messageId: str
    state: MessageState
    detail: NotRequired[str]
    links: MessageLinks


class Merge(TypedDict):
    """The document Merge."""

    customerId: CustomerIdOf
    reason: NotRequired[DecisionReason]
    preview: NotRequired[Preview]


class Link(TypedDict):
    """The document Link."""

    handle: str
    reason: NotRequired[DecisionReason]
    preview: NotRequired[Preview]


class Split(TypedDict):
    """The document Split."""

    handles: list[str]
    reason: NotRequired[DecisionReason]
    preview: NotRequired[Preview]


class Unlink(TypedDict):
    """The document Unlink."""

    handle: str
    validFrom: str
    reason: NotRequired[DecisionReason]
    preview: NotRequired[Preview]


class Undo(TypedDict):
    """The document Undo."""

    reason: NotRequired[DecisionReason]


class Undone(TypedDict):
    """The document Undone."""

    eventId: str
    undoes: str


class Conflicts(TypedDict):
    """The document Conflicts."""

    conflicts: list[dict[str, Any]]


class Clients(TypedDict):
    """The document Clients."""

    clients: list[Client]


class Client(TypedDict):
    """The document Client."""

    clientId: str
    version: int
    createdAt: str | None
    actor: str | None
    configuration: Configuration


class Configuration(TypedDict):
    """How a client sends: its channels in the order of preference, the account and the time windows of each, and what happens if one fails. Times are in seconds."""

    channels: list[dict[str, Any]]
    windows: NotRequired[dict[str, Any]]
    holidays: NotRequired[list[str]]
    zone: NotRequired[str]
    retry: NotRequired[dict[str, Any]]
    fallback: NotRequired[dict[str, Any]]
    unanswered: NotRequired[Literal["hold", "resend"]]
    exempt: NotRequired[list[str]]
    expiresAfter: NotRequired[float]
    content: NotRequired[dict[str, Any]]
    retention: NotRequired[dict[str, Any]]
    erasure: NotRequired[dict[str, Any]]
    callback: NotRequired[dict[str, Any]]


class ClientVersions(TypedDict):
    """The document ClientVersions."""

    clientId: str
    versions: list[Client]
    next: int | None


class ClientAccounts(TypedDict):
    """The document ClientAccounts."""

    clientId: str
    accounts: list[Account]


class AccountSettings(TypedDict):
    """A client's account at a provider: the adapter, and the settings that the adapter needs, which are stored encrypted."""

    adapter: str
    source: NotRequired[str]
    url: NotRequired[str]
    settings: dict[str, Any]


class Account(TypedDict):
    """An account at a provider. `settings` and `secrets` are null where they cannot be decrypted now."""

    name: str
    adapter: str
    source: str
    url: str | None
    trusted: bool
    settings: dict[str, Any] | None
    secrets: list[str] | None
    origin: NotRequired[Literal["settings", "store"]]
    changedAt: NotRequired[str | None]
    webhookPath: NotRequired[str]


class Recipient(TypedDict):
    """The document Recipient."""

    handle: Handle
    zone: str | None
    consents: list[Consent] | None


class Handle(TypedDict):
    """A typed address."""

    kind: HandleKind
    value: str


class Interaction(TypedDict):
    """One message or call."""

    interactionId: str
    customerId: str | None
    channel: Channel | None
    messageId: str | None
    providerMessageId: str | None
    timestamp: str
    direction: Direction | None
    provider: str | None
    address: Handle | None
    content: Content
    status: Status
    delivery: Delivery | None
    facts: dict[str, Any]
    error: Error | None
    contradiction: bool
    erased: NotRequired[Literal[True]]


class Event(TypedDict):
    """One event of an interaction."""

    position: int
    eventId: str
    type: EventType
    channel: Channel | None
    direction: Direction | None
    source: str
    sourceEventId: str
    occurredAt: str | None
    receivedAt: str
    recordedAt: str
    error: Error | None
    payload: dict[str, Any]
    webhookId: str | None
    erased: NotRequired[Literal[True]]


class Approval(TypedDict):
    """The second person of an erasure."""

    askedBy: str
    reason: str
    expiresAt: str
    decidedBy: str | None
    decidedAt: str | None
    refusalReason: str | None


class Session(TypedDict):
    """A person who is logged in with a browser."""

    sessionId: str
    person: str
    issuer: str
    scopes: list[str]
    startedAt: str
    usedAt: str
    current: bool


class CallbackDelivery(TypedDict):
    """The document CallbackDelivery."""

    eventId: str
    messageId: str
    type: DottedEventType
    recordedAt: str
    state: DeliveryState
    attempts: int
    attemptedAt: str | None
    dueAt: str | None
    status: int | None
    error: str | None
    secretVersion: int | None


class DeadLetterGroup(TypedDict):
    """The document DeadLetterGroup."""

    source: str | None
    topic: str
    reason: str
    shape: str | None
    count: int
    firstAt: str
    lastAt: str
    example: str


class DeadLetterFilter(TypedDict):
    """The document DeadLetterFilter."""

    client: NotRequired[str]
    topic: NotRequired[str]
    source: NotRequired[str]
    reason: NotRequired[str]
    since: NotRequired[str]
    until: NotRequired[str]


class DeadLetterReplay(TypedDict):
    """The document DeadLetterReplay."""

    at: str
    by: str | None
    number: int
    outcome: Literal["events", "duplicate", "nothing", "dead", "refused", None]
    outcomeAt: str | None
    events: int | None
    deadLetterId: str | None


class DeadLetterDiscarded(TypedDict):
    """The document DeadLetterDiscarded."""

    at: str
    by: str | None
    reason: str | None
    recordRemoved: bool


class AuditEntry(TypedDict):
    """The document AuditEntry."""

    position: int
    at: str
    actor: str
    action: AuditAction
    subject: str
    detail: dict[str, Any]
    keyId: str | None
    address: str | None
    requestId: str | None
    reason: str | None


class CancelFilter(TypedDict):
    """The document CancelFilter."""

    state: Literal["queued", "held", "retrying", "unanswered"]
    channel: NotRequired[Channel]
    account: NotRequired[str]
    since: NotRequired[str]
    until: NotRequired[str]


class ReleaseFilter(TypedDict):
    """The document ReleaseFilter."""

    state: Literal["held", "unanswered"]
    channel: NotRequired[Channel]
    account: NotRequired[str]
    since: NotRequired[str]
    until: NotRequired[str]


class ListedMessage(TypedDict):
    """The document ListedMessage."""

    messageId: str
    state: MessageState
    channel: Channel | None
    account: str | None
    reference: str | None
    acceptedAt: str
    changedAt: str
    dueAt: str | None
    sendBefore: str | None
    cause: str | None
    error: Error | None
    links: MessageLinks


class MessageRequest(TypedDict):
    """A service asks for one message to be sent. The same over HTTP and on Kafka."""

    clientId: NotRequired[str]
    messageId: NotRequired[str]
    idempotencyKey: NotRequired[str]
    channel: NotRequired[Literal["sms", "email", "push", "voice", "whatsapp", "rcs", "chat", "iot"]]
    channels: NotRequired[list[Literal["sms", "email", "push", "voice", "whatsapp", "rcs", "chat", "iot"]]]
    to: str | dict[str, Any]
    body: NotRequired[str]
    content: NotRequired[dict[str, Any]]
    template: NotRequired[str | dict[str, Any]]
    variables: NotRequired[dict[str, Any]]
    userId: NotRequired[str]
    customerId: NotRequired[str]
    sender: NotRequired[str]
    sendBefore: NotRequired[str]
    notBefore: NotRequired[str]
    priority: NotRequired[Literal["high", "normal", "low"]]
    category: NotRequired[str]
    zone: NotRequired[str]
    reference: NotRequired[str]
    fallback: NotRequired[bool]


class RefusedMessage(TypedDict):
    """The document RefusedMessage."""

    error: Problem


class Error(TypedDict):
    """Why it failed or is delayed: the provider's code and text as given, and our reason."""

    code: str | None
    text: str | None
    reason: Reason


class Attempt(TypedDict):
    """A call of a provider."""

    number: int
    channel: Channel
    account: str
    begunAt: str
    answeredAt: str | None
    outcome: str | None
    status: int | None
    providerMessageId: str | None
    error: Error | None


class Belongings(TypedDict):
    """The document Belongings."""

    handles: list[Assigned]
    interactions: dict[str, Any]
    waitingMessages: int
    consents: list[dict[str, Any]] | None
    optedOut: dict[str, Any] | None


class StatedLink(TypedDict):
    """The document StatedLink."""

    handle: HandleOf
    other: HandleOf
    since: str
    evidence: list[dict[str, Any]]
    otherCustomerId: NotRequired[str]
    refusedBy: NotRequired[str | None]


class CustomerChange(TypedDict):
    """The document CustomerChange."""

    eventId: str
    kind: Literal["merged", "split", "unlinked"]
    at: str
    customerId: str | None
    otherCustomerId: str | None
    undoneBy: str | None
    evidence: dict[str, Any] | None
    reason: str | None


class Consent(TypedDict):
    """A recipient's consent on one channel. An opt-out of one list or group at a provider is not shown: the provider keeps it."""

    channel: ConsentChannel
    state: Literal["out", "in"]
    since: str | None
    until: str | None
    basis: str


class Content(TypedDict):
    """The content. Other keys are kept as they came. Without the scope `personal:read` a text is its length, as `••• (31 characters)`, an object the number of its keys, and the name of another key `•••`; a list keeps its length."""

    text: NotRequired[str]
    subject: NotRequired[str]
    html: NotRequired[str]
    audioUrl: NotRequired[str]
    pushPayload: NotRequired[Any]
    media: NotRequired[list[Any]]
    location: NotRequired[dict[str, Any]]
    buttonReply: NotRequired[dict[str, Any]]
    reaction: NotRequired[dict[str, Any]]


class Problem(TypedDict):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: NotRequired[str]
    parameter: NotRequired[str]
    scope: NotRequired[str]
    path: NotRequired[str]
    errors: NotRequired[list[BodyError]]
    moreErrors: NotRequired[int]


class Assigned(TypedDict):
    """The document Assigned."""

    handleId: str
    kind: str
    value: str | None
    validFrom: str | None
    validTo: str | None


class HandleOf(TypedDict):
    """The document HandleOf."""

    kind: str
    value: str | None


class BodyError(TypedDict):
    """A fault of a body."""

    path: str
    detail: str


Channel: TypeAlias = "Literal['sms', 'email', 'push', 'voice', 'whatsapp', 'rcs', 'chat', 'iot']"

Direction: TypeAlias = "Literal['inbound', 'outbound']"

Status: TypeAlias = "Literal['received', 'processing', 'completed']"

Delivery: TypeAlias = "Literal['requested', 'held', 'queued', 'sent', 'delayed', 'delivered', 'failed', 'bounced', 'rejected', 'cancelled', 'expired', 'started', 'recorded', 'received', 'completed']"


class InteractionWithEvents(Interaction):
    """The document InteractionWithEvents."""

    events: list[Event]
    archivedMonths: NotRequired[list[str]]


DeliveryState: TypeAlias = "Literal['waiting', 'delivered', 'failed']"

Replay: TypeAlias = "dict[str, Any]"

AuditAction: TypeAlias = "Literal['customer.read', 'customer.conflicts', 'timeline.read', 'timeline.stream', 'interaction.read', 'attachment.read', 'message.read', 'dead_letter.read', 'recipient.read', 'entries.read', 'customer.export', 'customer.erase', 'erasure.ask', 'erasure.approve', 'erasure.refuse', 'customer.erased', 'customer.hold', 'customer.unhold', 'erasure.replay', 'client.set', 'account.set', 'account.removed', 'account.resealed', 'callback.secret', 'callback.enabled', 'callback.disabled', 'callback.replay', 'recipient.set', 'consent.set', 'customer.merge', 'customer.split', 'customer.unlink', 'customer.undo', 'key.create', 'key.revoke', 'message.cancel', 'message.release', 'message.hold', 'dead_letter.replay', 'dead_letter.discard', 'gap.acknowledge', 'session.start', 'session.end', 'session.refused', 'access.refused', 'entries.lost', 'entries.forget']"

MessageRequests: TypeAlias = "MessageRequest | list[MessageRequest] | dict[str, Any]"


class CustomerRecord(Belongings):
    """The document CustomerRecord."""

    customerId: CustomerIdOf
    links: list[StatedLink]
    linksNotApplied: list[StatedLink]
    changes: list[CustomerChange]


Decision: TypeAlias = "dict[str, Any]"

ConsentChannel: TypeAlias = "Channel | Literal['*']"

DottedEventType: TypeAlias = "Literal['message.requested', 'message.held', 'message.cancelled', 'message.expired', 'message.queued', 'message.sent', 'message.delayed', 'message.delivered', 'message.failed', 'message.bounced', 'message.rejected', 'message.read', 'message.opened', 'message.clicked', 'message.complained', 'recipient.unsubscribed', 'recipient.subscribed', 'message.received', 'message.edited', 'message.deleted', 'call.started', 'call.completed', 'call.failed', 'call.recorded', 'interaction.processing', 'interaction.completed', 'handle.linked', 'handle.unlinked', 'customers.merged', 'customers.split', 'customer_change.undone', 'customer_erasure.requested', 'customer.erased', 'provider_event.received']"

MessageState: TypeAlias = (
    "Literal['queued', 'held', 'sending', 'retrying', 'unanswered', 'sent', 'failed', 'expired', 'cancelled']"
)

MessageLinks: TypeAlias = "dict[str, Any]"

CustomerIdOf: TypeAlias = "str"

DecisionReason: TypeAlias = "str | None"

Preview: TypeAlias = "bool"

HandleKind: TypeAlias = "Literal['phone', 'email', 'user_id', 'whatsapp_user_id', 'chat_id', 'device_token', 'device_id', 'short_code', 'alphanumeric', 'sip', 'other']"

EventType: TypeAlias = "Literal['MessageRequested', 'MessageHeld', 'MessageCancelled', 'MessageExpired', 'MessageQueued', 'UserMessageSent', 'MessageDelayed', 'MessageDelivered', 'MessageFailed', 'MessageBounced', 'MessageRejected', 'MessageRead', 'MessageOpened', 'MessageClicked', 'MessageComplained', 'RecipientUnsubscribed', 'RecipientSubscribed', 'MessageReceived', 'MessageEdited', 'MessageDeleted', 'CallStarted', 'CallCompleted', 'CallFailed', 'CallRecorded', 'InteractionProcessing', 'InteractionCompleted', 'HandleLinked', 'HandleUnlinked', 'CustomersMerged', 'CustomersSplit', 'CustomerChangeUndone', 'ErasureRequested', 'CustomerErased', 'ProviderEventReceived']"

Reason: TypeAlias = "Literal['invalid_address', 'unreachable', 'blocked', 'spam', 'opted_out', 'content', 'rate', 'expired', 'account', 'unknown']"


def find_customer(*, handle: str) -> Call[Customer]:
    """Find the customer of a handle: GET /api/customers."""
    return Call("GET", "/api/customers", query={"handle": handle})


def read_timeline(
    id: str,
    *,
    channel: Channel | None = None,
    direction: Direction | None = None,
    status: Status | Delivery | None = None,
    since: str | None = None,
    until: str | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> Call[Timeline]:
    """Read a customer's timeline, newest first: GET /api/customers/{id}/interactions."""
    return Call(
        "GET",
        f"/api/customers/{part(id)}/interactions",
        query={
            "channel": channel,
            "direction": direction,
            "status": status,
            "since": since,
            "until": until,
            "limit": limit,
            "cursor": cursor,
        },
    )


def follow_timeline(id: str) -> Call[str]:
    """Follow a customer's timeline, live: GET /api/customers/{id}/interactions/stream."""
    return Call("GET", f"/api/customers/{part(id)}/interactions/stream")


def read_interaction(id: str) -> Call[InteractionWithEvents]:
    """Read one interaction with its events: GET /api/interactions/{id}."""
    return Call("GET", f"/api/interactions/{part(id)}")


def read_attachment(id: str, n: int) -> Call[bytes]:
    """Read an attachment: GET /api/interactions/{id}/attachments/{n}."""
    return Call("GET", f"/api/interactions/{part(id)}/attachments/{part(n)}", raw=True)


def hold_customer(id: str, body: dict[str, Any]) -> Call[Hold]:
    """Put a customer under a legal hold, or change it: PUT /v1/customers/{id}/hold."""
    return Call("PUT", f"/v1/customers/{part(id)}/hold", body=body)


def end_hold(id: str) -> Call[None]:
    """End a customer's legal hold: DELETE /v1/customers/{id}/hold."""
    return Call("DELETE", f"/v1/customers/{part(id)}/hold")


def export_customer(id: str) -> Call[bytes]:
    """Export all that is kept of a customer: GET /v1/customers/{id}/export."""
    return Call("GET", f"/v1/customers/{part(id)}/export", raw=True)


def list_erasures(*, limit: int | None = None) -> Call[Erasures]:
    """List the erasures that wait for a second person: GET /v1/erasures."""
    return Call("GET", "/v1/erasures", query={"limit": limit})


def read_erasure(id: str) -> Call[Erasure]:
    """Read how far an erasure is, and its receipt: GET /v1/erasures/{id}."""
    return Call("GET", f"/v1/erasures/{part(id)}")


def approve_erasure(id: str, body: dict[str, Any]) -> Call[Erasure]:
    """Approve an erasure that somebody else asked for: POST /v1/erasures/{id}/approve."""
    return Call("POST", f"/v1/erasures/{part(id)}/approve", body=body)


def refuse_erasure(id: str, body: dict[str, Any]) -> Call[Erasure]:
    """Refuse an erasure that waits, or withdraw one's own: POST /v1/erasures/{id}/refuse."""
    return Call("POST", f"/v1/erasures/{part(id)}/refuse", body=body)


def list_sessions(*, person: str | None = None, limit: int | None = None, cursor: str | None = None) -> Call[Sessions]:
    """List the sessions of people who may act for the client: GET /v1/sessions."""
    return Call("GET", "/v1/sessions", query={"person": person, "limit": limit, "cursor": cursor})


def end_session(id: str) -> Call[None]:
    """End a session: DELETE /v1/sessions/{id}."""
    return Call("DELETE", f"/v1/sessions/{part(id)}")


def read_callback() -> Call[Callback]:
    """Read the state of the client's callback: GET /v1/callback."""
    return Call("GET", "/v1/callback")


def list_deliveries(*, state: DeliveryState | None = None, limit: int | None = None) -> Call[Deliveries]:
    """List the latest deliveries: GET /v1/callback/deliveries."""
    return Call("GET", "/v1/callback/deliveries", query={"state": state, "limit": limit})


def rotate_secret() -> Call[Secret]:
    """Create a new secret, shown only in this answer: POST /v1/callback/secret."""
    return Call("POST", "/v1/callback/secret")


def enable_callback() -> Call[Enabled]:
    """Enable a callback that was disabled: POST /v1/callback/enable."""
    return Call("POST", "/v1/callback/enable")


def replay_deliveries(body: Replay) -> Call[Replayed]:
    """Deliver events again: POST /v1/callback/replay."""
    return Call("POST", "/v1/callback/replay", body=body)


def list_dead_letters(
    *,
    client: str | None = None,
    topic: str | None = None,
    source: str | None = None,
    reason: str | None = None,
    since: str | None = None,
    until: str | None = None,
    handled: bool | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> Call[DeadLetters]:
    """List dead letters: GET /v1/dead-letters."""
    return Call(
        "GET",
        "/v1/dead-letters",
        query={
            "client": client,
            "topic": topic,
            "source": source,
            "reason": reason,
            "since": since,
            "until": until,
            "handled": handled,
            "limit": limit,
            "cursor": cursor,
        },
    )


def group_dead_letters(
    *,
    client: str | None = None,
    topic: str | None = None,
    source: str | None = None,
    reason: str | None = None,
    since: str | None = None,
    until: str | None = None,
    handled: bool | None = None,
) -> Call[DeadLetterGroups]:
    """Group dead letters: GET /v1/dead-letters/groups."""
    return Call(
        "GET",
        "/v1/dead-letters/groups",
        query={
            "client": client,
            "topic": topic,
            "source": source,
            "reason": reason,
            "since": since,
            "until": until,
            "handled": handled,
        },
    )


def replay_dead_letters(body: DeadLettersReplay) -> Call[DeadLettersReplayed]:
    """Replay the dead letters that pass a filter: POST /v1/dead-letters/replay."""
    return Call("POST", "/v1/dead-letters/replay", body=body)


def discard_dead_letters(body: DeadLettersDiscard) -> Call[DeadLettersDiscarded]:
    """Discard the dead letters that pass a filter: POST /v1/dead-letters/discard."""
    return Call("POST", "/v1/dead-letters/discard", body=body)


def read_dead_letter(id: str) -> Call[DeadLetterWithRecord]:
    """Read a dead letter: GET /v1/dead-letters/{id}."""
    return Call("GET", f"/v1/dead-letters/{part(id)}")


def replay_dead_letter(id: str, body: ReplayAgain) -> Call[DeadLetter]:
    """Replay a dead letter: POST /v1/dead-letters/{id}/replay."""
    return Call("POST", f"/v1/dead-letters/{part(id)}/replay", body=body)


def discard_dead_letter(id: str, body: DeadLetterDiscard) -> Call[DeadLetter]:
    """Discard a dead letter: POST /v1/dead-letters/{id}/discard."""
    return Call("POST", f"/v1/dead-letters/{part(id)}/discard", body=body)


def list_audit(
    *,
    since: str | None = None,
    until: str | None = None,
    actor: str | None = None,
    action: AuditAction | None = None,
    subject: str | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> Call[AuditEntries]:
    """Who did what: GET /v1/audit."""
    return Call(
        "GET",
        "/v1/audit",
        query={
            "since": since,
            "until": until,
            "actor": actor,
            "action": action,
            "subject": subject,
            "limit": limit,
            "cursor": cursor,
        },
    )


def cancel_messages(body: MessagesCancel) -> Call[MessagesCancelled]:
    """Cancel the messages that pass a filter: POST /v1/messages/cancel."""
    return Call("POST", "/v1/messages/cancel", body=body)


def release_messages(body: MessagesRelease) -> Call[MessagesReleased]:
    """Release the messages that pass a filter: POST /v1/messages/release."""
    return Call("POST", "/v1/messages/release", body=body)


def list_messages(
    *,
    state: Literal["queued", "unanswered", "held", "retrying", "failed", "expired", "cancelled"],
    channel: Channel | None = None,
    account: str | None = None,
    since: str | None = None,
    until: str | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> Call[ListedMessages]:
    """List the messages in a state: GET /v1/messages."""
    return Call(
        "GET",
        "/v1/messages",
        query={
            "state": state,
            "channel": channel,
            "account": account,
            "since": since,
            "until": until,
            "limit": limit,
            "cursor": cursor,
        },
    )


def send_messages(body: MessageRequests, *, idempotency_key: str | None = None) -> Call[TakenMessage | TakenMessages]:
    """Send messages: POST /v1/messages."""
    return Call("POST", "/v1/messages", body=body, idempotency_key=idempotency_key, keyed=True)


def send_by_channel(
    channel: Channel, body: MessageRequests, *, idempotency_key: str | None = None
) -> Call[TakenMessage | TakenMessages]:
    """Send messages by one channel: POST /v1/{channel}/messages."""
    return Call("POST", f"/v1/{part(channel)}/messages", body=body, idempotency_key=idempotency_key, keyed=True)


def read_message(id: str) -> Call[Message]:
    """Read a message: GET /v1/messages/{id}."""
    return Call("GET", f"/v1/messages/{part(id)}")


def explain_message(id: str) -> Call[Explanation]:
    """Read why a message waits: GET /v1/messages/{id}/explain."""
    return Call("GET", f"/v1/messages/{part(id)}/explain")


def cancel_message(id: str) -> Call[ChangedMessage]:
    """Cancel a message: POST /v1/messages/{id}/cancel."""
    return Call("POST", f"/v1/messages/{part(id)}/cancel")


def release_message(id: str, body: dict[str, Any]) -> Call[ChangedMessage]:
    """Release a message: POST /v1/messages/{id}/release."""
    return Call("POST", f"/v1/messages/{part(id)}/release", body=body)


def find_customer_record(*, handle: str) -> Call[CustomerRecord]:
    """Find the customer who has a handle now: GET /v1/customers."""
    return Call("GET", "/v1/customers", query={"handle": handle})


def read_customer(id: str) -> Call[CustomerRecord]:
    """Read a customer: GET /v1/customers/{id}."""
    return Call("GET", f"/v1/customers/{part(id)}")


def erase_customer(id: str, *, reason: str) -> Call[Erasure]:
    """Erase a customer: DELETE /v1/customers/{id}."""
    return Call("DELETE", f"/v1/customers/{part(id)}", query={"reason": reason})


def merge_customers(id: str, body: Merge) -> Call[Decision]:
    """Merge another customer into this one: POST /v1/customers/{id}/merge."""
    return Call("POST", f"/v1/customers/{part(id)}/merge", body=body)


def link_handle(id: str, body: Link) -> Call[Decision]:
    """Link a handle: merge the customer who has it into this one: POST /v1/customers/{id}/link."""
    return Call("POST", f"/v1/customers/{part(id)}/link", body=body)


def split_customer(id: str, body: Split) -> Call[Decision]:
    """Make a new customer of some of the handles: POST /v1/customers/{id}/split."""
    return Call("POST", f"/v1/customers/{part(id)}/split", body=body)


def unlink_handle(id: str, body: Unlink) -> Call[Decision]:
    """Give a handle to a new customer from a time on: POST /v1/customers/{id}/unlink."""
    return Call("POST", f"/v1/customers/{part(id)}/unlink", body=body)


def undo_customer_change(id: str, body: Undo) -> Call[Undone]:
    """Undo a merge, a split or an unlinking: POST /v1/customer-changes/{id}/undo."""
    return Call("POST", f"/v1/customer-changes/{part(id)}/undo", body=body)


def list_customer_conflicts(*, limit: int | None = None) -> Call[Conflicts]:
    """List links that contradict a split: GET /v1/customer-conflicts."""
    return Call("GET", "/v1/customer-conflicts", query={"limit": limit})


def list_clients() -> Call[Clients]:
    """List the clients that the key acts for: GET /v1/clients."""
    return Call("GET", "/v1/clients")


def read_client(id: str) -> Call[Client]:
    """Read a client's configuration: GET /v1/clients/{id}."""
    return Call("GET", f"/v1/clients/{part(id)}")


def put_client(id: str, body: Configuration) -> Call[Client]:
    """Replace a client's configuration: PUT /v1/clients/{id}."""
    return Call("PUT", f"/v1/clients/{part(id)}", body=body)


def list_versions(id: str, *, limit: int | None = None, before: int | None = None) -> Call[ClientVersions]:
    """List the versions of a client's configuration, newest first: GET /v1/clients/{id}/versions."""
    return Call("GET", f"/v1/clients/{part(id)}/versions", query={"limit": limit, "before": before})


def list_accounts(id: str) -> Call[ClientAccounts]:
    """List a client's accounts at providers: GET /v1/clients/{id}/accounts."""
    return Call("GET", f"/v1/clients/{part(id)}/accounts")


def put_account(id: str, name: str, body: AccountSettings) -> Call[Account]:
    """Add or replace an account: PUT /v1/clients/{id}/accounts/{name}."""
    return Call("PUT", f"/v1/clients/{part(id)}/accounts/{part(name)}", body=body)


def delete_account(id: str, name: str) -> Call[None]:
    """Remove an account: DELETE /v1/clients/{id}/accounts/{name}."""
    return Call("DELETE", f"/v1/clients/{part(id)}/accounts/{part(name)}")


def read_recipient(handle: str) -> Call[Recipient]:
    """Read a recipient's consents and time zone: GET /v1/recipients/{handle}."""
    return Call("GET", f"/v1/recipients/{part(handle)}")


def change_recipient(handle: str, body: dict[str, Any]) -> Call[Recipient]:
    """Set a recipient's time zone: PUT /v1/recipients/{handle}."""
    return Call("PUT", f"/v1/recipients/{part(handle)}", body=body)


def change_consent(handle: str, channel: ConsentChannel, body: dict[str, Any]) -> Call[Recipient]:
    """Opt a recipient out of a channel, or in to it: PUT /v1/recipients/{handle}/consents/{channel}."""
    return Call("PUT", f"/v1/recipients/{part(handle)}/consents/{part(channel)}", body=body)
