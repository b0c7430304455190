"""Africa's Talking played: delivery reports and inbound SMS. https://developers.africastalking.com/docs/sms/notifications"""

import base64
from dataclasses import replace
from datetime import datetime
from urllib.parse import urlencode

from adapters.simulating import Post, Said, Sent, Settings

CHANNELS = ("sms",)
_STATUSES = {
    "UserMessageSent": "Sent",
    "MessageDelivered": "Success",
    "MessageDelayed": "Buffered",
    "MessageFailed": "Failed",
    "MessageRejected": "Rejected",
}
STATES = tuple(_STATUSES)
_FORM = {"content-type": "application/x-www-form-urlencoded"}


def status(sent: Sent, state: str, at: datetime, url: str) -> Post:
    """A delivery report."""
    fields = {"id": f"ATXid_{sent.id}", "status": _STATUSES[state], "phoneNumber": sent.to, "networkCode": "63902"}
    if state in ("MessageFailed", "MessageRejected"):
        fields["failureReason"] = "UserInBlackList" if state == "MessageRejected" else "UserDoesNotExist"
    return Post(url, urlencode(fields).encode(), dict(_FORM))


def inbound(said: Said, at: datetime, url: str) -> Post:
    """An incoming message."""
    fields = {
        "date": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "from": said.sender,
        "id": said.id,
        "linkId": "",
        "text": said.text,
        "to": said.to,
        "networkCode": "63902",
    }
    return Post(url, urlencode(fields).encode(), dict(_FORM))


def sign(post: Post, settings: Settings, at: datetime) -> Post:
    """Not signed: the credentials in the URL that it was told."""
    credentials = base64.b64encode(settings["basic_auth"].encode()).decode()
    return replace(post, headers=post.headers | {"authorization": f"Basic {credentials}"})
