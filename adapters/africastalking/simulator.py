"""Simulates Africa's Talking: delivery reports and inbound SMS. https://developers.africastalking.com/docs/sms/notifications"""

import base64
from dataclasses import replace
from datetime import datetime
from urllib.parse import urlencode

from adapters.simulating import Incoming, Post, Sent, Settings, Simulator, Statuses, Webhooks

_STATUSES = {
    "UserMessageSent": "Sent",
    "MessageDelivered": "Success",
    "MessageDelayed": "Buffered",
    "MessageFailed": "Failed",
    "MessageRejected": "Rejected",
}
_FORM = {"content-type": "application/x-www-form-urlencoded"}


def status(sent: Sent, state: str, at: datetime, url: str) -> Post:
    """Make a delivery report."""
    fields = {"id": f"ATXid_{sent.id}", "status": _STATUSES[state], "phoneNumber": sent.to, "networkCode": "63902"}
    if state in ("MessageFailed", "MessageRejected"):
        fields["failureReason"] = "UserInBlackList" if state == "MessageRejected" else "UserDoesNotExist"
    return Post(url, urlencode(fields).encode(), dict(_FORM))


def inbound(incoming: Incoming, at: datetime, url: str) -> Post:
    """Make the webhook of an inbound message."""
    fields = {
        "date": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "from": incoming.sender,
        "id": incoming.id,
        "linkId": "",
        "text": incoming.text,
        "to": incoming.to,
        "networkCode": "63902",
    }
    return Post(url, urlencode(fields).encode(), dict(_FORM))


def sign(post: Post, settings: Settings, at: datetime) -> Post:
    """Add basic authentication from the URL; nothing is signed."""
    credentials = base64.b64encode(settings["basic_auth"].encode()).decode()
    return replace(post, headers=post.headers | {"authorization": f"Basic {credentials}"})


SIMULATOR = Simulator(
    webhooks=Webhooks(
        channels=("sms",), statuses=Statuses(states=tuple(_STATUSES), build=status), inbound=inbound, sign=sign
    ),
)
