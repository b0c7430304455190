"""Simulates the webhooks of Google's RCS for Business: events of a message, and a user's messages.

https://developers.google.com/business-communications/rcs-business-messaging/guides/integrate/webhooks,
…/guides/build/events/receive-events, …/reference/rest/v1/UserMessage.
"""

import base64
import hashlib
import hmac
from dataclasses import replace
from datetime import datetime

import orjson

from adapters.simulating import Incoming, Post, Sent, Settings, Simulator, Statuses, Webhooks

AGENT = "acme_agent_7xk2q0v_agent"
_EVENTS = {"MessageDelivered": "DELIVERED", "MessageRead": "READ", "MessageExpired": "TTL_EXPIRATION_REVOKED"}


def status(sent: Sent, state: str, at: datetime, url: str) -> Post:
    """Build the webhook of a message's event."""
    whose = "phoneNumber" if state == "MessageExpired" else "senderPhoneNumber"
    event = {
        whose: sent.to,
        "eventType": _EVENTS[state],
        "eventId": f"{_EVENTS[state].lower()}-{sent.id}",
        "messageId": sent.id,
        "agentId": AGENT,
        "sendTime": at.isoformat().replace("+00:00", "Z"),
    }
    return _post(event, url)


def inbound(incoming: Incoming, at: datetime, url: str) -> Post:
    """Build the webhook of a user's text."""
    message = {
        "senderPhoneNumber": incoming.sender,
        "messageId": incoming.id,
        "sendTime": at.isoformat().replace("+00:00", "Z"),
        "text": incoming.text,
        "agentId": AGENT,
    }
    return _post(message, url)


def _post(document: dict[str, str], url: str) -> Post:
    data = base64.b64encode(orjson.dumps(document)).decode()
    body = {"message": {"data": data, "messageId": "1"}, "subscription": "projects/rbm/subscriptions/webhook"}
    return Post(url, orjson.dumps(body), {"content-type": "application/json"})


def sign(post: Post, settings: Settings, at: datetime) -> Post:
    """Add the HMAC-SHA512 of the decoded data, in base64."""
    data = base64.b64decode(orjson.loads(post.body)["message"]["data"])
    digest = hmac.new(settings["client_token"].encode(), data, hashlib.sha512).digest()
    return replace(post, headers=post.headers | {"X-Goog-Signature": base64.b64encode(digest).decode()})


SIMULATOR = Simulator(
    webhooks=Webhooks(
        channels=("rcs",), statuses=Statuses(states=tuple(_EVENTS), build=status), inbound=inbound, sign=sign
    )
)
