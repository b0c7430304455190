"""What a message says is kept: each text of its body is in the event, or is named here as saying nothing of the message."""

import json
import re
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters import interpret
from adapters.reading.parameters import whole_of
from adapters.reading.remainder import keep_rest
from adapters.reading.times import from_text
from schemas.events import Event
from tests.fixtures import fixtures
from tests.unit.adapters.test_adapters import request_of

PROVIDERS = (
    "twilio whatsapp_cloud facebook_messenger instagram gupshup kaleyra turn_whatsapp slack telegram viber line intercom"
    " freshchat zenvia infobip google_rcs"
).split()
CONTENT = frozenset({"MessageReceived", "MessageEdited", "UserMessageSent"})
#: Keys whose values say nothing of the message: ids of accounts and of delivery, versions, times of the event, the word
#: that names its kind, tokens, and lists that belong to the other items of the webhook.
ROUTINE = frozenset(
    # of all
    "type timestamp event object field messaging_product id time version name"
    # Twilio
    " AccountSid ApiVersion SmsStatus NumSegments NumMedia ReferralNumMedia WaId Forwarded FrequentlyForwarded Contacts"
    " InteractiveData FlowData SmsSid SmsMessageSid RetryCount Index ChatServiceSid ParticipantSid DateCreated DateUpdated"
    " Media specversion source dataschema datacontenttype"
    # Meta
    " display_phone_number phone_number_id wa_id mid gs_app_id from to profile recipient sender message_id num_edit"
    # Slack
    " token team_id context_team_id api_app_id event_id event_time authorizations event_context channel_type ts event_ts"
    " thread_ts client_msg_id team response_url trigger_id enterprise container message original_message view app_id bot_app_id"
    " is_enterprise_install channel_id channel_name team_domain enterprise_id enterprise_name action_ts action_id"
    " block_id user_id user_name user_team user command"
    # Telegram
    " update_id message_id date edit_date chat language_code is_bot chat_instance reply_markup"
    # Viber
    " message_token chat_hostname silent event_type user_details api_version avatar country language"
    # LINE
    " destination webhookEventId deliveryContext mode replyToken quoteToken userId groupId roomId markAsReadToken"
    # Intercom
    " topic notification_event app_id created_at updated_at delivery_status first_sent_at delivery_attempts links self"
    " delivered_at"
    # Freshchat
    " actor action action_time actor_type org_actor_id created_time data app_id"
    # Zenvia
    " subscriptionId channel direction"
    # Gupshup
    " app"
    # Kaleyra
    " extra_info"
    # RCS for Business
    " sendTime eventId".split()
)

#: What Twilio writes before an address, and an empty object.
PREFIX = re.compile(r"^(?:whatsapp|rcs|messenger):|^\{\}$")


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Each text and number with its path of keys, but for what stands under a key of `ROUTINE`."""
    if isinstance(value, dict):
        for key, part in value.items():
            if key not in ROUTINE:
                yield from leaves(part, (*path, key))
    elif isinstance(value, list):
        for part in value:
            yield from leaves(part, path)
    elif isinstance(value, str) and value:
        yield path, value
    elif type(value) in (int, float):
        yield path, str(value)


def cases() -> Iterator[Any]:
    """The fixtures that become one message and nothing else."""
    for provider in PROVIDERS:
        for file in fixtures(provider):
            events = interpret(request_of(provider, file), provider).events
            if len(events) == 1 and events[0].type in CONTENT and events[0].payload.get("content"):
                yield pytest.param(provider, file, id=f"{provider}/{file.stem}")


@pytest.mark.parametrize(("provider", "file"), list(cases()))
def test_each_text_of_a_message_is_in_its_event(provider: str, file: Path) -> None:
    """It is in the payload as it is, without the white space around it, as a line, or inside of a longer text."""
    request = request_of(provider, file)
    (event,) = interpret(request, provider).events
    kept = json.dumps([event.payload, event.provider_message_id, str(event.handle)], ensure_ascii=False)
    body = whole_of(request)
    if isinstance(body, dict) and isinstance(body.get("payload"), str):  # Slack's JSON in a form
        body = json.loads(body["payload"])
    if provider == "google_rcs":
        body = json.loads(b64decode(body["message"]["data"]))
    written = [(path, PREFIX.sub("", text)) for path, text in leaves(body)]
    lost = [
        (path, text)
        for path, text in written
        if json.dumps(text, ensure_ascii=False)[1:-1] not in kept
        and (event.occurred_at is None or from_text(text) != event.occurred_at)
    ]

    assert not lost, lost


def rest(payload: dict[str, Any], item: Any, *routine: str) -> Any:
    event = keep_rest(Event("MessageReceived", "x", "1", provider_message_id="m1", payload=payload), item, routine)
    return event.payload.get("native")


def test_what_the_event_holds_is_left_out() -> None:
    """Wherever it holds it; empty and false values too, and keys that are named."""
    item = {
        "id": "m1",
        "to": "15551234567",
        "text": {"body": "Hello"},
        "no": False,
        "none": None,
        "empty": [{}],
        "zone": "x",
    }
    assert rest({"to": "+15551234567", "content": {"text": "Hello\nthere"}}, item, "zone") is None


def test_what_it_has_not_is_kept_in_its_place() -> None:
    """A true flag, a number, a type that is all that a part says; a short text, which the event may hold by chance, but
    under its own name."""
    assert rest({"content": {"text": "a"}}, {"body": "a", "text": "a"}) == {"body": "a"}
    item = {
        "text": {"body": "Hello", "lang": "es"},
        "flag": True,
        "n": 0.5,
        "kind": {"type": "poll"},
        "file": {"type": "id", "id": "m1"},
    }
    assert rest({"content": {"text": "Hello"}}, item) == {
        "text": {"lang": "es"}, "flag": True, "n": 0.5, "kind": {"type": "poll"},
    }  # fmt: skip


def test_named_keys_are_those_of_the_item_itself() -> None:
    """Deeper ones of that name are kept, and what `native` has already stays."""
    assert rest({}, {"id": "a", "part": {"id": "b"}}, "id") == {"part": {"id": "b"}}
    assert rest({"native": {"all": 1}}, {"a": "b"}) == {"all": 1, "a": "b"}
    assert rest({"native": "all"}, {"a": "b"}) == "all"


def test_any_json_is_kept() -> None:
    """Of whatever types its parts are; what is nested deeply is kept as the text of its JSON, or left out if even that
    cannot be written."""
    item = {"type": {"type": ["a"]}, "a": [[None, [True, [1.5]]]], "": "x", "n": 10**30}
    assert rest({}, item) == {"type": {"type": ["a"]}, "a": [[[True, [1.5]]]], "": "x", "n": 10**30}
    assert rest({}, "text") == "text"
    assert rest({}, None) is None
    deep: Any = "a"
    for _ in range(100):
        deep = [deep]
    kept = json.dumps(rest({}, {"deep": deep}))
    assert kept.count("[") == 100 and "a" in kept
    for _ in range(300):
        deep = [deep]
    assert rest({"content": deep}, {"deep": deep}) is None
