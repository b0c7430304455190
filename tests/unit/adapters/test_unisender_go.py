"""What is particular to Unisender Go: its MD5 over the very bytes, a longer body, two users in one post."""

import json
from datetime import UTC, datetime
from hashlib import md5

import pytest

from adapters import interpret, unisender_go
from adapters.contract import InvalidSignature, Request, Unprocessable

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
KEY = {"api_key": ("k3y",)}


def request(body: bytes) -> Request:
    return Request("POST", "https://hooks.example.com/", {}, body, AT, "unisender_go")


def signed(template: str) -> bytes:
    return (template % md5((template % "k3y").encode()).hexdigest()).encode()


@pytest.mark.parametrize(
    "template",
    ['{"auth":"%s","events_by_user":[]}', '{\n "events_by_user": [],\n "auth": "%s" , "é":1}'],
)
def test_the_bytes_count_not_the_json(template: str) -> None:
    """Spaces, order and escapes are those of the body as it came."""
    body = signed(template)
    assert unisender_go.verify(request(body), KEY) is True
    again = json.dumps(json.loads(body), separators=(", ", ":")).encode()
    with pytest.raises(InvalidSignature):
        unisender_go.verify(request(again), KEY)
    with pytest.raises(InvalidSignature, match="no auth"):
        unisender_go.verify(request(b"{}"), KEY)


def test_what_follows_the_json_makes_it_unreadable() -> None:
    """MD5 lets anyone extend a signed body, so a body with anything after its JSON is refused."""
    with pytest.raises(Unprocessable):
        interpret(request(signed('{"auth":"%s","events_by_user":[]}') + b"\x80\x00\x00{}"), "unisender_go")


def test_a_user_without_events_holds_up_no_other() -> None:
    """Each user's events are read."""
    data = {"job_id": "1", "email": "ana@example.com", "status": "delivered"}
    good = {"events": [{"event_name": "transactional_email_status", "event_data": data}]}
    found = interpret(request(json.dumps({"auth": "", "events_by_user": [7, good]}).encode()), "unisender_go")
    assert [event.type for event in found.events] == ["MessageDelivered"]
    assert len(found.unprocessable) == 1


def test_a_repeated_post_of_a_single_event_is_the_same_event() -> None:
    """`retry_count` counts the posts, not the events."""
    block = '{"auth":"%s",%s"event_name":"transactional_spam_block","block_time":"2026-03-02 09:29:43","domain":"d"}'
    once, again = (
        interpret(request((block % ("0" * 32, more)).encode()), "unisender_go") for more in ("", '"retry_count":2,')
    )
    assert once.events[0].source_event_id == again.events[0].source_event_id
