"""Converts the parameters of an inbound message into our `content`.

https://www.twilio.com/docs/messaging/guides/webhook-request, "WhatsApp-specific parameters" among them.
"""

from collections.abc import Mapping
from typing import Any

from adapters.contract import Unprocessable
from adapters.reading.bodies import parse_json
from adapters.reading.facts import location

Fields = Mapping[str, str]

MOST_MEDIA = 100
#: Parameters that `messages` reads, and those that say nothing of the message.
ROUTINE = frozenset(
    "MessageSid SmsSid SmsMessageSid AccountSid ApiVersion From To SmsStatus MessageStatus NumSegments NumMedia"
    " ReferralNumMedia ExternalUserId WaId Forwarded FrequentlyForwarded Contacts InteractiveData"
    " FlowData".split()
)
#: Parameters in JSON, by their keys in our content: shared contacts, and the answers of a filled form (a flow).
_JSON = {"Contacts": "contacts", "InteractiveData": "form", "FlowData": "flow"}
_REFERRAL = "Referral"


def add_content(payload: dict[str, Any], fields: Fields) -> None:
    """Add a message's content, its sender's name and the message that it replies to."""
    get = fields.get
    content: dict[str, Any] = {}
    if body := get("Body"):
        content["text"] = body
    if get("NumMedia", "0") != "0" or "MediaUrl0" in fields:
        content["media"] = [
            {"url": url, "type": kind} if (kind := get(f"MediaContentType{index}")) else {"url": url}
            for index in range(MOST_MEDIA)
            if (url := get(f"MediaUrl{index}"))
        ]
    if "Latitude" in fields and (place := location(get("Latitude"), get("Longitude"), get("Label") or get("Address"))):
        content["location"] = place
    if chosen := _chosen(get("ButtonPayload"), get("ButtonText")) or _chosen(get("ListId"), get("ListTitle")):
        content["buttonReply"] = chosen
    for name, key in _JSON.items():
        if written := get(name):
            content[key] = parsed(written)
    if referral := _referral(fields):
        content["referral"] = referral
    for name, key in (("Forwarded", "forwarded"), ("FrequentlyForwarded", "frequentlyForwarded")):
        if get(name, "").lower() == "true":
            content[key] = True
    if content:
        payload["content"] = content
    if profile := get("ProfileName"):
        payload["displayName"] = profile
    if replied_to := get("OriginalRepliedMessageSid"):
        payload["inReplyTo"] = replied_to


def parsed(written: str) -> Any:
    """Return a parameter in JSON parsed, or as it came if it is none."""
    try:
        return parse_json(written.encode("utf-8", "replace"), bounded=True)
    except Unprocessable:
        return written


def _referral(fields: Fields) -> dict[str, str]:
    """Return the advertisement that led to the message: `ReferralSourceUrl` is `sourceUrl`, and so on."""
    return {
        name[len(_REFERRAL)].lower() + name[len(_REFERRAL) + 1 :]: value
        for name, value in fields.items()
        if name.startswith(_REFERRAL) and len(name) > len(_REFERRAL) and value and name != "ReferralNumMedia"
    }


def _chosen(id_: str | None, title: str | None) -> dict[str, str]:
    return {key: value for key, value in (("id", id_), ("title", title)) if value}
