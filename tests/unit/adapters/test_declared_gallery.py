"""The definitions of docs/examples, each held to webhooks made after its provider's documentation."""

import hashlib
import hmac
import json
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from adapters import ADAPTERS, interpret
from adapters.contract import InvalidSignature, Request
from adapters.declared import adapter_of, definition_of
from schemas.events import Event, Handle

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"
AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
SECRET = "a-secret-of-the-source"
ANA = Handle("phone", "+15551234567")


@pytest.fixture(autouse=True)
def gallery() -> Iterator[None]:
    """All of them, known under the names of their files."""
    names = [file.stem for file in sorted(EXAMPLES.glob("*.toml"))]
    for name in names:
        ADAPTERS[name] = adapter_of(definition_of(tomllib.loads((EXAMPLES / f"{name}.toml").read_text("utf-8")), name))
    yield
    for name in names:
        del ADAPTERS[name]


def posted(name: str, body: Any, query: str = "", headers: dict[str, str] | None = None, form: bool = False) -> Request:
    data = urlencode(body).encode() if form else json.dumps(body).encode()
    url = f"https://hooks.example.com/webhooks/aggregate/{name}?{query}key={SECRET}"
    kind = "application/x-www-form-urlencoded" if form else "application/json"
    return Request("POST", url, {"content-type": kind, **(headers or {})}, data, AT, name)


def one(request: Request) -> Event:
    found = interpret(request, request.source)
    assert not found.unprocessable, found.unprocessable
    (event,) = found.events
    return event


def test_each_example_is_in_the_list_and_says_what_it_cannot() -> None:
    """The page lists every file, and each begins with its provider's page and its limits."""
    page = (EXAMPLES / "README.md").read_text("utf-8")
    for file in EXAMPLES.glob("*.toml"):
        assert f"({file.name})" in page
        text = file.read_text("utf-8")
        if file.stem != "acme":
            assert "https://" in text.partition("\n")[0] and "# Does not read:" in text


@pytest.mark.parametrize("name", ["justcall", "thinq", "wavy"])
def test_an_unsigned_one_is_verified_by_the_secret_in_its_url(name: str) -> None:
    """With the secret it is accepted, with another refused."""
    request = posted(name, {})
    assert ADAPTERS[name].verify(request, {"url_secret": (SECRET,)}) is True
    with pytest.raises(InvalidSignature):
        ADAPTERS[name].verify(request, {"url_secret": ("another",)})


def justcall(direction: str, status: str | None, **info: Any) -> Request:
    data = {
        "id": 26523491,
        "contact_number": "15551234567",
        "contact_name": "Ana López",
        "justcall_number": "15550001111",
        "sms_date": "2026-03-02",
        "sms_time": "09:29:30",
        "direction": direction,
        "cost_incurred": 0.05635,
        "sms_info": info,
        "delivery_status": status,
    }
    body = {"request_id": "01HQAMVFRC4HZ0144TDS0001", "type": "sms.sent_received", "data": data}
    return posted("justcall", body, headers={"x-justcall-signature": "56761bae"})


def test_justcall() -> None:
    """A message in with its picture; the states of one out; a direction that no page has is of nobody."""
    request = justcall(
        "Incoming", None, body="Hi", mms=[{"media_url": "https://m.example/1", "content_type": "image/png"}]
    )
    assert [name for name, adapter in ADAPTERS.items() if adapter.recognise(request)] == ["justcall"]
    event = one(request)
    assert (event.type, event.direction, event.handle) == ("MessageReceived", "inbound", ANA)
    assert event.provider_message_id == "26523491"
    assert event.payload["content"] == {"text": "Hi", "media": [{"url": "https://m.example/1", "type": "image/png"}]}
    assert event.payload["native"]["data"]["justcall_number"] == "15550001111"
    states = {
        "sent": "UserMessageSent",
        "delivered": "MessageDelivered",
        "undelivered": "MessageFailed",
        "failed": "MessageFailed",
        "new": "ProviderEventReceived",
    }
    for status, type_ in states.items():
        event = one(justcall("Outgoing", status, body="Hello"))
        assert (event.type, event.direction, event.handle) == (type_, "outbound", ANA)
    assert one(justcall("Sideways", "sent")).type == "ProviderEventReceived"
    data = {"id": 7, "contact_number": "15551234567", "direction": "Incoming", "message_info": {"body": "Hola"}}
    event = one(posted("justcall", {"request_id": "01", "type": "whatsapp.received", "data": data}))
    assert (event.type, event.channel, event.payload["content"]) == ("MessageReceived", "whatsapp", {"text": "Hola"})


