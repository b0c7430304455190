"""Reads Slack's events: messages, mentions, reactions, and the app's own messages.

https://docs.slack.dev/reference/events/message, its subtypes, …/app_mention, …/reaction_added,
…/message_metadata_posted. A message may be delivered twice, as `message` and as `app_mention`: two facts of one
message.
"""

from typing import Any

from adapters.contract import Request
from adapters.reading.addresses import of_kind
from adapters.reading.facts import fact_id, identifier, text
from adapters.reading.own_ids import NAME, own_id
from adapters.reading.remainder import keep_rest
from adapters.reading.times import from_unix
from adapters.slack.content import content_of
from adapters.slack.ids import address, message_id, time_of
from adapters.slack.notices import SLACK, is_ours, notice, with_app
from adapters.slack.send import METADATA
from schemas.events import Event

Item = dict[str, Any]

#: Subtypes of messages, https://docs.slack.dev/reference/events/message#subtypes; the others are notices.
MESSAGE_SUBTYPES = frozenset({"", "file_share", "me_message", "thread_broadcast", "bot_message"})
#: Keys of a message that add nothing to what its event has.
_READ = frozenset(
    "type subtype channel channel_type user ts event_ts thread_ts team client_msg_id parent_user_id hidden".split()
)
_REACTIONS = frozenset({"reaction_added", "reaction_removed"})


def event(item: Item, body: Item, request: Request) -> Event:
    """Return the event of an `event_callback`, whose whole body is `body`. Raises Unprocessable."""
    kind, subtype = text(item.get("type")) or "", text(item.get("subtype")) or ""
    event_id = identifier(body.get("event_id"))
    if kind == "app_mention" or (kind == "message" and subtype in MESSAGE_SUBTYPES):
        found = _message(item, body, request, subtype or kind)
    elif kind == "message" and subtype == "message_changed" and (gone := _tombstone(item)) is not None:
        found = _changed(gone, "MessageDeleted", item, body, request)
    elif kind == "message" and subtype == "message_changed" and (new := _edited(item)) is not None:
        found = _changed(new, "MessageEdited", item, body, request)
    elif kind == "message" and subtype == "message_deleted" and isinstance(old := item.get("previous_message"), dict):
        found = _changed(old | {"ts": item.get("deleted_ts") or old.get("ts")}, "MessageDeleted", item, body, request)
    elif kind in _REACTIONS and isinstance(item.get("item"), dict):
        found = _reaction(item, body, request, kind)
    elif kind == "message_metadata_posted":
        found = _own(item, body, request)
    else:
        found = notice(item, body, request, f"{kind}.{subtype}" if subtype else kind)
    found.source_event_id = event_id or fact_id(
        "event", found.provider_message_id, kind, subtype, text(item.get("event_ts"))
    )
    if found.occurred_at is None:
        found.occurred_at = time_of(item.get("event_ts")) or from_unix(body.get("event_time"))
    return found


def _message(item: Item, body: Item, request: Request, status: str) -> Event:
    conversation = item.get("channel")
    id_ = message_id(conversation, item.get("ts") or item.get("event_ts"))
    if id_ is None:
        return notice(item, body, request, f"message.{status}" if status != "message" else status)
    ours = is_ours(item, body)
    # Another app's message, or Slack's own, is not a customer's.
    if not ours and (item.get("bot_id") or text(item.get("user")) in (None, SLACK)):
        return notice(item, body, request, f"message.{status}" if status != "message" else status)
    team, user = body.get("team_id"), item.get("user")
    there = address(team, conversation)
    customer = there if ours else address(team, user)
    payload: dict[str, Any] = {"providerStatus": status[:255]}
    for key, value in (("from", user), ("to", conversation)):
        if words := text(value):
            payload[key] = words[:2048]
    if content := content_of(item):
        payload["content"] = content
    if not ours and there is not None and item.get("channel_type") == "im" and with_app(body):
        payload["handles"] = [{"kind": there.kind, "value": there.value}]
    thread = item.get("thread_ts")
    if thread != item.get("ts") and (parent := message_id(conversation, thread)):
        payload["inReplyTo"] = parent
    event = Event(
        "UserMessageSent" if ours else "MessageReceived",
        request.source,
        "",
        channel="chat",
        direction="outbound" if ours else "inbound",
        provider_message_id=id_,
        handle=customer,
        occurred_at=time_of(item.get("event_ts")) or time_of(item.get("ts")),
        payload=payload,
    )
    return keep_rest(event, item, _READ)


