"""A provider that a file describes is held to what one in Python is held to."""

import base64
import hashlib
import hmac
import json
import re
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from adapters import ADAPTERS, interpret
from adapters.contract import (
    Adapter,
    HttpCall,
    InvalidSignature,
    Message,
    Request,
    Response,
    Send,
    Unprocessable,
    Unsendable,
)
from adapters.declared import InvalidDefinition, adapter_of, definition_of
from app.declared import read, register
from app.settings import Settings
from schemas.events import Handle

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "acme.toml"
AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
VALUES = {"secret": ("old secret", "new secret"), "api_key": ("key",), "sender": ("+15550001111",)}


def posted(**changes: Any) -> dict[str, Any]:
    return tomllib.loads(EXAMPLE.read_text("utf-8")) | changes


def declared(**changes: Any) -> Adapter:
    return adapter_of(definition_of(posted(**changes), "acme"))


def sending_of(adapter: Adapter) -> Send:
    assert adapter.send is not None
    return adapter.send


def request_by(adapter: Adapter, message: Message, values: dict[str, tuple[str, ...]] = VALUES) -> HttpCall:
    call = sending_of(adapter).build_request(message, values, AT)
    assert isinstance(call, HttpCall)
    return call


@pytest.fixture
def acme() -> Iterator[Adapter]:
    """The example, known under its name."""
    ADAPTERS["acme"] = adapter = declared()
    yield adapter
    del ADAPTERS["acme"]


def request_of(*items: dict[str, Any], secret: str = "new secret", age: int = 1) -> Request:
    body = json.dumps({"events": items}).encode()
    timestamp = str(int(AT.timestamp()) - age)
    digest = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    headers = {"x-acme-signature": f"sha256={digest}", "x-acme-timestamp": timestamp}
    return Request("POST", "https://hooks.example.com/webhooks/aggregate", headers, body, AT, "acme")


def item(status: str, number: int = 1, **more: Any) -> dict[str, Any]:
    message = {"id": "m1", "from": "+15550001111", "to": "+1 (555) 123-4567", "client_ref": "order-1"}
    return {"event_id": f"e{number}", "status": status, "occurred": 1772443770123, "message": message} | more


def test_each_of_a_batch_becomes_its_event(acme: Adapter) -> None:
    """Types, ids, addresses, times in milliseconds, text, errors; an unknown word is kept, a bad item set apart."""
    message = {"id": "m2", "from": "+15551234567", "to": "+15550001111", "text": "Hi!"}
    request = request_of(
        item("delivered"),
        item("undeliverable", 2, error={"code": "E404", "title": "No such number"}),
        item("incoming", 3, message=message),
        item("seen_twice", 4),
        {"status": "delivered"},
    )
    assert acme.recognise(request) and acme.verify(request, VALUES) is True
    found = interpret(request, "acme")
    delivered, failed, received, unknown = found.events
    assert (delivered.type, delivered.provider_message_id, delivered.source_event_id) == (
        "MessageDelivered",
        "m1",
        "e1",
    )
    assert delivered.handle == Handle("phone", "+15551234567") and delivered.direction == "outbound"
    assert delivered.occurred_at == datetime(2026, 3, 2, 9, 29, 30, 123000, UTC)
    assert delivered.payload["reference"] == "order-1"
    assert failed.error is not None
    assert (failed.error.code, failed.error.text, failed.error.reason) == ("E404", "No such number", "invalid_address")
    assert (received.handle, received.payload["content"]) == (Handle("phone", "+15551234567"), {"text": "Hi!"})
    assert (unknown.type, unknown.payload["providerStatus"]) == ("ProviderEventReceived", "seen_twice")
    assert [reason for _, reason in found.unprocessable] == ["an event has neither an id nor a message id"]


def test_it_is_verified_byte_by_byte_with_any_secret_and_in_time(acme: Adapter) -> None:
    """Another body, another or no secret, an old timestamp: refused; of a stored webhook the age does not count."""
    request = request_of(item("sent"), secret="old secret")
    assert acme.verify(request, VALUES) is True
    assert acme.verify(request, {}) is None
    for at in range(0, len(request.body), 7):
        changed = request_of(item("sent"), secret="old secret")
        changed.body = request.body[:at] + bytes([request.body[at] ^ 1]) + request.body[at + 1 :]
        with pytest.raises(InvalidSignature):
            acme.verify(changed, VALUES)
    with pytest.raises(InvalidSignature):
        acme.verify(request, {"secret": ("another",)})
    late = request_of(item("sent"), age=301)
    with pytest.raises(InvalidSignature, match="old"):
        acme.verify(late, VALUES)
    assert acme.verify(late, VALUES, fresh=False) is True


