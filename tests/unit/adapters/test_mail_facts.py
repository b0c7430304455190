"""What a provider's word says of a mail becomes that fact, for whom it names: sends, bounces, notices, complaints, consent."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from adapters import ADAPTERS, interpret
from adapters.contract import InvalidSignature, Request
from app.cli.support.http_file import read_request
from schemas.events import Event, Handle
from tests.fixtures import FOLDER, accounts

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
#: The fields of a server's report (RFC 3464) on one recipient.
REPORT = {"action": "failed", "status": "5.1.1", "diagnosticCode": "smtp; 550 5.1.1 no such user"}


def events_of(provider: str, body: Any, **headers: str) -> list[Event]:
    """The events of a JSON body."""
    request = Request("POST", "https://hooks.example.com/", headers, orjson.dumps(body), AT, provider)
    found = interpret(request, provider)
    assert not found.unprocessable
    return found.events


def ses(kind: str, destination: list[str], **part: Any) -> list[Event]:
    """The events of one SES record."""
    mail = {"messageId": "0100-a", "timestamp": "2026-03-02T09:29:10.000Z", "destination": destination}
    record = {"eventType": kind, "mail": mail, kind.lower(): {"timestamp": "2026-03-02T09:29:12.000Z"} | part}
    body = {"Type": "Notification", "MessageId": "n-1", "Message": orjson.dumps(record).decode()}
    return events_of("amazon_ses", body, **{"x-amz-sns-message-type": "Notification"})


def bounce(kind: str, sub: str, **recipient: str) -> Event:
    """The event of a bounce of a mail to one."""
    named = [{"emailAddress": "ana@example.com"} | recipient]
    (event,) = ses("Bounce", ["ana@example.com"], bounceType=kind, bounceSubType=sub, bouncedRecipients=named)
    return event


def test_a_send_and_a_delivery_of_named_recipients_are_of_the_same_people() -> None:
    """SES's `destination` has the names of the headers, a delivery's recipients have none."""
    names = ['"López, Ana" <Ana@Example.com>', "=?utf-8?q?J=C3=BCrgen?= <ben@example.com>"]
    sent = ses("Send", names)
    delivered = ses("Delivery", names, recipients=["ana@example.com", "ben@example.com"])
    assert [event.type for event in sent] == ["UserMessageSent"] * 2
    assert [(event.handle, event.provider_message_id, event.payload["to"]) for event in sent] == [
        (event.handle, event.provider_message_id, event.payload["to"]) for event in delivered
    ]


def test_a_bounce_or_complaint_about_a_mail_to_several_is_of_whom_it_names() -> None:
    """Nobody else fails, and nobody else is opted out."""
    destination = ["ana@example.com", "ben@example.com", "Cara <cara@example.com>"]
    named = [{"emailAddress": "Ben <BEN@example.com>"}]
    (failed,) = ses(
        "Bounce", destination, bounceType="Permanent", bounceSubType="General", bouncedRecipients=[named[0] | REPORT]
    )
    (complained,) = ses("Complaint", destination, complainedRecipients=named, complaintFeedbackType="abuse")
    assert (failed.type, failed.handle) == ("MessageBounced", Handle("email", "ben@example.com"))
    assert (complained.type, complained.handle) == ("MessageComplained", Handle("email", "ben@example.com"))
    (nobody,) = ses("Complaint", destination, complainedRecipients=[], complaintFeedbackType="abuse")
    assert nobody.handle is None


@pytest.mark.parametrize(
    ("event", "type_"),
    [
        # https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html#bounce-types: an automatic answer.
        (bounce("Transient", "General"), "ProviderEventReceived"),
        (bounce("Transient", "General", **REPORT), "MessageBounced"),
        (bounce("Transient", "General", status="4.4.7"), "MessageBounced"),
        (bounce("Transient", "MailboxFull"), "MessageBounced"),
        (bounce("Permanent", "General"), "MessageBounced"),
        (bounce("Undetermined", "Undetermined"), "MessageBounced"),
        (bounce("Permanent", "OnAccountSuppressionList"), "MessageRejected"),
        # RFC 3464 section 2.3.3.
        (bounce("Transient", "General", **(REPORT | {"action": "delayed"})), "MessageDelayed"),
        (bounce("Permanent", "General", **(REPORT | {"action": "relayed"})), "ProviderEventReceived"),
        (bounce("Undetermined", "Undetermined", **(REPORT | {"action": "delivered"})), "ProviderEventReceived"),
    ],
)
def test_a_notice_about_a_delivered_mail_is_no_bounce(event: Event, type_: str) -> None:
    """An answer from holiday, or a report that the mail goes on, does not undo the delivery; it stays with the mail."""
    assert (event.type, event.handle, event.provider_message_id) == (
        type_,
        Handle("email", "ana@example.com"),
        "0100-a",
    )


def test_an_automatic_answer_that_names_nobody_is_no_bounce() -> None:
    """SES has posted answers from holiday as `Undetermined` about nobody."""
    report = {"bounceType": "Undetermined", "bounceSubType": "Undetermined", "bouncedRecipients": []}
    (alone,) = ses("Bounce", ["ana@example.com"], **report)
    (of_two,) = ses("Bounce", ["ana@example.com", "ben@example.com"], **report)
    assert (alone.type, alone.handle) == ("ProviderEventReceived", Handle("email", "ana@example.com"))
    assert (of_two.type, of_two.handle) == ("ProviderEventReceived", None)


@pytest.mark.parametrize(
    ("provider", "body", "type_"),
    [
        (
            "resend",
            {
                "type": "email.sent",
                "created_at": "2026-03-02T09:29:10Z",
                "data": {"email_id": "e", "to": ["a@example.com"]},
            },
            "UserMessageSent",
        ),
        (
            "unisender_go",
            {
                "auth": "",
                "event_name": "transactional_email_status",
                "job_id": "j",
                "email": "a@example.com",
                "status": "sent",
            },
            "UserMessageSent",
        ),
        (
            "mandrill",
            {"event": "send", "_id": "m", "ts": 1772443750, "msg": {"email": "a@example.com"}},
            "UserMessageSent",
        ),
        # What comes before.
        ("sendgrid", [{"event": "processed", "sg_event_id": "s", "email": "a@example.com"}], "MessageQueued"),
        ("brevo", {"event": "request", "message-id": "<m@x>", "email": "a@example.com"}, "MessageQueued"),
        (
            "mailgun",
            {"signature": {}, "event-data": {"event": "accepted", "id": "g", "recipient": "a@example.com"}},
            "MessageQueued",
        ),
    ],
)
def test_what_a_provider_calls_sent_is_sent(provider: str, body: Any, type_: str) -> None:
    """Taken and on its way; queued is what comes before."""
    if provider == "mandrill":
        form = b"mandrill_events=" + orjson.dumps([body]).replace(b"&", b"%26")
        request = Request("POST", "https://hooks.example.com/", {}, form, AT, provider)
        assert [event.type for event in interpret(request, provider).events] == [type_]
    else:
        assert [event.type for event in events_of(provider, body)] == [type_]


@pytest.mark.parametrize("names", ["webhook", "svix"])
def test_resends_signature_counts_under_either_name(names: str) -> None:
    """Svix sends its headers under its own names or the standard's; a changed body is refused under both."""
    file = FOLDER / "resend" / "delivered.http"
    came, account = read_request(file.read_bytes()), accounts("resend", "delivered")
    headers = {name.replace("svix-", f"{names}-"): value for name, value in came.headers.items()}
    request = Request("POST", came.url(), headers, came.body, account.at, "resend")
    assert [name for name, adapter in ADAPTERS.items() if adapter.recognise(request)] == ["resend"]
    assert ADAPTERS["resend"].verify(request, account.values) is True
    first, again = (interpret(each, "resend").events for each in (request, replace(request, headers=came.headers)))
    assert first == again
    with pytest.raises(InvalidSignature):
        ADAPTERS["resend"].verify(replace(request, body=came.body + b" "), account.values)


