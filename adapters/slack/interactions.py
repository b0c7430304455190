"""Reads Slack's posts of forms: a person's choices and submitted forms (`payload=`), and slash commands.

https://docs.slack.dev/reference/interaction-payloads,
https://docs.slack.dev/interactivity/implementing-slash-commands. Slack does not retry these.
"""

from typing import Any

from adapters.contract import Request, Unprocessable
from adapters.reading.bodies import form_of, parse_json
from adapters.reading.facts import fact_id, identifier, text, unknown
from adapters.reading.parameters import whole_of
from adapters.reading.remainder import keep_rest
from adapters.slack.ids import address, message_id, plain, time_of
from adapters.slack.older import OLDER
from adapters.slack.payloads import inner, payload_of, team_of
from schemas.events import Event

Item = dict[str, Any]

_MOST_ACTIONS = 100
#: Keys of an action and of a view that add nothing to what the event has: ids, times, the layout.
_ACTION = frozenset({"type", "action_id", "block_id", "action_ts", "text"})
_VIEW = frozenset(
    "id team_id app_id bot_id app_installed_team_id root_view_id previous_view_id type hash blocks title submit close"
    " state clear_on_close notify_on_close".split()
)
#: Keys of a view that the app itself gave it, to know what it is about.
_ABOUT_VIEW = ("callback_id", "private_metadata")


def events(request: Request) -> list[Event]:
    """Return the events. Raises Unprocessable if there is neither a payload nor a command."""
    fields = dict(form_of(request))
    if "payload" in fields:
        payload = parse_json(fields["payload"].encode("utf-8", "surrogatepass"))
        if not isinstance(payload, dict):
            raise Unprocessable("a payload is not an object")
        return _of_payload(payload, request)
    if "command" in fields:
        return [_command(fields, request)]
    if not fields:
        raise Unprocessable("a form without fields")
    return [unknown(request, whole_of(request), status="ssl_check" if "ssl_check" in fields else None)]


def _of_payload(payload: Item, request: Request) -> list[Event]:
    kind, actions = text(payload.get("type")) or "", payload.get("actions")
    if kind == "block_actions" and isinstance(actions, list):
        chosen = [action for action in actions[:_MOST_ACTIONS] if isinstance(action, dict)]
        if chosen:
            made = [_action(action, payload, request) for action in chosen]
            # The fields beside the button belong to the whole message or view, so they are kept once.
            if values := _entered(payload):
                made[0].payload["content"]["form"] = values
            return made
    if kind in OLDER and (older := OLDER[kind](payload, request)):
        return older
    if kind == "view_submission" and isinstance(view := payload.get("view"), dict):
        return [_submission(view, payload, request)]
    found = unknown(request, payload, status=kind or None)
    found.channel, found.handle = "chat", address(team_of(payload), inner(payload, "user", "id"))
    found.occurred_at = time_of(payload.get("action_ts"))
    message = message_id(inner(payload, "channel", "id"), payload.get("message_ts"))
    found.provider_message_id = message
    return [found]


def _action(action: Item, payload: Item, request: Request) -> Event:
    """Return the event of a pressed button, a chosen option or an entered text, in a message (`container`) or a
    view."""
    user, stamp = inner(payload, "user", "id"), text(action.get("action_ts"))
    channel = inner(payload, "container", "channel_id") or inner(payload, "channel", "id")
    option = action.get("selected_option")
    choice = action if not isinstance(option, dict) else option
    title, value = plain(inner(choice, "text", "text")), text(choice.get("value"))
    reply = {key: words[:1024] for key, words in (("id", text(action.get("action_id"))), ("title", title)) if words}
    if value:
        reply["value"] = value
    content: dict[str, Any] = {"buttonReply": reply}
    if title:
        content["text"] = title
    event_payload = payload_of("block_actions", user, channel, payload) | {"content": content}
    if about := message_id(channel, inner(payload, "container", "message_ts")):
        event_payload["inReplyTo"] = about
    ids = (
        text(user),
        text(action.get("block_id")),
        text(action.get("action_id")),
        stamp,
        text(payload.get("trigger_id")),
    )
    event = Event(
        "MessageReceived",
        request.source,
        fact_id("action", *ids, value),
        channel="chat",
        direction="inbound",
        provider_message_id=message_id(channel or user, stamp),
        handle=address(team_of(payload), user),
        occurred_at=time_of(stamp),
        payload=event_payload,
    )
    # Other elements have other names for what was chosen: a date, a person, several options.
    view = payload.get("view")
    whose: Item = {"view": {key: view.get(key) for key in _ABOUT_VIEW}} if isinstance(view, dict) else {}
    return keep_rest(event, action | whose, _ACTION)


def _entered(payload: Item) -> Any:
    """Return the values of the fields beside what was pressed, in a message (`state`) or a view (`view.state`):
    https://docs.slack.dev/reference/interaction-payloads/block_actions-payload."""
    view = payload.get("view")
    return inner(payload, "state", "values") or (inner(view, "state", "values") if isinstance(view, dict) else None)


def _submission(view: Item, payload: Item, request: Request) -> Event:
    """Return the event of a submitted form, which has no time."""
    user, view_id = inner(payload, "user", "id"), identifier(view.get("id"))
    if view_id is None:
        raise Unprocessable("a view without its id")
    reply = {"id": text(view.get("callback_id")), "title": plain(inner(view, "title", "text"))}
    content: dict[str, Any] = {"buttonReply": {key: value[:1024] for key, value in reply.items() if value}}
    if values := inner(view, "state", "values"):
        content["form"] = values
    event_payload = payload_of("view_submission", user, None, payload) | {"content": content}
    ids = ("view", view_id, text(view.get("hash")), text(user), text(payload.get("trigger_id")))
    handle = address(team_of(payload), user)
    event = Event(
        "MessageReceived",
        request.source,
        fact_id(*ids),
        channel="chat",
        direction="inbound",
        provider_message_id=view_id,
        handle=handle,
        payload=event_payload,
    )
    return keep_rest(event, view, _VIEW)


def _command(fields: dict[str, str], request: Request) -> Event:
    """Return the event of a slash command with its text, which has no time."""
    get = fields.get
    user, channel, command = get("user_id"), get("channel_id"), get("command", "")
    payload: dict[str, Any] = {"providerStatus": "slash_command"}
    payload["content"] = {"text": plain(f"{command} {get('text', '')}".strip()) or ""}
    for key, value in (("from", user), ("to", channel), ("displayName", get("user_name"))):
        if value:
            payload[key] = value[:1024]
    trigger = identifier(get("trigger_id"))
    ids = ("command", trigger, user, channel, command, None if trigger else get("text"))
    handle = address(get("team_id") or get("enterprise_id"), user)
    return Event(
        "MessageReceived",
        request.source,
        fact_id(*ids),
        channel="chat",
        direction="inbound",
        provider_message_id=trigger,
        handle=handle,
        payload=payload,
    )