@pytest.mark.parametrize(
    ("signature", "headers", "good"),
    [
        ({"scheme": "token", "header": "X-Token"}, {"x-token": "new secret"}, True),
        ({"scheme": "token", "header": "X-Token"}, {"x-token": "new"}, False),
        ({"scheme": "unsigned"}, {"authorization": "Basic dTpw"}, True),
        ({"scheme": "unsigned"}, {}, False),
        ({"scheme": "hmac", "header": "X-Sig", "algorithm": "sha1", "encoding": "base64"}, {"x-sig": "SIGNED"}, True),
        ({"scheme": "standard_webhooks"}, {"webhook-id": "a"}, False),
    ],
)
def test_there_are_several_schemes(signature: dict[str, Any], headers: dict[str, str], good: bool) -> None:
    """A token in a header, basic authentication, HMACs in other forms, Standard Webhooks."""
    body = b'{"events": []}'
    made = base64.b64encode(hmac.new(b"new secret", body, hashlib.sha1).digest()).decode()
    headers = {name: made if value == "SIGNED" else value for name, value in headers.items()}
    request = Request("POST", "https://hooks.example.com/", headers, body, AT, "acme")
    adapter = declared(signature=signature)
    values = VALUES | {"basic_auth": ("u:p",)}
    if good:
        assert adapter.verify(request, values) is True
    else:
        with pytest.raises(InvalidSignature):
            adapter.verify(request, values)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"types": {"a": "MessageArrived"}}, "types"),
        ({"channel": "pigeon"}, "pigeon"),
        ({"reasons": {"1": "bad luck"}}, "bad luck"),
        ({"colour": "red"}, "colour: there is no such key"),
        ({"event": {"id": "x"}}, "event.type"),
        ({"signature": {"scheme": "hmac"}}, "header"),
        ({"signature": {"scheme": "hmac", "header": "x", "message": "{timestamp}"}}, "body"),
        ({"signature": {"scheme": "hmac", "header": "x", "message": "{timestamp}{body}"}}, "timestamp"),
        ({"docs": "http://acme.example"}, "docs"),
    ],
)
def test_a_fault_is_said_with_its_place(changes: dict[str, Any], where: str) -> None:
    """Whoever wrote the file learns which key is wrong, and what may stand there."""
    with pytest.raises(InvalidDefinition, match=where):
        definition_of(posted(**changes), "acme")


def test_a_message_is_sent_as_the_templates_say() -> None:
    """Parts are put in, absent ones left out, nothing a message says is read as a template or breaks a header or URL."""
    adapter = declared()
    message = Message("m1", "sms", Handle("phone", "+15551234567"), text='{to} "quoted" {setting:api_key}')
    call = request_by(adapter, message)
    assert (call.method, call.url) == ("POST", "https://api.acme.example/v1/messages")
    assert call.headers == {"authorization": "Bearer key", "content-type": "application/json"}
    assert orjson.loads(call.body) == {
        "to": "+15551234567",
        "from": "+15550001111",
        "text": '{to} "quoted" {setting:api_key}',
        "client_ref": "m1",
    }
    without = request_by(adapter, Message("m1", "sms", Handle("phone", "+15551234567")))
    assert "text" not in orjson.loads(without.body)
    with pytest.raises(Unsendable):
        request_by(adapter, message, {})
    form = declared(send=posted()["send"] | {"format": "form", "url": "https://x.example/{to}/{text}"})
    call = request_by(form, message)
    assert call.url.startswith("https://x.example/%2B15551234567/%7Bto%7D%20%22")
    assert b"from=%2B15550001111" in call.body
    headers = {"x-text": "{text}", "authorization": "{setting:api_key}"}
    injected = Message("m1", "sms", Handle("phone", "+15551234567"), text="a\r\nx-evil: 1")
    with pytest.raises(Unsendable):
        request_by(declared(send=posted()["send"] | {"headers": headers}), injected)


def test_an_answer_is_read_where_the_definition_says() -> None:
    """The id of what was taken; the code of what was not; what may pass later, after how long."""
    adapter = declared()
    assert sending_of(adapter).read_response(Response(201, {}, b'{"message":{"id":7}}')).provider_message_id == "7"
    rejected = sending_of(adapter).read_response(Response(422, {}, b'{"error":{"code":"E1","title":"no"}}'))
    assert (rejected.state, rejected.error and rejected.error.code) == ("rejected", "E1")
    later = sending_of(adapter).read_response(Response(429, {"retry-after": "7"}, b"slow down"))
    assert (later.state, later.retry_after, later.error and later.error.reason) == ("retryable", 7.0, "rate")


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b'{"events":7}', b'{"events":[null,[],"x"]}', b'{"events":{}}', b"\xff"]
)
def test_odd_bodies_are_borne(acme: Adapter, body: bytes) -> None:
    """What is no such webhook is unprocessable with its reason, or kept as unknown."""
    request = Request("POST", "https://hooks.example.com/", {"x-acme-signature": "x"}, body, AT, "acme")
    try:
        found = interpret(request, "acme")
    except Unprocessable:
        return
    assert found.unprocessable or [event.type for event in found.events] == ["ProviderEventReceived"]