def test_thinq() -> None:
    """A message in, the same one again, and delivery notifications in SMPP's words; as JSON it is the same."""
    said = {"message": "hello world", "from": "5551234567", "type": "sms", "to": "5550001111"}
    as_json = one(posted("thinq", said))
    assert (as_json.type, as_json.handle, as_json.payload["content"]) == (
        "MessageReceived",
        ANA,
        {"text": "hello world"},
    )
    first, again = one(posted("thinq", said, form=True)), one(posted("thinq", said, form=True))
    assert (first.type, first.direction, first.handle) == ("MessageReceived", "inbound", ANA)
    assert first.payload["content"] == {"text": "hello world"}
    assert first.source_event_id == again.source_event_id
    report = {
        "guid": "1002",
        "account_id": "1234",
        "source_did": "5550001111",
        "destination_did": "5551234567",
        "send_status": "undeliverable",
        "status": "UNDELIV",
        "error": "034",
    }
    event = one(posted("thinq", report, form=True))
    assert (event.type, event.provider_message_id, event.handle) == ("MessageFailed", "1002", ANA)
    assert event.error is not None and (event.error.code, event.error.text) == ("034", "undeliverable")
    assert one(posted("thinq", report | {"status": "DELIVRD"}, form=True)).type == "MessageDelivered"
    assert one(posted("thinq", report | {"status": "delivrd"}, form=True)).type == "ProviderEventReceived"


def test_wavy() -> None:
    """The three webhooks; the kind of a message that comes in is in its URL, and without it nothing is guessed."""
    status = {"id": "58b36497-fb0f-474c-9c35-20b184ac4227", "correlationId": "order-42", "destination": "15551234567"}
    sent = status | {"sentStatusCode": 2, "sentStatus": "SENT_SUCCESS"}
    event = one(posted("wavy", sent))
    assert (event.type, event.provider_message_id, event.handle) == ("UserMessageSent", status["id"], ANA)
    assert event.payload["reference"] == "order-42"
    delivered = sent | {"deliveredStatusCode": 4, "deliveredStatus": "DELIVERED_SUCCESS"}
    assert one(posted("wavy", delivered)).type == "MessageDelivered"
    stopped = one(posted("wavy", status | {"sentStatusCode": 204, "sentStatus": "DESTINATION_BLOCKED_BY_OPTOUT"}))
    assert stopped.type == "MessageRejected"
    assert stopped.error is not None and stopped.error.reason == "opted_out"
    message = {
        "id": "25950050-7362-11e6-be62-001b7843e7d4",
        "carrierName": "VIVO",
        "source": "15551234567",
        "shortCode": "2020",
        "messageText": "Quero pizza",
        "receivedAt": 1772443770970,
        "mt": {"id": "8be584fd-2554-439b-9ba9-aab507278992"},
    }
    event = one(posted("wavy", message, query="kind=received&"))
    assert (event.type, event.handle) == ("MessageReceived", ANA)
    assert event.occurred_at == datetime(2026, 3, 2, 9, 29, 30, 970000, UTC)
    assert event.payload["native"]["mt"] == message["mt"]
    assert one(posted("wavy", message)).type == "ProviderEventReceived"


def waha(event: str, secret: str = SECRET, **payload: Any) -> Request:
    body = {"id": "evt_1", "event": event, "session": "default", "payload": payload, "engine": "WEBJS"}
    digest = hmac.new(secret.encode(), json.dumps(body).encode(), hashlib.sha512).hexdigest()
    return posted("waha", body, headers={"x-webhook-hmac": digest, "x-webhook-hmac-algorithm": "sha512"})


