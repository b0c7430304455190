"""Reads the author of an event of Slack's, and events that are no customer's messages: notices and other apps'
messages.

https://docs.slack.dev/reference/events: a person is `user` (a text, or in team_join an object), `user_id` (file_shared)
or `assistant_thread.user_id` (assistant_thread_started).
"""

from typing import Any

from adapters.contract import Request
from adapters.reading.facts import text, unknown
from adapters.reading.shapes import object_of
from adapters.slack.ids import address, message_id
from schemas.events import Event

Item = dict[str, Any]

#: Slackbot's user in every workspace: Slack's own notices and answers, no person's.
SLACK = "USLACKBOT"


def with_app(body: Item) -> bool:
    """Return whether a direct conversation is the app's own: the event came by its bot's installation, which sees no other
    one. A user's installation sees those of two people (https://docs.slack.dev/apis/events-api, `authorizations`)."""
    known = body.get("authorizations")
    return isinstance(known, list) and any(isinstance(one, dict) and one.get("is_bot") is True for one in known)


def is_ours(item: Item, body: Item) -> bool:
    """Return whether the app itself wrote the message: by the app's id, or by the app's user in this workspace."""
    app, profile = text(body.get("api_app_id")), item.get("bot_profile")
    author = item.get("app_id") or (profile.get("app_id") if isinstance(profile, dict) else None)
    if app is not None and author == app and item.get("bot_id"):
        return True
    user, known = text(item.get("user")), body.get("authorizations")
    return user is not None and any(
        isinstance(one, dict) and one.get("is_bot") is True and one.get("user_id") == user
        for one in (known if isinstance(known, list) else ())
    )


def notice(item: Item, body: Item, request: Request, status: str) -> Event:
    """Return an unknown event of the whole body, for anything else."""
    found = unknown(request, body, status=status or None)
    conversation = item.get("channel")
    stamp = item.get("deleted_ts") or item.get("ts")
    if (inner := item.get("message")) and isinstance(inner, dict):
        stamp = inner.get("ts")
    if (id_ := message_id(conversation, stamp)) is not None:
        found.channel, found.provider_message_id = "chat", id_
    user = _person(item)
    if isinstance(before := item.get("previous_message"), dict):
        user = before.get("user")
        item = before
    if not item.get("bot_id") and user != SLACK and not is_ours({"user": user}, body):
        found.handle = address(body.get("team_id"), user)
        found.channel = "chat" if found.handle is not None else found.channel
    return found


def _person(item: Item) -> Any:
    """Return the id of the person that an event names; None for a bot that joined."""
    user = item.get("user")
    if isinstance(user, dict):
        return None if user.get("is_bot") is True else user.get("id")
    return user or item.get("user_id") or object_of(item.get("assistant_thread")).get("user_id")
