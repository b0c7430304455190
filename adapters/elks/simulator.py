"""Simulates 46elks: delivery reports and inbound SMS. https://46elks.se/docs/sms-delivery-reports and …/docs/receive-sms"""

from datetime import datetime
from urllib.parse import urlencode

from adapters.simulating import Incoming, Post, Sent, Simulator, Statuses, Webhooks
from adapters.simulating.shared_secrets import sign

_STATUSES = {"UserMessageSent": "sent", "MessageDelivered": "delivered", "MessageFailed": "failed"}
_TIME = "%Y-%m-%dT%H:%M:%S.%f"


def status(sent: Sent, state: str, at: datetime, url: str) -> Post:
    """Build a delivery report: an id, a status and, of `delivered` alone, the time."""
    fields = {"id": _id(sent.id), "status": _STATUSES[state]}
    if state == "MessageDelivered":
        fields["delivered"] = f"{at:{_TIME}}"
    return _form(url, fields)


def inbound(incoming: Incoming, at: datetime, url: str) -> Post:
    """Build the webhook of an inbound SMS."""
    fields = {
        "direction": "incoming",
        "id": _id(incoming.id),
        "from": incoming.sender,
        "to": incoming.to,
        "created": f"{at:{_TIME}}",
        "message": incoming.text,
    }
    return _form(url, fields)


def _id(id: str) -> str:
    """Return an id as the provider makes them: `s` and 32 hexadecimal digits."""
    return f"s{id}"


def _form(url: str, fields: dict[str, str]) -> Post:
    return Post(url, urlencode(fields).encode(), {"content-type": "application/x-www-form-urlencoded"})


SIMULATOR = Simulator(
    webhooks=Webhooks(
        channels=("sms",),
        statuses=Statuses(states=tuple(_STATUSES), build=status, names_recipient=False),
        inbound=inbound,
        sign=sign,
    )
)
