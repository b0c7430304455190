"""What becomes of a record, whatever is in it."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

import agents.inbound
from agents import outbound, reported
from agents.health import WorkerHealth
from tests.support import traffic
from webhooks.record import Webhook, encode

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ID = "0193a5c2-1111-7aaa-8bbb-0123456789ab"
MOST = 1 << 20


def record(value: bytes | None, topic: str = "webhooks.received") -> Any:
    return SimpleNamespace(topic=topic, partition=2, offset=7, timestamp=1_795_000_000_000, headers=(), value=value)


def webhook(body: bytes, source: str = "whatsapp_cloud", **headers: str) -> bytes:
    return encode(
        Webhook(
            ID,
            source,
            source,
            "acme",
            "POST",
            traffic.URL,
            {"content-type": "application/json", **headers},
            NOW,
            True,
            body,
        )
    )


def prepared(*values: bytes | None) -> Any:
    return [agents.inbound.prepare(record(value), WorkerHealth(), MOST) for value in values]


def test_a_webhook_becomes_rows_of_its_client() -> None:
    """Each event goes with the client, the time of receipt and the id of its webhook; the record is kept."""
    value = webhook(
        traffic.whatsapp(
            {
                "statuses": [
                    {"id": "wamid.1", "status": "read", "timestamp": "1795000000", "recipient_id": "15550000001"}
                ]
            }
        ).body
    )
    (entry,) = prepared(value)
    ((event, client, received, webhook_id),) = entry.rows

    assert (event.type, client, received, webhook_id) == ("MessageRead", "acme", NOW, ID)
    assert entry.raw == value
    assert entry.letter is None


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"\x00\xff garbage",
        b"{}\n",
        b"no json\nbody",
        webhook(b"no json"),
        webhook(b"\xff\xfe"),
        webhook(b"[" * 100_000),
    ],
    ids=["none", "empty", "garbage", "no head", "bad head", "bad body", "not utf-8", "deep"],
)
def test_poison_is_a_dead_letter_beside_living_neighbours(value: bytes | None) -> None:
    """What cannot be read says why, and names its place; the records around it are not touched."""
    good = webhook(
        traffic.whatsapp(
            {
                "statuses": [
                    {"id": "wamid.1", "status": "sent", "timestamp": "1795000000", "recipient_id": "15550000001"}
                ]
            }
        ).body
    )
    before, bad, after = prepared(good, value, good)
    letter = bad.letter

    assert (letter.topic, letter.partition, letter.offset, letter.value) == ("webhooks.received", 2, 7, value)
    assert letter.reason
    assert len(before.rows) == len(after.rows) == 1


def test_a_fault_of_an_adapter_is_a_dead_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    """An adapter that raises what it must not stops neither the batch nor the worker."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(agents.inbound, "normalized", broken)
    (entry,) = prepared(webhook(b"{}"))

    assert entry.letter.reason == "reading failed: ZeroDivisionError: oh"
    assert entry.rows == []


def test_a_report_becomes_an_event_of_its_client() -> None:
    """A CloudEvent is read with the time Kafka had it as that of receipt."""
    result = {
        "specversion": "1.0", "id": "e1", "source": "/crm", "type": "message.received", "clientid": "acme",
        "data": {"userId": "u1", "channel": "chat", "content": {"text": "hi"}},
    }  # fmt: skip
    entry = reported.prepare(record(orjson.dumps(result), "events.reported"), MOST)
    ((event, client, received, webhook_id),) = entry.rows

    assert (event.type, client, received.timestamp(), webhook_id) == ("MessageReceived", "acme", 1_795_000_000, None)


