"""An inbound mail is that mail: redelivered it is one, and two mails with one Message-ID are two, at every provider.

Programs give the same Message-ID to all mails that they send (RFC 5322 section 3.6.4 asks for a unique one).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest

from adapters import ADAPTERS, interpret
from adapters.contract import Request
from adapters.reading.inbound_mail import InboundMail, received
from adapters.reading.mime import mail_of, mailbox_of, word
from schemas.events import Event, Handle

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
SAME_ID = "0001@scanner.local"
REQUEST = Request("POST", "https://hooks.example.com/webhooks/aggregate/mail", {}, b"", AT, "mail")


@dataclass(frozen=True)
class Mail:
    """What a sender writes, with the attachment's content and the provider's number of the mail."""

    sender: str = "Scanner <scan@office.example>"
    to: str = "invoices@in.example.com"
    subject: str = "Scan"
    text: str = "See the attachment."
    date: str = "Mon, 2 Mar 2026 10:10:00 +0100"
    file: str = "Zmlyc3Q="
    message_id: str = SAME_ID
    id: str = "1"

    @property
    def headers(self) -> dict[str, str]:
        return {
            "From": self.sender,
            "To": self.to,
            "Subject": self.subject,
            "Date": self.date,
            "Message-ID": f"<{self.message_id}>",
            "In-Reply-To": "<order-1@shop.example>",
            "References": "<first@shop.example>\r\n <order-1@shop.example>",
        }

    @property
    def raw(self) -> str:
        head = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        attached = (
            "Content-Type: application/pdf; name=scan.pdf\r\nContent-Disposition: attachment; filename=scan.pdf\r\n"
        )
        return (
            f"{head}MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n{self.text}\r\n--b\r\n"
            f"{attached}Content-Transfer-Encoding: base64\r\n\r\n{self.file}\r\n--b--\r\n"
        )


def posted(body: bytes, kind: str = "application/json", provider: str = "") -> Request:
    return Request("POST", f"https://hooks.example.com/{provider}", {"content-type": kind}, body, AT, provider)


def form(fields: dict[str, str], files: dict[str, str], boundary: str) -> Request:
    parts = [f'name="{name}"\r\n\r\n{value}' for name, value in fields.items()]
    parts += [f'name="{name}"; filename="scan.pdf"\r\n\r\n{data}' for name, data in files.items()]
    body = "".join(f"--{boundary}\r\nContent-Disposition: form-data; {part}\r\n" for part in parts)
    return posted(f"{body}--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}")


def sendgrid(mail: Mail, attempt: int) -> Request:
    head = "".join(f"{name}: {value}\n" for name, value in mail.headers.items())
    envelope = orjson.dumps({"to": [mail.to], "from": "bounces@office.example"}).decode()
    fields = {"headers": head, "from": mail.sender, "to": mail.to, "subject": mail.subject, "text": mail.text}
    return form(fields | {"envelope": envelope, "SPF": "pass"}, {"attachment1": mail.file}, f"xY{attempt}")


def sendgrid_raw(mail: Mail, attempt: int) -> Request:
    fields = {"email": mail.raw, "envelope": orjson.dumps({"to": [mail.to], "from": "b@office.example"}).decode()}
    return form(fields, {}, f"xY{attempt}")


def mailgun_fields(mail: Mail, attempt: int) -> dict[str, str]:
    pairs = [list(pair) for pair in mail.headers.items()]
    return {
        "recipient": mail.to,
        "sender": "bounces@office.example",
        "from": mail.sender,
        "subject": mail.subject,
        "body-plain": mail.text,
        "Date": mail.date,
        "Message-Id": f"<{mail.message_id}>",
        "message-headers": orjson.dumps(pairs).decode(),
        "In-Reply-To": mail.headers["In-Reply-To"],
        "timestamp": str(1772443800 + attempt),
        "token": f"{attempt:050}",
        "signature": "0" * 64,
    }


def mailgun(mail: Mail, attempt: int) -> Request:
    return form(mailgun_fields(mail, attempt), {"attachment-1": mail.file}, f"xY{attempt}")


def mailgun_raw(mail: Mail, attempt: int) -> Request:
    fields = {key: value for key, value in mailgun_fields(mail, attempt).items() if key != "body-plain"}
    return posted(urlencode(fields | {"body-mime": mail.raw}).encode(), "application/x-www-form-urlencoded")


def mandrill(mail: Mail, attempt: int) -> Request:
    name, _, address = mail.sender.rstrip(">").partition(" <")
    files = {"scan.pdf": {"name": "scan.pdf", "type": "application/pdf", "content": mail.file, "base64": True}}
    msg = {"headers": mail.headers, "text": mail.text, "subject": mail.subject, "from_email": address, "email": mail.to}
    item = {"event": "inbound", "ts": 1772443750, "msg": msg | {"from_name": name, "attachments": files, "raw_msg": ""}}
    return events_field([item])


def events_field(items: list[Any]) -> Request:
    body = urlencode({"mandrill_events": orjson.dumps(items).decode()}).encode()
    return posted(body, "application/x-www-form-urlencoded")


def mandrill_raw(mail: Mail, attempt: int) -> Request:
    return events_field([{"event": "inbound", "ts": 1772443750, "msg": {"raw_msg": mail.raw, "email": mail.to}}])


def sparkpost(mail: Mail, attempt: int) -> Request:
    content = {"email_rfc822": mail.raw, "email_rfc822_is_base64": False, "subject": mail.subject, "text": mail.text}
    item = {"content": content | {"headers": [{name: value} for name, value in mail.headers.items()]}}
    return posted(
        orjson.dumps([{"msys": {"relay_message": item | {"rcpt_to": mail.to, "msg_from": "b@office.example"}}}])
    )


def sparkpost_raw(mail: Mail, attempt: int) -> Request:
    item = {"content": {"email_rfc822": mail.raw, "email_rfc822_is_base64": False}, "rcpt_to": mail.to}
    return posted(orjson.dumps([{"msys": {"relay_message": item}}]))


def mailjet(mail: Mail, attempt: int) -> Request:
    parts = [
        {"Headers": {"Content-Type": "text/plain"}, "ContentRef": "Text-part"},
        {
            "Headers": {"Content-Type": "application/pdf", "Content-Disposition": "attachment; filename=scan.pdf"},
            "ContentRef": "Attachment1",
        },
    ]
    texts = {"Subject": mail.subject, "Text-part": mail.text, "Date": mail.date, "Attachment1": mail.file}
    who = {"From": mail.sender, "Sender": "bounces@office.example", "Recipient": mail.to}
    return posted(orjson.dumps({"Headers": mail.headers, "Parts": parts, "SpamAssassinScore": "0"} | texts | who))


def brevo(mail: Mail, attempt: int) -> Request:
    return brevo_item(mail, {"Uuid": [f"7f2d6e5a-0000-4000-8000-{mail.id:0>12}"]})


def brevo_without_uuid(mail: Mail, attempt: int) -> Request:
    return brevo_item(mail, {})


def brevo_item(mail: Mail, ids: dict[str, Any]) -> Request:
    name, _, address = mail.sender.rstrip(">").partition(" <")
    item = {
        "MessageId": f"<{mail.message_id}>",
        "InReplyTo": "<order-1@shop.example>",
        "Headers": mail.headers,
        "From": {"Name": name, "Address": address},
        "To": [{"Name": None, "Address": mail.to}],
        "Recipients": [mail.to],
        "SentAtDate": mail.date,
        "Subject": mail.subject,
        "RawTextBody": mail.text,
        "Attachments": [{"Name": "scan.pdf", "ContentType": "application/pdf", "ContentLength": len(mail.file)}],
    }
    return posted(orjson.dumps({"items": [item | ids]}))


def postmark(mail: Mail, attempt: int) -> Request:
    name, _, address = mail.sender.rstrip(">").partition(" <")
    item = {
        "FromFull": {"Email": address, "Name": name},
        "To": mail.to,
        "OriginalRecipient": mail.to,
        "MessageID": f"73e6d360-66eb-11e1-8e72-{mail.id:0>12}",
        "Date": mail.date,
        "Subject": mail.subject,
        "TextBody": mail.text,
        "Headers": [{"Name": name, "Value": value} for name, value in mail.headers.items()],
        "MailboxHash": "",
    }
    return posted(orjson.dumps(item))


def postal(mail: Mail, attempt: int) -> Request:
    given = {"id": int(mail.id), "rcpt_to": mail.to, "mail_from": "b@office.example", "timestamp": 1772443750.5}
    texts = {"from": mail.sender, "subject": mail.subject, "plain_body": mail.text, "message_id": mail.message_id}
    threads = {"in_reply_to": mail.headers["In-Reply-To"], "references": mail.headers["References"]}
    return posted(orjson.dumps(given | texts | threads | {"bounce": False, "attachments": []}))


def mailersend(mail: Mail, attempt: int) -> Request:
    name, _, address = mail.sender.rstrip(">").partition(" <")
    data = {
        "id": f"62fd12c0bbe52d2e8b0a{mail.id:0>4}",
        "from": {"email": address, "name": name, "raw": mail.sender},
        "sender": {"email": "bounces@office.example"},
        "recipients": {"rcptTo": [{"email": mail.to}]},
        "headers": mail.headers,
        "subject": mail.subject,
        "text": mail.text,
        "created_at": "2026-03-02T09:29:10.000000Z",
    }
    return posted(orjson.dumps({"type": "inbound.message", "data": data}))


def resend(mail: Mail, attempt: int) -> Request:
    data = {"email_id": f"56761188-7520-42d8-8898-{mail.id:0>12}", "from": mail.sender, "to": [mail.to]}
    data |= {"message_id": f"<{mail.message_id}>", "subject": mail.subject}
    made = posted(orjson.dumps({"type": "email.received", "created_at": "2026-03-02T09:29:10.000Z", "data": data}))
    made.headers = {"svix-id": f"msg_{mail.id}", "svix-timestamp": str(attempt)}
    return made


def amazon_ses(mail: Mail, attempt: int) -> Request:
    common = {"from": [mail.sender], "subject": mail.subject, "messageId": f"<{mail.message_id}>", "date": mail.date}
    record = {
        "notificationType": "Received",
        "receipt": {"recipients": [mail.to], "action": {"type": "SNS", "encoding": "UTF-8"}},
        "mail": {"messageId": f"d6iitobk75ur{mail.id}", "source": "b@office.example", "commonHeaders": common},
        "content": mail.raw,
    }
    notification = {"Type": "Notification", "MessageId": f"sns-{attempt}", "Message": orjson.dumps(record).decode()}
    made = posted(orjson.dumps(notification))
    made.headers = {"x-amz-sns-message-type": "Notification"}
    return made


MADE: dict[str, Callable[[Mail, int], Request]] = {
    made.__name__: made
    for made in (sendgrid, sendgrid_raw, mailgun, mailgun_raw, mandrill, mandrill_raw, sparkpost, sparkpost_raw, mailjet,
                 brevo, brevo_without_uuid, postmark, postal, mailersend, resend, amazon_ses)
}  # fmt: skip
#: What Resend posts of a mail has no header but the Message-ID.
NO_HEADERS = frozenset({"resend"})
#: Another mail with the same Message-ID, as programs that repeat it send them.
OTHERS = {
    "another sender": Mail(sender="Scanner <scan@other.example>", id="2"),
    "another recipient": Mail(to="orders@in.example.com", id="2"),
    "another subject": Mail(subject="Scan 2", id="2"),
    "another text": Mail(text="See the second attachment.", id="2"),
    "another date": Mail(date="Mon, 2 Mar 2026 10:55:00 +0100", id="2"),
    "another attachment": Mail(file="c2Vjb25kIA==", id="2"),
}
each_form = pytest.mark.parametrize("form", MADE)


def event_of(form: str, mail: Mail, attempt: int = 1) -> Event:
    """The event of the one post."""
    provider = next(name for name in ADAPTERS if form.startswith(name))
    request = replace(MADE[form](mail, attempt), source=provider)
    found = interpret(request, provider)
    assert not found.unprocessable
    (event,) = found.events
    return event


@each_form
def test_a_mail_is_read(form: str) -> None:
    """With its sender, and with what it threads by."""
    event = event_of(form, Mail())
    assert (event.type, event.direction, event.handle) == (
        "MessageReceived", "inbound", Handle("email", "scan@office.example"),
    )  # fmt: skip
    assert event.payload["displayName"] == "Scanner" and event.payload["content"]["subject"] == "Scan"
    assert (event.payload["from"], event.payload["to"]) == ("scan@office.example", "invoices@in.example.com")
    assert event.payload["internetMessageId"] == SAME_ID
    if form not in NO_HEADERS:
        assert event.payload["inReplyTo"] == "order-1@shop.example"
        assert event.payload["references"] == ["first@shop.example", "order-1@shop.example"]


@each_form
def test_a_redelivery_is_the_same_mail(form: str) -> None:
    """Whatever a retry changes: boundary, token, time, the id of the transport."""
    first, again = event_of(form, Mail()), event_of(form, Mail(), attempt=2)
    assert first == again


@pytest.mark.parametrize("other", OTHERS)
@each_form
def test_another_mail_with_the_same_message_id_is_another(form: str, other: str) -> None:
    """A scanner's, a shop's, a carrier's: none is lost, and none joins the first."""
    first, second = event_of(form, Mail()), event_of(form, OTHERS[other])
    assert first.source_event_id != second.source_event_id
    assert first.provider_message_id != second.provider_message_id