def test_waha() -> None:
    """What comes in, what was sent and how far it came; a group is nobody's, and our own reading of theirs no report."""
    message: dict[str, Any] = {
        "id": "false_15551234567@c.us_AAAA",
        "timestamp": 1772443770,
        "from": "15551234567@c.us",
        "body": "Hi",
    }
    request = waha("message", fromMe=False, ackName="DEVICE", **message)
    assert [name for name, adapter in ADAPTERS.items() if adapter.recognise(request)] == ["waha"]
    assert ADAPTERS["waha"].verify(request, {"secret": (SECRET,)}) is True
    with pytest.raises(InvalidSignature):
        ADAPTERS["waha"].verify(waha("message", secret="another", **message), {"secret": (SECRET,)})
    event = one(request)
    assert (event.type, event.channel, event.handle) == ("MessageReceived", "whatsapp", ANA)
    assert event.payload["content"] == {"text": "Hi"} and event.occurred_at == datetime(
        2026, 3, 2, 9, 29, 30, tzinfo=UTC
    )
    number = {"key": {"remoteJid": "168582063366331@lid", "remoteJidAlt": "15551234567@s.whatsapp.net"}}
    hidden = message | {"from": "168582063366331@lid", "to": None}
    assert one(waha("message", fromMe=False, **hidden, _data=number)).handle == ANA
    assert one(waha("message", fromMe=False, **hidden)).handle is None
    group = one(waha("message", fromMe=False, **(message | {"from": "123456789@g.us"})))
    assert (group.type, group.handle) == ("MessageReceived", None)
    ours: dict[str, Any] = {"id": "true_15551234567@c.us_BBBB", "from": "15550001111@c.us", "to": "15551234567@c.us"}
    words = {"SERVER": "UserMessageSent", "DEVICE": "MessageDelivered", "READ": "MessageRead", "ERROR": "MessageFailed"}
    for word, type_ in words.items():
        event = one(waha("message.ack", fromMe=True, ackName=word, **ours))
        assert (event.type, event.provider_message_id, event.handle) == (type_, ours["id"], ANA)
    assert one(waha("message.any", fromMe=True, ackName="PENDING", **ours)).type == "UserMessageSent"
    assert one(waha("message.ack", fromMe=False, ackName="READ", **ours)).type == "ProviderEventReceived"
    assert one(waha("session.status", status="WORKING")).type == "ProviderEventReceived"


def evolution(event: str, **data: Any) -> Request:
    body = {"event": event, "instance": "shop", "data": data, "server_url": "https://evo.example", "apikey": "k"}
    return posted("evolution", body, headers={"x-threadline-key": SECRET})


def test_evolution() -> None:
    """What comes in, what was sent and how far it came; a person behind a `lid` is known by the number beside it."""
    key: dict[str, Any] = {"remoteJid": "15551234567@s.whatsapp.net", "fromMe": False, "id": "3EB088477E47519157CDB3"}
    said: dict[str, Any] = {"message": {"conversation": "Hi"}, "status": "DELIVERY_ACK", "messageTimestamp": 1772443770}
    request = evolution("messages.upsert", key=key, pushName="Ana", **said)
    assert [name for name, adapter in ADAPTERS.items() if adapter.recognise(request)] == ["evolution"]
    assert ADAPTERS["evolution"].verify(request, {"secret": (SECRET,)}) is True
    event = one(request)
    assert (event.type, event.handle, event.provider_message_id) == ("MessageReceived", ANA, key["id"])
    assert event.payload["content"] == {"text": "Hi"} and event.payload["native"]["data"]["pushName"] == "Ana"
    parts: tuple[dict[str, Any], ...] = (
        {"listResponseMessage": {"title": "STOP", "singleSelectReply": {"selectedRowId": "1"}}},
        {"buttonsResponseMessage": {"selectedButtonId": "1", "selectedDisplayText": "STOP"}},
        {"templateButtonReplyMessage": {"selectedId": "1", "selectedDisplayText": "STOP"}},
        {"documentWithCaptionMessage": {"message": {"documentMessage": {"caption": "STOP"}}}},
    )
    for part in parts:
        assert one(evolution("messages.upsert", key=key, message=part)).payload["content"] == {"text": "STOP"}
    hidden = key | {"remoteJid": "168582063366331@lid", "senderPn": "15551234567@s.whatsapp.net"}
    assert one(evolution("messages.upsert", key=hidden, **said)).handle == ANA
    assert one(evolution("messages.upsert", key=key | {"remoteJid": "1203634@g.us"}, **said)).handle is None
    sent = one(evolution("messages.upsert", key=key | {"fromMe": True}, **said))
    assert (sent.type, sent.direction, sent.handle) == ("UserMessageSent", "outbound", ANA)
    update: dict[str, Any] = {"keyId": key["id"], "remoteJid": key["remoteJid"], "fromMe": True}
    words = {"SERVER_ACK": "UserMessageSent", "DELIVERY_ACK": "MessageDelivered", "READ": "MessageRead"}
    for word, type_ in words.items():
        event = one(evolution("messages.update", status=word, **update))
        assert (event.type, event.provider_message_id, event.handle) == (type_, key["id"], ANA)
    theirs = one(evolution("messages.update", status="READ", **(update | {"fromMe": False})))
    assert theirs.type == "ProviderEventReceived"
    other = one(evolution("connection.update", state="open"))
    assert other.type == "ProviderEventReceived"
    assert all("apikey" not in json.dumps(each.payload) for each in (event, sent, other))