def test_a_word_such_as_stop_is_an_event_beside_its_message() -> None:
    """Of the same client, receipt and webhook, from a provider and from a service alike."""
    message = {
        "id": "wamid.1",
        "from": "15550000001",
        "timestamp": "1795000000",
        "type": "text",
        "text": {"body": "Stop"},
    }
    (entry,) = prepared(webhook(traffic.whatsapp({"messages": [message]}).body))
    assert [(row[0].type, *row[1:]) for row in entry.rows] == [
        ("MessageReceived", "acme", NOW, ID),
        ("RecipientUnsubscribed", "acme", NOW, ID),
    ]

    result = {
        "specversion": "1.0", "id": "e1", "source": "/gateway", "type": "message.received", "clientid": "acme",
        "data": {"from": "+15550000001", "channel": "sms", "content": {"text": "START"}},
    }  # fmt: skip
    entry = reported.prepare(record(orjson.dumps(result), "events.reported"), MOST)
    assert [(row[0].type, row[1]) for row in entry.rows] == [
        ("MessageReceived", "acme"),
        ("RecipientSubscribed", "acme"),
    ]
    assert entry.rows[0][2:] == entry.rows[1][2:]


def test_a_bad_report_names_the_path_at_fault() -> None:
    """The dead letter of a report says where in the JSON the fault is."""
    result = {
        "specversion": "1.0",
        "id": "e1",
        "source": "/crm",
        "type": "message.received",
        "data": {"content": {"text": 5}},
    }
    entry = reported.prepare(record(orjson.dumps(result), "events.reported"), MOST)
    letter = entry.letter
    assert letter is not None

    assert "$.data.content.text" in letter.reason
    assert letter.detail == {"path": "$.data.content.text"}


@pytest.mark.parametrize(
    ("word", "counted"), [("user_changed_number", {}), ("user_changed_name", {"wa": {"user_changed_name": 1}})]
)
def test_an_event_that_the_adapter_lists_is_not_counted_as_unknown(word: str, counted: dict[str, Any]) -> None:
    """A notice of WhatsApp that its page documents is kept, and no news; one that it does not have is counted."""
    item = {"id": "wamid.2", "from": "15557654321", "type": "system", "system": {"type": word}}
    value = webhook(traffic.whatsapp({"messages": [item]}).body).replace(b'"source":"whatsapp_cloud"', b'"source":"wa"')
    health = WorkerHealth()
    found: Any = agents.inbound.prepare(record(value), health, MOST)
    assert [row[0].type for row in found.rows] == ["ProviderEventReceived"]
    assert health.drift.by_source() == counted


def test_a_bad_report_tells_all_that_is_wrong_with_it() -> None:
    """In the reason, within its length; the place is that of the first error."""
    bad = {"specversion": "1.0", "id": "e1", "source": "/crm", "type": "message.received"}
    wrong = {"content": {"text": 5, "subject": 6}, "from": 3}
    letter = reported.prepare(record(orjson.dumps(bad | {"data": wrong}), "events.reported"), MOST).letter
    assert letter is not None
    paths = ("$.data.content.text: must", "$.data.content.subject: must", "$.data.from: must")
    assert all(path in letter.reason for path in paths), letter.reason
    assert letter.detail == {"path": letter.reason.partition(":")[0]}
    many = {"content": {"media": [{"url": n} for n in range(60)]}}
    letter = reported.prepare(record(orjson.dumps(bad | {"data": many}), "events.reported"), MOST).letter
    assert letter is not None and len(letter.reason) <= 500 and letter.reason.endswith(" more")


def test_a_bad_request_tells_its_client_all_that_is_wrong() -> None:
    """In the dead letter, and in the message that fails."""
    bad = {"clientId": "shop", "messageId": "m1", "to": 5, "channel": "fax", "body": "x", "colour": "red"}
    outcome = outbound.prepare(record(orjson.dumps(bad), "messages.requested"), MOST)
    assert outcome.letter is not None and outcome.refused is not None
    for text in (outcome.letter.reason, outcome.refused[1].text or ""):
        assert all(f"{path}: " in text for path in ("$.to", "$.channel", "$.colour")), text