@each_form
def test_no_id_is_the_senders(form: str) -> None:
    """A sender must not be able to choose an id, and no address stands in one."""
    event = event_of(form, Mail())
    for id_ in (event.source_event_id, event.provider_message_id):
        assert id_ and "@" not in id_ and SAME_ID not in id_


@pytest.mark.parametrize("provider", ["mailgun", "brevo"])
def test_our_own_mail_that_comes_back_is_another(provider: str) -> None:
    """A forwarding rule keeps our Message-ID, which is the provider's id of what we sent."""
    ours = "20260302092910.1.AB12@mg.example.org"
    sent: dict[str, Any]
    if provider == "mailgun":
        data: dict[str, Any] = {
            "event": "delivered",
            "id": "e1",
            "timestamp": 1772443750.1,
            "recipient": "ana@example.com",
        }
        sent = {"signature": {}, "event-data": data | {"message": {"headers": {"message-id": ours}}}}
    else:
        sent = {"event": "delivered", "email": "ana@example.com", "message-id": f"<{ours}>", "ts_event": 1772443750}
    (out,) = interpret(posted(orjson.dumps(sent), provider=provider), provider).events
    assert out.provider_message_id == ours
    for form in (form for form in MADE if form.startswith(provider)):
        came = event_of(form, Mail(sender="Shop <shop@mg.example.org>", message_id=ours))
        assert came.provider_message_id != ours and came.payload["internetMessageId"] == ours
        assert (came.direction, came.handle) == ("inbound", Handle("email", "shop@mg.example.org"))


