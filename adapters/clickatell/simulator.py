"""Simulates Clickatell: the SMS API's status and reply callbacks.

https://help.clickatell.com/developers-api-reference/sms-client-callbacks,
https://www.clickatell.com/developers/api-documentation/http-api-reply-callback
"""

import base64
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson

from adapters.simulating import Incoming, Post, Sent, Settings, Simulator, Statuses, Webhooks

_STATUSES: dict[str, tuple[int, str, str]] = {
    "MessageQueued": (8, "QUEUED", "Queued"),
    "UserMessageSent": (3, "SENT_TO_SUPPLIER", "Sent to supplier"),
    "MessageDelivered": (4, "RECEIVED_BY_RECIPIENT", "Received by recipient"),
    "MessageFailed": (9, "ROUTING_ERROR", "Routing error"),
}


def status(sent: Sent, state: str, at: datetime, url: str) -> Post:
    """Make a status callback. …/sms-client-callbacks, POST /client-callback/sms-status"""
    code, word, words = _STATUSES[state]
    return _post(
        url,
        {
            "integrationName": "Shop",
            "messageId": sent.id,
            "requestId": f"r{sent.id}",
            "clientMessageId": sent.reference,
            "to": sent.to.removeprefix("+"),
            "from": sent.sender.removeprefix("+"),
            "statusCode": code,
            "status": word,
            "statusDescription": words,
            "timestamp": str(int(at.timestamp() * 1000)),
        },
    )


def inbound(incoming: Incoming, at: datetime, url: str) -> Post:
    """Make a reply callback. …/http-api-reply-callback"""
    return _post(
        url,
        {
            "integrationName": "Shop",
            "messageId": None,
            "replyMessageId": incoming.id,
            "fromNumber": incoming.sender.removeprefix("+"),
            "toNumber": incoming.to.removeprefix("+"),
            "timestamp": str(int(at.timestamp() * 1000)),
            "text": incoming.text,
            "charset": "UTF-8",
            "udh": "",
            "network": "310260",
            "keyword": None,
        },
    )


def sign(post: Post, settings: Settings, at: datetime) -> Post:
    """Add the integration's basic authentication."""
    credentials = base64.b64encode(settings["basic_auth"].encode()).decode()
    return replace(post, headers=post.headers | {"authorization": f"Basic {credentials}"})


def _post(url: str, document: dict[str, Any]) -> Post:
    return Post(url, orjson.dumps(document), {"content-type": "application/json"})


SIMULATOR = Simulator(
    webhooks=Webhooks(
        channels=("sms",), statuses=Statuses(states=tuple(_STATUSES), build=status), inbound=inbound, sign=sign
    ),
)