UNSUBSCRIBED = {"id": 1, "camp_id": 12, "campaign name": "Spring", "email": "Ana@example.com", "ts_event": 1772443752}


def test_an_unsubscription_from_a_campaign_is_one_of_all_and_of_each_list() -> None:
    """Brevo blocklists the contact, and names the lists. https://developers.brevo.com/docs/marketing-webhooks"""
    events = events_of("brevo", UNSUBSCRIBED | {"event": "unsubscribe", "list_id": [7, 21]})
    assert [(event.type, event.handle, event.payload.get("list")) for event in events] == [
        ("RecipientUnsubscribed", Handle("email", "ana@example.com"), name) for name in (None, "7", "21")
    ]
    assert [event.payload.get("list") for event in events_of("brevo", UNSUBSCRIBED | {"event": "unsubscribe"})] == [
        None
    ]


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (
            [{"email": "ana@example.com", "emailBlacklist": True}],
            [("RecipientUnsubscribed", "email", "ana@example.com")],
        ),
        ([{"email": "ana@example.com", "emailBlacklist": False}], [("ProviderEventReceived", None, None)]),
        ([{"SMS": "15551234567", "smsBlacklist": True}], [("RecipientUnsubscribed", "sms", "+15551234567")]),
        ([{"name": "Ana"}], [("ProviderEventReceived", None, None)]),
        ("x", [("ProviderEventReceived", None, None)]),
    ],
)
def test_a_contact_that_was_blocklisted_is_opted_out(
    content: Any, found: list[tuple[str, str | None, str | None]]
) -> None:
    """By e-mail or by SMS; one that is not blocklisted has not opted in thereby."""
    events = events_of("brevo", {"event": "contact_updated", "id": 1, "ts": 1772443752, "content": content})
    assert [(event.type, event.channel, event.handle and event.handle.value) for event in events] == found