def _changed(message: Item, type_: str, item: Item, body: Item, request: Request) -> Event:
    """Return the event of a message that its writer changed or deleted, as it is or was, at the time of the change."""
    there = {name: item.get(name) for name in ("channel", "channel_type")}
    found = _message(message | there, body, request, text(item.get("subtype")) or "")
    if found.type == "ProviderEventReceived":  # another app's
        return notice(item, body, request, f"message.{item.get('subtype')}")
    found.type = type_
    if type_ == "MessageDeleted":
        found.payload.pop("content", None)
        found.payload.pop("native", None)
    found.occurred_at = time_of(item.get("event_ts")) or time_of(item.get("ts"))
    return found


def _tombstone(item: Item) -> Item | None:
    """Return the message as it was before a deletion that Slack reports as a change, or None: of a message that has replies
    a tombstone stays, whose user is Slackbot."""
    new, old = item.get("message"), item.get("previous_message")
    if not isinstance(new, dict) or new.get("subtype") != "tombstone" or not isinstance(old, dict):
        return None
    return old | {"ts": old.get("ts") or new.get("ts")}


def _edited(item: Item) -> Item | None:
    """Return the message after a person's edit, or None: Slack also reports a preview that it adds as a change."""
    new, old = item.get("message"), item.get("previous_message")
    if not isinstance(new, dict) or not isinstance(new.get("edited"), dict):
        return None
    return None if isinstance(old, dict) and old.get("edited") == new["edited"] else new


def _reaction(item: Item, body: Item, request: Request, kind: str) -> Event:
    about = item["item"]
    reacted = message_id(about.get("channel"), about.get("ts"))
    customer = address(body.get("team_id"), item.get("user"))
    if reacted is None or customer is None or is_ours(item, body):
        return notice(item, body, request, kind)
    name = f":{text(item.get('reaction')) or ''}:"[:64]
    taken_back = kind == "reaction_removed"
    reaction = {"emoji": "" if taken_back else name, "providerMessageId": reacted}
    if taken_back:
        reaction["removed"] = name
    payload: dict[str, Any] = {"providerStatus": kind, "content": {"reaction": reaction}, "inReplyTo": reacted}
    for key, value in (("from", item.get("user")), ("to", about.get("channel"))):
        if words := text(value):
            payload[key] = words[:2048]
    own_id = message_id(about.get("channel"), item.get("event_ts"))
    return Event(
        "MessageReceived",
        request.source,
        "",
        channel="chat",
        direction="inbound",
        provider_message_id=own_id,
        handle=customer,
        payload=payload,
    )


def _own(item: Item, body: Item, request: Request) -> Event:
    """Return the event of the app's own message: `build_request` put the recipient and our id into its metadata."""
    metadata = item.get("metadata")
    echoed = metadata.get("event_payload") if isinstance(metadata, dict) else None
    id_ = message_id(item.get("channel_id"), item.get("message_ts"))
    known = isinstance(metadata, dict) and metadata.get("event_type") == METADATA
    app = text(item.get("app_id"))
    if not known or not isinstance(echoed, dict) or id_ is None or app is None or app != body.get("api_app_id"):
        return notice(item, body, request, "message_metadata_posted")
    payload: dict[str, Any] = {"providerStatus": "message_metadata_posted"}
    for key, value in (("from", item.get("user_id")), ("to", item.get("channel_id"))):
        if words := text(value):
            payload[key] = words[:2048]
    if reference := text(echoed.get("reference")):
        payload["reference"] = reference[:1024]
    to = echoed.get("to")
    customer = of_kind("chat_id", to) if isinstance(to, str) and to.startswith("slack:") else None
    ours = own_id(echoed.get(NAME))
    return Event(
        "UserMessageSent",
        request.source,
        "",
        channel="chat",
        direction="outbound",
        provider_message_id=id_,
        echoed_message_id=ours,
        handle=customer,
        payload=payload,
    )
