"""A word that a provider never sent before is kept with all that stands around it."""

import re
from pathlib import Path

import pytest

from adapters import interpret
from adapters.contract import Unprocessable
from tests.unit.adapters.test_adapters import each_fixture, request_of

NEW = "zzunheard"


def replaced(body: bytes, word: str) -> bytes:
    """The body with the word in another, where it stands as a whole value of JSON or of a form, but not as a direction; of
    a name with dots the last part, as providers add to them."""
    new = f"{word.rpartition('.')[0]}.{NEW}" if "." in word else NEW
    return re.sub(rb'(?<=["=])(?<!"direction":")' + re.escape(word.encode()) + rb'(?=["&]|$)', new.encode(), body)


#: The words that are all that says of what form the rest is (another kind of object, a chat's own event, a device's topic),
#: so that an id or an address of an unheard one in their place would be a guess. Only the word itself is then known.
FORMS: dict[str, tuple[str, ...]] = {
    "emqx": ("message.acked", "message.delivered", "message_acked", "message_deliver", "message_delivered"),
    "freshchat": ("message_create",),
    "instagram": ("read",),
    "intercom": (
        "conversation.admin.replied",
        "conversation.admin.single.created",
        "conversation.operator.replied",
        "ticket.admin.replied",
    ),
    "onesignal": ("message.push.unsubscribed",),  # of one device, where all others are of the person
    "postal": ("MessageBounced",),
    "pusher_beams": ("v1.UserNotificationAcknowledgement", "v1.UserNotificationOpen"),
    "sendgrid": ("dropped",),  # only where its address is none
    "slack": ("bot_message", "message", "message_metadata_posted"),
    "telegram": ("business_message",),
    "the_things_stack": ("downlink_ack", "downlink_failed", "downlink_nack", "downlink_queued", "downlink_sent"),
    "viber": ("delivered", "failed", "seen"),
    "zenvia": ("MESSAGE",),
}

#: What happens to another message, whose id stands under the very word.
CHANGES = frozenset({"MessageEdited", "MessageDeleted"})


@each_fixture
def test_an_unheard_status_says_whose_it_is(provider: str, file: Path) -> None:
    """With the word of a status replaced, what no table knows has the new word, and the id and address that the known one
    had: so it is counted under its name, and stands beside its message."""
    before = interpret(request_of(provider, file), provider).events
    words = {str(event.payload.get("providerStatus")) for event in before if event.type != "ProviderEventReceived"}
    for word in words - {"None", ""}:
        request = request_of(provider, file)
        request.body = replaced(request.body, word)
        if request.body == request_of(provider, file).body:
            continue
        try:
            after = interpret(request, provider).events
        except Unprocessable:
            continue
        if len(after) != len(before):
            continue
        for old, new in zip(before, after, strict=True):
            if new.type != "ProviderEventReceived" or old.type == new.type or old.payload.get("providerStatus") != word:
                continue
            if old.direction == "inbound":
                continue
            assert NEW in str(new.payload.get("providerStatus", "")).lower(), (word, new.payload)
            if old.type in CHANGES or word in FORMS.get(provider, ()):
                continue
            assert new.provider_message_id == old.provider_message_id, (word, new, old)
            assert new.handle == old.handle, (word, new.handle, old.handle)


@pytest.mark.parametrize(
    ("provider", "fixture", "word", "new"),
    [
        ("mailersend", "sms_delivered", "sms.delivered", "sms.zzunheard"),
        ("postmark", "bounce_bad_email_address", "Bounce", "zzunheard"),
        ("emqx", "delivery_dropped_expired", "delivery.dropped", "delivery.zzunheard"),
    ],
)
def test_an_unheard_word_of_a_known_form_keeps_its_message(provider: str, fixture: str, word: str, new: str) -> None:
    """The part of the word that names the form is known, or the form is that of all words."""
    request = request_of(provider, Path("tests/fixtures", provider, f"{fixture}.http"))
    (old,) = interpret(request_of(provider, Path("tests/fixtures", provider, f"{fixture}.http")), provider).events
    request.body = replaced(request.body, word)
    (event,) = interpret(request, provider).events
    assert (event.type, event.payload["providerStatus"]) == ("ProviderEventReceived", new)
    assert old.provider_message_id is not None
    assert (event.provider_message_id, event.handle) == (old.provider_message_id, old.handle)
    assert (event.channel, event.direction) == (old.channel, old.direction)


def test_an_unheard_sms_without_an_id_is_kept() -> None:
    """Only an SMS status that is known must name its message."""
    file = Path("tests/fixtures/mailersend/sms_delivered.http")
    request = request_of("mailersend", file)
    request.body = b'{"type": "sms.zzunheard", "data": {}}'
    (event,) = interpret(request, "mailersend").events
    assert (event.type, event.provider_message_id, event.handle) == ("ProviderEventReceived", None, None)