def test_a_stored_mail_is_one_in_both_of_mailguns_posts() -> None:
    """The webhook `stored` and the post of store() name the same key; another recipient's is another interaction."""
    key = "BAABAgMEBRgh"
    url = f"https://storage-us-east4.api.mailgun.net/v3/domains/mg.example.com/messages/{key}"

    def both(to: str) -> set[str | None]:
        data = {"event": "stored", "id": "e1", "timestamp": 1772443750, "storage": {"url": url, "key": key}}
        message = {"recipients": [to], "headers": {"from": "Ana <ana@example.com>", "message-id": SAME_ID}}
        webhook = posted(orjson.dumps({"signature": {}, "event-data": data | {"message": message}}))
        fields = {"message-url": url, "recipient": to.upper(), "sender": "ana@example.com", "from": "ana@example.com"}
        post = posted(urlencode(fields).encode(), "application/x-www-form-urlencoded")
        return {interpret(one, "mailgun").events[0].provider_message_id for one in (webhook, post)}

    assert len(both("help@mg.example.com")) == 1
    assert both("help@mg.example.com").isdisjoint(both("sales@mg.example.com"))


@pytest.mark.parametrize("form", ["sendgrid", "sendgrid_raw", "mailgun_raw", "mandrill_raw", "sparkpost_raw"])
def test_bytes_that_cannot_be_decoded_are_kept(form: str) -> None:
    """What can be read is read; the bytes stay with the event."""
    mark, damage = b"See the attachment.", b"ok \x81\xff"
    request = MADE[form](Mail(), 1)
    provider = next(name for name in ADAPTERS if form.startswith(name))
    if form == "sendgrid":
        request.body = request.body.replace(mark, damage)
        head = b'Content-Disposition: form-data; name="charsets"\r\n\r\n{"text":"gb2312"}\r\n--xY1\r\n'
        request.body = request.body.replace(b"--xY1\r\n", b"--xY1\r\n" + head, 1)
    elif form == "sendgrid_raw":
        request.body = request.body.replace(
            b"--b\r\n\r\n" + mark, b"--b\r\nContent-Type: text/plain; charset=gb2312\r\n\r\n" + damage
        )
    else:
        text = "--b\r\nContent-Type: text/plain; charset=gb2312\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nok =81=FF"
        raw = Mail().raw.replace("--b\r\n\r\nSee the attachment.", text)
        request = MADE[form](type("Raw", (Mail,), {"raw": raw})(), 1)
    (event,) = interpret(replace(request, source=provider), provider).events
    assert event.payload["content"]["text"].startswith("ok \ufffd")
    (kept,) = event.payload["native"]["undecoded"]
    assert (kept["part"], kept["charset"], kept["bytes"]) == ("text", "gb2312", 5) and kept["base64"] == "b2sggf8="