def test_a_folder_of_them_is_known(tmp_path: Path) -> None:
    """Each file is an adapter of its name, TOML and JSON alike; a built-in name is refused, a broken file named."""
    (tmp_path / "acme.toml").write_bytes(EXAMPLE.read_bytes())
    (tmp_path / "other.json").write_bytes(orjson.dumps(posted(channel="email")))
    (tmp_path / "README.md").write_text("not one")
    try:
        assert list(read(tmp_path)[0]) == ["acme", "other"]
        settings = Settings(adapters=tmp_path)
        assert not {"acme", "other"} & set(ADAPTERS)  # until a process registers them
        assert list(register(settings).declared) == ["acme", "other"] == list(register(settings).declared)
        assert ADAPTERS["other"].channels == {"email"}
    finally:
        del ADAPTERS["acme"], ADAPTERS["other"]
    assert read(tmp_path / "missing") == ({}, [])
    for text, why in (('name = "twilio"', "built in"), ("x", "cannot be read"), ('title = "x"', "signature")):
        (tmp_path / "acme.toml").write_text(f"{text}\n{EXAMPLE.read_text() if why == 'built in' else ''}")
        found, (fault,) = read(tmp_path)
        assert list(found) == ["other"] and re.search(f"(?s)acme.toml.*{why}", fault)


def test_ids_without_an_id_are_the_facts() -> None:
    """The same again is the same; another time, word or message is another."""
    adapter = declared()
    base = item("sent") | {"event_id": None}

    def id_of(**changes: Any) -> str:
        return adapter.normalize(request_of(base | changes)).events[0].source_event_id

    assert id_of() == id_of()
    other = {"message": {"id": "m9"}}
    assert len({id_of(), id_of(status="delivered"), id_of(occurred=AT.timestamp()), id_of(**other)}) == 4
    assert adapter.normalize(request_of(base)).events[0].occurred_at == AT - timedelta(seconds=29.877)


@pytest.mark.parametrize(
    ("send", "key", "hint"),
    [
        ({"body": {"text": "{txt}"}}, "send.body.text: {txt} stands for nothing", "{text}"),
        ({"body": {"a": [{"b": "Hi {to_}"}]}}, "send.body.a.0.b: {to_} stands for nothing", "{to}"),
        ({"headers": {"Authorization": "Bearer {setting:apikey}"}}, "send.headers.Authorization", "{setting:api_key}"),
        ({"url": "https://api.acme.example/{setting:acount}"}, "send.url: {setting:acount} stands for nothing", ""),
        ({"body": {"text": "{ text }"}}, "send.body.text: { text } stands for nothing", "{text}"),
        ({"url": "https://{to}.acme.example/v1"}, "send.url: {to} is the message's", ""),
        ({"url": "{callback_url}"}, "send.url: {callback_url} is the message's", ""),
    ],
)
def test_a_mark_that_stands_for_nothing_is_refused_as_it_is_read(
    tmp_path: Path, send: dict[str, Any], key: str, hint: str
) -> None:
    """With the file, the key and what there is: a provider is never sent `{txt}`."""
    definition = posted()
    (tmp_path / "acme.json").write_bytes(orjson.dumps(definition | {"send": definition["send"] | send}))
    _, (words,) = read(tmp_path)
    assert str(tmp_path / "acme.json") in words and key in words
    assert f"did you mean {hint}?" in words if hint else True
    if "stands for nothing" in words:
        assert all(
            f"{{{name}}}" in words for name in ("to", "text", "setting:secret", "setting:api_key", "setting:sender")
        )


def test_a_signed_message_has_no_other_marks() -> None:
    """A signature over a mark that stands for nothing would never hold."""
    signature = posted()["signature"] | {"message": "{timestamp}.{boddy}.{body}"}
    with pytest.raises(
        InvalidDefinition, match=r"signature.message: \{boddy\} stands for nothing; did you mean \{body\}"
    ):
        declared(signature=signature)


def test_what_is_in_two_braces_is_the_providers_own() -> None:
    """Its own templates, as many have them, are sent as they stand."""
    call = build(declared(send=posted()["send"] | {"body": {"text": "Hi {{name}}: {text}"}}))
    assert orjson.loads(call.body) == {"text": "Hi {{name}}: hello"}


def test_a_setting_that_the_source_lacks_is_named() -> None:
    """Nothing is sent with a mark in place of a secret."""
    with pytest.raises(Unsendable, match="no api_key"):
        build(declared(), {"secret": ("s",), "sender": ("+15550001111",)})


def build(adapter: Adapter, values: dict[str, tuple[str, ...]] = VALUES) -> HttpCall:
    return request_by(adapter, Message("m-1", "sms", Handle("phone", "+15551234567"), text="hello"), values)


def test_a_job_of_several_recipients_is_one_message_for_each() -> None:
    """Where the definition says that its ids are those of jobs, on that channel."""
    assert declared().job_ids == frozenset()
    assert declared(job_ids=["sms"]).job_ids == {"sms"}
    with pytest.raises(InvalidDefinition, match=r"no channel of job_ids is called email; there are: .*sms"):
        declared(job_ids=["email"])