@pytest.mark.parametrize(
    ("word", "type_"), [("spam", "MessageComplained"), ("complaint", "MessageComplained"), ("click", "MessageClicked")]
)
def test_brevos_words_of_campaigns_are_read(word: str, type_: str) -> None:
    """A click's link stands in `URL` there."""
    (event,) = events_of("brevo", UNSUBSCRIBED | {"event": word, "URL": "https://example.com/x"})
    assert (event.type, event.payload["url"]) == (type_, "https://example.com/x")
    (other,) = events_of("brevo", UNSUBSCRIBED | {"event": word, "camp_id": 13})
    assert other.source_event_id != event.source_event_id


@pytest.mark.parametrize(
    ("suppressed", "reason", "origin", "type_"),
    [
        (True, "ManualSuppression", "Recipient", "RecipientUnsubscribed"),
        (True, "ManualSuppression", "Customer", "RecipientUnsubscribed"),
        (True, "SpamComplaint", None, "RecipientUnsubscribed"),
        (True, "HardBounce", "Recipient", "ProviderEventReceived"),
        (False, None, "Recipient", "RecipientSubscribed"),
        (False, None, "Customer", "ProviderEventReceived"),
        (False, None, "Admin", "ProviderEventReceived"),
        (False, None, None, "ProviderEventReceived"),
    ],
)
def test_postmarks_subscription_changes_both_ways(
    suppressed: bool, reason: str | None, origin: str | None, type_: str
) -> None:
    """https://postmarkapp.com/developer/webhooks/subscription-change-webhook: anybody may stop mail, only the recipient
    consents to it."""
    change = {"SuppressSending": suppressed, "SuppressionReason": reason, "Origin": origin, "ChangedAt": "x"}
    body = {"RecordType": "SubscriptionChange", "MessageStream": "outbound", "Recipient": "Ana <ANA@example.com>"}
    (event,) = events_of("postmark", body | change)
    assert (event.type, event.handle) == (type_, Handle("email", "ana@example.com"))


def test_customer_ios_topics_are_consent_of_each() -> None:
    """A choice of topics is one event for each, and none for a value in another form."""
    data = {"identifiers": {"email": "ana@example.com"}, "content": '{"topics":{"news":true,"offers":false,"odd":7}}'}
    body = {"event_id": "e", "object_type": "customer", "metric": "cio_subscription_preferences_changed", "data": data}
    assert [(event.type, event.payload["list"]) for event in events_of("customerio", body)] == [
        ("RecipientSubscribed", "news"), ("RecipientUnsubscribed", "offers"),
    ]  # fmt: skip
    (kept,) = events_of("customerio", body | {"data": data | {"content": "[]"}})
    assert kept.type == "ProviderEventReceived"
