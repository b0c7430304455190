"""Simulates SparkPost: transmissions, event webhooks in batches, and relay webhooks.

https://developers.sparkpost.com/api/webhooks/, …/api/relay-webhooks/, …/api/transmissions/.
"""

import base64
import re
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

_EVENTS = {
    "MessageQueued": ("message_event", "injection"),
    "MessageDelayed": ("message_event", "delay"),
    "MessageDelivered": ("message_event", "delivery"),
    "MessageOpened": ("track_event", "open"),
    "MessageClicked": ("track_event", "click"),
    "MessageBounced": ("message_event", "bounce"),
    "MessageRejected": ("message_event", "policy_rejection"),
    "MessageFailed": ("gen_event", "generation_failure"),
    "MessageComplained": ("message_event", "spam_complaint"),
    "RecipientUnsubscribed": ("unsubscribe_event", "link_unsubscribe"),
}
_REFUSALS: dict[Refusal, tuple[int, str, str]] = {
    "rate": (420, "2101", "Exceed Sending Limit (hourly)"),
    "invalid": (422, "1400", "required field is missing"),
    "unauthorized": (401, "1100", "Unauthorized."),
    "unavailable": (503, "1000", "Service Unavailable"),
}
_CURLY = {
    "{{opening_double_curly()}}": "{{",
    "{{closing_double_curly()}}": "}}",
    "{{opening_triple_curly()}}": "{{{",
    "{{closing_triple_curly()}}": "}}}",
}


def status(sent: Sent, state: str, at: datetime, url: str) -> Post:
    """Build a batch of one event; numbers are text, as SparkPost writes them."""
    kind, word = _EVENTS[state]
    item: dict[str, Any] = {
        "type": word,
        "event_id": str(int.from_bytes(f"{sent.id}{state}".encode()[-24:], "big") % 10**17),
        "timestamp": str(int(at.timestamp())),
        "transmission_id": sent.id,
        "message_id": f"000443ee{sent.id}",
        "rcpt_to": sent.to.lower(),
        "raw_rcpt_to": sent.to,
        "rcpt_meta": sent.extra.get("metadata") or ({"reference": sent.reference} if sent.reference else {}),
        "friendly_from": sent.sender,
        "customer_id": "1",
    }
    if word in ("bounce", "delay"):
        hard = word == "bounce"
        item |= {"bounce_class": "10" if hard else "22", "error_code": "550" if hard else "452"}
        item |= {"raw_reason": "550 5.1.1 no such user" if hard else "452 4.2.2 mailbox full", "num_retries": "0"}
    elif word in ("policy_rejection", "generation_failure"):
        item |= {"error_code": "554", "raw_reason": "recipient address suppressed due to customer policy"}
    elif kind == "track_event":
        item |= {"user_agent": "Mozilla/5.0", "ip_address": "198.51.100.7", "target_link_url": "https://example.com/1"}
    return Post(url, orjson.dumps([{"msys": {kind: item}}]), _headers("0123456789abcdef"))


def inbound(incoming: Incoming, at: datetime, url: str) -> Post:
    """Build a relay webhook: …/api/relay-webhooks/#header-relay-webhook-payload."""
    date = at.strftime("%a, %d %b %Y %H:%M:%S +0000")
    names = [("From", f"Ana <{incoming.sender}>"), ("Message-ID", f"<{incoming.id}@mail.example.com>"), ("Date", date)]
    head = "".join(f"{name}: {value}\r\n" for name, value in names)
    item = {
        "content": {
            "email_rfc822": f"{head}To: {incoming.to}\r\n\r\n{incoming.text}\r\n",
            "email_rfc822_is_base64": False,
            "headers": [{name: value} for name, value in names],
            "subject": "A question",
            "text": incoming.text,
            "to": [incoming.to],
        },
        "customer_id": "1337",
        "friendly_from": incoming.sender,
        "msg_from": incoming.sender,
        "rcpt_to": incoming.to,
        "webhook_id": "4839201967643219",
        "protocol": "smtp",
    }
    return Post(url, orjson.dumps([{"msys": {"relay_message": item}}]), _headers("fedcba9876543210"))


def sign(post: Post, settings: Settings, at: datetime) -> Post:
    """Add the user and password of the webhook, or a relay webhook's token: SparkPost signs nothing."""
    if "webhook_token" in settings:
        return replace(post, headers=post.headers | {"x-messagesystems-webhook-token": settings["webhook_token"]})
    credentials = base64.b64encode(settings["basic_auth"].encode()).decode()
    return replace(post, headers=post.headers | {"authorization": f"Basic {credentials}"})


def accept(call: Call, settings: Settings, id: str) -> list[Sent]:
    """Read POST /api/v1/transmissions, with the braces that the template language escapes. Raises Refused."""
    if call.headers.get("authorization") != settings["api_key"]:
        raise Refused("unauthorized")
    request = orjson.loads(call.body)
    if call.path != "/api/v1/transmissions" or not request.get("recipients"):
        raise Refused("invalid", "recipients is required")
    content = request["content"]
    if "template_id" not in content and not ({"text", "html"} & content.keys() and content.get("subject")):
        raise Refused("invalid", "content is required")
    number = f"{int(id, 16)}"[:17]
    made = []
    for one in request["recipients"]:
        email, meta = one.get("address", {}).get("email", ""), one.get("metadata", {})
        if "@" not in email:
            raise Refused("invalid", "address.email is required for each recipient")
        text = content.get("text")
        for escaped, braces in _CURLY.items() if text else ():
            text = re.sub(re.escape(escaped), braces, text)
        sender = content.get("from", {}).get("email", "")
        made.append(Sent(number, "email", email, sender, text, meta.get("reference"), extra={"metadata": meta}))
    return made


def reply(sent: list[Sent]) -> Reply:
    """Return 200 with the transmission's id."""
    results = {"total_rejected_recipients": 0, "total_accepted_recipients": len(sent), "id": sent[0].id}
    return Reply(200, orjson.dumps({"results": results}))


def refuse(why: Refusal) -> Reply:
    """Return a list of one error."""
    code, name, words = _REFUSALS[why]
    return Reply(code, orjson.dumps({"errors": [{"message": words, "code": name}]}))


def _headers(batch: str) -> dict[str, str]:
    return {"content-type": "application/json", "x-messagesystems-batch-id": batch}


SIMULATOR = Simulator(
    webhooks=Webhooks(
        channels=("email",), statuses=Statuses(states=tuple(_EVENTS), build=status), inbound=inbound, sign=sign
    ),
    api=Api(accept=accept, reply=reply, refuse=refuse),
)
