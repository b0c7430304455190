"""The demo's story: the webhooks of one day between a customer, Ana, and a shop.

Ids are new in each run. Numbers are from the range reserved for fiction, addresses at example.com.
"""

import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from app.cli.demo.provider_posts import Post, RelayPosts, SendGrid, Twilio, WhatsApp

#: Further members of some kinds of SendGrid's events.
_MORE = {
    "click": {"url": "https://shop.example.com/orders/4711"},
    "deferred": {"response": "451 4.7.1 try again later", "attempt": "1"},
}
PHONE, EMAIL = "+15551234567", "ana@example.com"
SHOP, SHOP_WHATSAPP = "+18005550199", "18005550199"


@dataclass(slots=True)
class Story:
    """The posts of one run, in order, and what the timelines must then show: event types by the provider's message id, by
    the customer's handle; and texts or subjects by the provider's message id. The provider's statuses and the service's
    report of the text are different posts, and may arrive in any order."""

    posts: list[Post] = field(default_factory=list)
    expected: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)

    def expect(self, handle: str, id: str, *types: str) -> None:
        """Add the facts that a message must have."""
        self.expected.setdefault(handle, {}).setdefault(id, set()).update(types)

    def missing(self, handle: str, interactions: Iterable[Mapping[str, Any]]) -> list[str]:
        """Return what the handle's interactions, in the API's JSON, do not show yet, in words."""
        found = {one["providerMessageId"]: one for one in interactions}
        lacking: list[str] = []
        for id, types in self.expected.get(handle, {}).items():
            one = found.get(id, {"facts": {}, "content": {}})
            lacking += [f"{fact} of {id}" for fact in sorted(types - one["facts"].keys())]
            if id in self.texts and self.texts[id] not in (one["content"].get("text"), one["content"].get("subject")):
                lacking.append(f"the text of {id}")
        return lacking


def story_of(
    now: datetime, *, relay: RelayPosts, twilio: Twilio | None, whatsapp: WhatsApp | None, sendgrid: SendGrid | None
) -> Story:
    """Return the story by the configured providers, ending at `now` (aware)."""
    story = Story()
    if twilio:
        for part in (_texts, _call):
            story.posts += part(story, twilio, relay)
    if whatsapp:
        story.posts += _chat(story, whatsapp, relay, now)
    if sendgrid:
        story.posts += _mails(story, sendgrid, relay, now)
    return story


def _texts(story: Story, twilio: Twilio, relay: RelayPosts) -> Iterator[Post]:
    """Yield text messages, by https://www.twilio.com/docs/messaging/guides/track-outbound-message-status. A status
    callback does not repeat the text: the service that sent the message reports it."""
    for text, last, error in (
        ("Hi Ana, your parcel comes today. When are you at home?", "delivered", None),
        ("Thank you. The driver comes between 18:00 and 19:00.", "delivered", None),
        ("The driver stands at your door.", "undelivered", "30003"),
    ):
        sid = f"SM{secrets.token_hex(16)}"
        form = {"AccountSid": "AC" + "0" * 32, "From": SHOP, "To": PHONE, "MessageSid": sid, "ApiVersion": "2010-04-01"}
        sent = {"channel": "sms", "providerMessageId": sid, "from": SHOP, "to": PHONE, "content": {"text": text}}
        yield relay.post(twilio.source, "message.sent", sent)
        story.texts[sid] = text
        for status in ("queued", "sent", last):
            more = {"ErrorCode": error} if error and status == last else {}
            yield twilio.post({**form, "MessageStatus": status, "SmsStatus": status, **more})
        story.expect(PHONE, sid, "MessageQueued", "UserMessageSent", "MessageFailed" if error else "MessageDelivered")
    for text in ("After six, please! 🙂", "Gate code is 4711#"):
        sid = f"SM{secrets.token_hex(16)}"
        yield twilio.post({
            "AccountSid": "AC" + "0" * 32, "MessageSid": sid, "SmsMessageSid": sid, "SmsStatus": "received",
            "From": PHONE, "To": SHOP, "Body": text, "NumMedia": "0", "NumSegments": "1", "ApiVersion": "2010-04-01",
        })  # fmt: skip
        story.expect(PHONE, sid, "MessageReceived")


