"""A word of a provider's table in another case is the same word: no opt-out and no status is lost by its spelling."""

import json
from pathlib import Path
from typing import Any

import pytest

from adapters import interpret
from adapters.reading.words import spelled
from schemas.events import Event
from tests.fixtures import fixtures
from tests.unit.adapters.test_adapters import request_of
from tests.unit.adapters.test_kinds import documents, with_document

#: The keys whose word says what an event is, by provider; several where each is one half of the kind.
KEYS: dict[str, tuple[str, ...]] = {
    "africastalking": ("status", "updateType"),
    "bandwidth": ("type",),
    "brevo": ("event", "msg_status"),
    "clickatell": ("status",),
    "customerio": ("metric", "object_type"),
    "gupshup": ("status",),
    "infobip": ("groupName", "name"),
    "kaleyra": ("status",),
    "line": ("type",),
    "mailersend": ("type",),
    "mailgun": ("event",),
    "mailjet": ("event",),
    "mailtrap": ("event",),
    "messagebird": ("status",),
    "onesignal": ("event.kind",),
    "plivo": ("Status",),
    "postal": ("event", "status"),
    "postmark": ("RecordType", "Type", "SuppressionReason", "Origin"),
    "resend": ("type", "subscription"),
    "sendgrid": ("event",),
    "seven": ("webhook_event", "status"),
    "sinch": ("status",),
    "sparkpost": ("type",),
    "telnyx": ("event_type", "status"),
    "turn_whatsapp": ("status",),
    "twilio": ("MessageStatus", "SmsStatus", "OptOutType"),
    "unisender_go": ("event_name", "status"),
    "viber": ("event",),
    "vonage": ("status",),
    "whatsapp_cloud": ("status", "value"),
    "zenvia": ("code",),
}
CASES = [
    pytest.param(name, file, id=f"{name}/{file.stem}")
    for name in KEYS
    if KEYS[name]
    for file in fixtures(name)
    if not file.stem.startswith("web_")
]


def recased(value: Any, keys: tuple[str, ...], name: str = "") -> Any:
    """A copy of the document whose words under these keys are in another case."""
    if isinstance(value, dict):
        return {key: recased(inner, keys, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [recased(inner, keys, name) for inner in value]
    return value.swapcase() if name in keys and isinstance(value, str) else value


def said(events: list[Event]) -> list[Any]:
    return [
        (event.type, event.channel, event.direction, event.provider_message_id, event.handle, event.occurred_at)
        for event in events
    ]


@pytest.mark.parametrize(("provider", "file"), CASES)
def test_a_word_in_another_case_is_the_same_word(provider: str, file: Path) -> None:
    request = request_of(provider, file)
    found = documents(request)
    if found is None:
        return
    kind, document = found
    before = interpret(request, provider).events
    if all(event.type in ("MessageReceived", "ProviderEventReceived") for event in before):
        return
    other = recased(document, KEYS[provider])
    assert said(interpret(with_document(request, kind, other), provider).events) == said(before)


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("unsubscribed", "unsubscribed"),
        ("Unsubscribed", "unsubscribed"),
        ("OPTED-IN", "Opted-In"),
        ("unsubscribed ", "unsubscribed "),
        ("unsubscribe", "unsubscribe"),
        ("\u212aept", "\u212aept"),
        ("u" * 1000, "u" * 1000),
        ("", ""),
        (None, ""),
    ],
)
def test_the_spelling_of_a_table(word: str | None, found: str) -> None:
    """A word that is not in the table stays as it came: a Kelvin sign is no k."""
    assert spelled(word, {"unsubscribed": 1, "Opted-In": 2, "kept": 3}) == found


def test_the_spelling_is_kept() -> None:
    """`providerStatus` is what the provider wrote."""
    (file,) = [one for one in fixtures("mailjet") if one.stem == "unsub"]
    request = request_of("mailjet", file)
    request.body = json.dumps(json.loads(request.body) | {"event": "Unsub"}).encode()
    assert {event.payload["providerStatus"] for event in interpret(request, "mailjet").events} == {"Unsub"}


@pytest.mark.parametrize(
    ("word", "type"), [("Opted-Out", "RecipientUnsubscribed"), ("OPTED-IN", "RecipientSubscribed")]
)
def test_gupshup_consent(word: str, type: str) -> None:
    """https://docs.gupshup.io/docs/user-event"""
    (file,) = [one for one in fixtures("gupshup") if one.stem == "user_opted_out"]
    request = request_of("gupshup", file)
    body = json.loads(request.body)
    body["payload"]["type"] = word
    request.body = json.dumps(body).encode()
    (event,) = interpret(request, "gupshup").events
    assert (event.type, event.payload["providerStatus"]) == (type, word)


def test_amazon_ses() -> None:
    """The record is in a text of the notification of SNS."""
    (file,) = [one for one in fixtures("amazon_ses") if one.stem == "subscription_all"]
    request = request_of("amazon_ses", file)
    body = json.loads(request.body)
    record = json.loads(body["Message"])
    record["eventType"] = "SUBSCRIPTION"
    request.body = json.dumps(body | {"Message": json.dumps(record)}).encode()
    (event,) = interpret(request, "amazon_ses").events
    assert (event.type, event.payload["providerStatus"]) == ("RecipientUnsubscribed", "SUBSCRIPTION")
