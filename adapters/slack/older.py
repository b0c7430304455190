"""Reads the payloads of Slack's older interactions: buttons and menus in attachments, and dialogs.

https://docs.slack.dev/legacy/legacy-messaging/legacy-making-messages-interactive,
https://api.slack.com/legacy/dialogs. Apps that have them still receive them.
"""

from collections.abc import Callable
from typing import Any

from adapters.contract import Request
from adapters.reading.facts import fact_id, text
from adapters.reading.remainder import keep_rest
from adapters.reading.shapes import list_of, object_of
from adapters.slack.ids import address, message_id, plain, time_of
from adapters.slack.payloads import inner, payload_of, team_of
from schemas.events import Event

Item = dict[str, Any]

#: Most actions that are read. Slack posts one: the pressed button, or the menu with its chosen option.
_MOST_ACTIONS = 5


def _pressed(payload: Item, request: Request) -> list[Event]:
    """Return the event of each button pressed, or option chosen, in an attachment of a message."""
    actions = [one for one in list_of(payload.get("actions"))[:_MOST_ACTIONS] if isinstance(one, dict)]
    return [_action(action, payload, request) for action in actions]


def _action(action: Item, payload: Item, request: Request) -> Event:
    options = [one for one in list_of(action.get("selected_options")) if isinstance(one, dict)]
    name, value = text(action.get("name")), text((options[0] if options else action).get("value"))
    title = _title(payload, name, value)
    reply = {key: words[:1024] for key, words in (("id", name), ("title", title), ("value", value)) if words}
    event = _event({"buttonReply": reply} | ({"text": title} if title else {}), (name, value), payload, request)
    if about := message_id(inner(payload, "channel", "id"), payload.get("message_ts")):
        event.payload["inReplyTo"] = about
    return keep_rest(event, {"callback_id": payload.get("callback_id")})


def _title(payload: Item, name: str | None, value: str | None) -> str | None:
    """Return the label of what was pressed or chosen, by the message that has it; an ephemeral message is not given."""
    for attachment in list_of(object_of(payload.get("original_message")).get("attachments")):
        for action in list_of(object_of(attachment).get("actions")):
            if isinstance(action, dict) and text(action.get("name")) == name:
                options = [one for one in list_of(action.get("options")) if isinstance(one, dict)]
                for one in options or [action]:
                    if text(one.get("value")) == value:
                        return plain(one.get("text"))
    return None


def _dialog(payload: Item, request: Request) -> list[Event]:
    """Return the event of a submitted dialog."""
    callback = text(payload.get("callback_id"))
    content: dict[str, Any] = {"form": object_of(payload.get("submission"))}
    if callback:
        content["buttonReply"] = {"id": callback[:1024]}
    event = _event(content, (callback,), payload, request)
    return [keep_rest(event, {"state": payload.get("state")})]


def _event(content: Item, ids: tuple[str | None, ...], payload: Item, request: Request) -> Event:
    kind, stamp = text(payload.get("type")) or "", text(payload.get("action_ts"))
    user, channel = inner(payload, "user", "id"), inner(payload, "channel", "id")
    return Event(
        "MessageReceived",
        request.source,
        fact_id(kind, text(user), text(channel), text(payload.get("callback_id")), stamp, *ids),
        channel="chat",
        direction="inbound",
        provider_message_id=message_id(channel or user, stamp),
        handle=address(team_of(payload), user),
        occurred_at=time_of(stamp),
        payload=payload_of(kind, user, channel, payload) | {"content": content},
    )


#: What reads a payload, by its type.
OLDER: dict[str, Callable[[Item, Request], list[Event]]] = {
    "interactive_message": _pressed,
    "dialog_submission": _dialog,
}
