"""Simulates Slack: chat.postMessage, the event about the app's own message, and messages of people to the app.

https://docs.slack.dev/reference/methods/chat.postMessage, …/reference/events/message_metadata_posted,
…/reference/events/message.im, …/authentication/verifying-requests-from-slack.
"""

import hashlib
import hmac
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson

from adapters.simulating import (
    Api,
    Call,
    Incoming,
    Post,
    Refusal,
    Refused,
    Reply,
    Sent,
    Settings,
    Simulator,
    Statuses,
    Webhooks,
)

CUSTOMERS = {"chat": "slack:T0123ABCD/U0456EFGH"}
SENDERS = {"chat": "U0BOT1234"}
APP, BOT, BOT_USER, CONVERSATION = "A0123ABCD", "B0123ABCD", "U0BOT1234", "D0456EFGH"
_REFUSALS: dict[Refusal, tuple[int, str]] = {
    "rate": (429, "ratelimited"),
    "invalid": (200, "channel_not_found"),
    "unauthorized": (200, "invalid_auth"),
    "unavailable": (503, "service_unavailable"),
}


def status(sent: Sent, state: str, at: datetime, url: str) -> Post:
    """Build the only event about an app's own message, with its recipient:
    …/reference/events/message_metadata_posted."""
    echoed = sent.extra.get("echoed") or {"message_id": f"m-{sent.id}", "reference": sent.reference, "to": sent.to}
    team, _ = _parts(sent.to)
    event = {
        "type": "message_metadata_posted",
        "app_id": APP,
        "bot_id": BOT,
        "user_id": BOT_USER,
        "team_id": team,
        "channel_id": CONVERSATION,
        "metadata": {"event_type": "threadline_message", "event_payload": echoed},
        "message_ts": sent.id,
        "event_ts": _ts(at),
    }
    return _post(url, team, event, at, f"sent-{sent.id}")


def inbound(incoming: Incoming, at: datetime, url: str) -> Post:
    """Build an inbound message: …/reference/events/message.im."""
    team, user = _parts(incoming.sender)
    text = incoming.text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    event = {
        "type": "message",
        "user": user,
        "text": text,
        "ts": incoming.id,
        "team": team,
        "channel": CONVERSATION,
        "event_ts": _ts(at),
        "channel_type": "im",
    }
    return _post(url, team, event, at, f"incoming-{incoming.id}")


def sign(post: Post, settings: Settings, at: datetime) -> Post:
    """Sign version, timestamp and body by HMAC-SHA256."""
    timestamp = str(int(at.timestamp()))
    base = b"v0:" + timestamp.encode() + b":" + post.body
    digest = hmac.new(settings["signing_secret"].encode(), base, hashlib.sha256).hexdigest()
    headers = {"X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": f"v0={digest}"}
    return replace(post, headers=post.headers | headers)


def accept(call: Call, settings: Settings, id: str) -> list[Sent]:
    """Read a send request: …/reference/methods/chat.postMessage. Raises Refused."""
    if call.headers.get("authorization") != f"Bearer {settings['bot_token']}":
        raise Refused("unauthorized")
    if not call.path.endswith("/chat.postMessage"):
        raise Refused("invalid", "unknown_method")
    try:
        document = orjson.loads(call.body)
    except orjson.JSONDecodeError as error:
        raise Refused("invalid", "invalid_json") from error
    if not document.get("channel") or not (document.get("text") or document.get("blocks")):
        raise Refused("invalid", "no_text")
    text = document.get("text", "").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    echoed = document.get("metadata", {}).get("event_payload", {})
    to = f"slack:{_parts(CUSTOMERS['chat'])[0]}/{document['channel']}"
    stamp = f"{int(id[:8], 16)}.{int(id[8:16], 16) % 1_000_000:06d}"
    return [Sent(stamp, "chat", to, BOT_USER, text, echoed.get("reference"), None, {"echoed": echoed})]


def reply(sent: list[Sent]) -> Reply:
    """Return 200 with the message's conversation and `ts`."""
    one = sent[0]
    message = {"type": "message", "text": one.text, "user": BOT_USER, "bot_id": BOT, "app_id": APP, "ts": one.id}
    return Reply(200, orjson.dumps({"ok": True, "channel": CONVERSATION, "ts": one.id, "message": message}))


def refuse(why: Refusal) -> Reply:
    """Return an error, mostly with status 200 and a word."""
    code, word = _REFUSALS[why]
    answer = Reply(code, orjson.dumps({"ok": False, "error": word}))
    if why == "rate":
        answer.headers["retry-after"] = "1"
    return answer


def _parts(address: str) -> tuple[str, str]:
    team, _, who = address.removeprefix("slack:").rpartition("/")
    return team, who


def _ts(at: datetime) -> str:
    return f"{at.timestamp():.6f}"


def _post(url: str, team: str, event: dict[str, Any], at: datetime, fact: str) -> Post:
    document = {
        "token": "XXYYZZ",
        "team_id": team,
        "api_app_id": APP,
        "event": event,
        "type": "event_callback",
        "event_id": f"Ev{hashlib.sha1(fact.encode()).hexdigest()[:12].upper()}",  # noqa: S324 (an id, no secret)
        "event_time": int(at.timestamp()),
        "authorizations": [{"team_id": team, "user_id": BOT_USER, "is_bot": True, "is_enterprise_install": False}],
    }
    headers = {"content-type": "application/json", "user-agent": "Slackbot 1.0 (+https://api.slack.com/robots)"}
    return Post(url, orjson.dumps(document), headers)


SIMULATOR = Simulator(
    webhooks=Webhooks(
        channels=("chat",), statuses=Statuses(states=("UserMessageSent",), build=status), inbound=inbound, sign=sign
    ),
    api=Api(accept=accept, reply=reply, refuse=refuse),
    customers=CUSTOMERS,
    senders=SENDERS,
)