def _call(story: Story, twilio: Twilio, relay: RelayPosts) -> Iterator[Post]:
    """Yield a call, by https://www.twilio.com/docs/voice/api/call-resource#statuscallback and
    …/recording#recordingstatuscallback."""
    sid, account = f"CA{secrets.token_hex(16)}", "AC" + "0" * 32
    call = {"AccountSid": account, "CallSid": sid, "From": PHONE, "To": SHOP, "Direction": "inbound"}
    for number, status in enumerate(("ringing", "in-progress", "completed")):
        more = {"CallDuration": "74"} if status == "completed" else {}
        ordered = {"CallStatus": status, "SequenceNumber": str(number), "CallbackSource": "call-progress-events"}
        yield twilio.post({**call, **ordered, **more})
    recording = f"RE{secrets.token_hex(16)}"
    url = f"https://api.twilio.com/2010-04-01/Accounts/{account}/Recordings/{recording}"
    yield twilio.post({
        "AccountSid": account, "CallSid": sid, "RecordingSid": recording, "RecordingUrl": url,
        "RecordingStatus": "completed", "RecordingDuration": "71", "RecordingChannels": "1",
    })  # fmt: skip
    story.expect(PHONE, sid, "CallStarted", "CallCompleted", "CallRecorded")


def _chat(story: Story, whatsapp: WhatsApp, relay: RelayPosts, now: datetime) -> Iterator[Post]:
    """Yield a chat, by https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/components. Times are whole
    seconds, and one post may have several statuses."""
    meta = {"display_phone_number": SHOP_WHATSAPP, "phone_number_id": "106540352242922"}
    contact = {"profile": {"name": "Ana"}, "wa_id": PHONE[1:]}
    question, answer = f"wamid.{secrets.token_hex(20)}", f"wamid.{secrets.token_hex(20)}"
    asked = {
        "from": PHONE[1:], "id": question, "timestamp": _unix(now, 240), "type": "image",
        "image": {"caption": "It came like this. Can I send it back?", "mime_type": "image/jpeg", "sha256": "x", "id": "1004"},
    }  # fmt: skip
    yield whatsapp.post({"metadata": meta, "contacts": [contact], "messages": [asked]})
    story.expect(PHONE, question, "MessageReceived")
    text = "We are sorry, Ana. A new one leaves today; keep the other."
    sent = {"channel": "whatsapp", "providerMessageId": answer, "to": PHONE, "content": {"text": text}}
    yield relay.post(whatsapp.source, "message.sent", {**sent, "timestamp": _time(now, 181)})
    story.texts[answer] = text
    statuses = [
        {"id": answer, "status": status, "timestamp": _unix(now, ago), "recipient_id": PHONE[1:]}
        for status, ago in (("sent", 180), ("delivered", 178), ("read", 120))
    ]
    yield whatsapp.post({"metadata": meta, "statuses": statuses[:2]})
    yield whatsapp.post({"metadata": meta, "statuses": statuses[2:]})
    story.expect(PHONE, answer, "UserMessageSent", "MessageDelivered", "MessageRead")


def _mails(story: Story, sendgrid: SendGrid, relay: RelayPosts, now: datetime) -> Iterator[Post]:
    """Yield mails, by https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event. A batch has events of
    several messages."""
    batches: list[list[dict[str, object]]] = [[], []]
    for subject, kinds, began in (
        ("Your order 4711", ("processed", "delivered", "open", "click"), 900),
        ("How was it, Ana?", ("processed", "deferred", "delivered"), 90),
    ):
        id = secrets.token_urlsafe(16)  # the X-Message-Id that the service had as the answer to its send
        sent = {"channel": "email", "providerMessageId": id, "to": EMAIL, "content": {"subject": subject}}
        yield relay.post(sendgrid.source, "message.sent", {**sent, "timestamp": _time(now, began)})
        story.texts[id] = subject
        for number, kind in enumerate(kinds):
            batches[number % 2].append({
                "email": EMAIL, "event": kind, "timestamp": int(_unix(now, began)) + 4 * number,
                "sg_event_id": secrets.token_urlsafe(16), "sg_message_id": f"{id}.recvd-0000000000-aaaaa-1-00000000-0.0", **_MORE.get(kind, {}),
            })  # fmt: skip
        types = {"processed": "MessageQueued", "deferred": "MessageDelayed", "delivered": "MessageDelivered"}
        types |= {"open": "MessageOpened", "click": "MessageClicked"}
        story.expect(EMAIL, id, "UserMessageSent", *(types[kind] for kind in kinds))
    for batch in batches:
        yield sendgrid.post(batch)


def _unix(now: datetime, ago: int) -> str:
    return str(int(now.timestamp()) - ago)


def _time(now: datetime, ago: int) -> str:
    return (now - timedelta(seconds=ago)).astimezone(UTC).isoformat(timespec="seconds")