def test_a_time_of_receipt_makes_no_other_mail() -> None:
    """An adapter's only clock is that of the post."""
    for form, made in MADE.items():
        provider = next(name for name in ADAPTERS if form.startswith(name))
        request = made(Mail(), 1)
        later = replace(request, received_at=AT + timedelta(days=1))
        assert interpret(request, provider).events == interpret(later, provider).events


@pytest.mark.parametrize(
    ("sender", "address", "name"),
    [
        ("=?utf-8?q?mallory=40example.net=2C_?= <ana@example.com>", "ana@example.com", "mallory@example.net,"),
        (
            '"=?utf-8?q?=22=2C_mallory=40example.net=2C_=22?=" <ana@example.com>',
            "ana@example.com",
            '", mallory@example.net, "',
        ),
        ("=?utf-8?q?M=C3=BCller=2C_Max?= <max@example.com>", "max@example.com", "Müller, Max"),
        ("=?utf-8?q?Ana_=3Cana=40example.com=3E?=", "ana@example.com", "Ana"),
    ],
)
def test_an_encoded_name_is_no_address(sender: str, address: str, name: str) -> None:
    """RFC 2047 section 6.2: a header is read before its encoded words are decoded. SPF and DKIM vouch for the address alone."""
    event = received(InboundMail(sender=sender, recipients=["us@example.com"], content={"text": "x"}), REQUEST)
    assert event.handle == Handle("email", address)
    assert event.payload["displayName"].strip() == name


def test_a_header_of_addresses_is_not_decoded_before_it_is_read() -> None:
    """That of the raw mail, from which several adapters take the sender."""
    mail = mail_of(
        b"From: =?utf-8?q?mallory=40example.net=2C_?= <ana@example.com>\r\nSubject: =?utf-8?q?M=C3=BCller?=\r\n\r\nHi",
        REQUEST,
    )
    assert mailbox_of(word(mail, "From"))[1] == "ana@example.com"
    assert word(mail, "Subject") == "Müller"
