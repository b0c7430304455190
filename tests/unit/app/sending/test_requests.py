"""A request for a message, read: the same over HTTP and on Kafka."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.sending.requests import REACHED_BY, Request, handles, kept_request, read_request
from schemas import SchemaError
from schemas.events import CHANNELS, Handle

TO = "+15551234567"


def test_the_short_form_just_works() -> None:
    """Channel, address, text."""
    request = read_request({"channel": "whatsapp", "to": TO, "body": "Hello!"}, client_id="shop")
    assert request.channels == ("whatsapp",) and request.handle("whatsapp") == Handle("phone", TO)
    assert request.document["content"] == {"text": "Hello!"} and request.handle("sms") is None
    assert len(request.message_id) == 36


@pytest.mark.parametrize(
    ("document", "path", "words"),
    [
        ({"body": "x"}, "$.to", "is required"),
        ({"to": TO}, "$", "needs one of: body, content, template"),
        ({"to": TO, "body": "x", "content": {"text": "y"}}, "$.body", "short for content.text"),
        ({"to": TO, "body": "x", "variables": {}}, "$.variables", "belong to a template"),
        ({"to": TO, "body": "x", "channel": "sms", "channels": ["sms"]}, "$.channel", "not both"),
        ({"to": TO, "body": "x", "channel": "fax"}, "$.channel", "must be one of"),
        ({"to": "ana@example.com", "body": "x", "channel": "sms"}, "$.to", "is no address for sms"),
        ({"to": {"email": TO}, "body": "x"}, "$.to.email", "is no address for email"),
        ({"to": {"sms": TO}, "body": "x", "channel": "email"}, "$.to", "has no address for email"),
        ({"to": TO, "body": "x", "sendBefore": "tomorrow"}, "$.sendBefore", "must be a time"),
        ({"to": TO, "body": "x", "clientId": "other"}, "$.clientId", "is not the client of the API key"),
        ({"to": TO, "body": "x", "colour": "red"}, "$.colour", "is not known here"),
        ({"to": TO, "content": {"media": [{"url": "file:///etc/passwd"}]}}, "$.content.media[0].url", "must look like"),
        ({"to": TO, "body": "x", "messageId": "with space"}, "$.messageId", "must look like"),
    ],
)
def test_what_cannot_be_read_says_where_and_why(document: dict[str, Any], path: str, words: str) -> None:
    """The path, and what is wanted there; never the value."""
    with pytest.raises(SchemaError) as error:
        read_request(document, client_id="shop")
    assert error.value.path == path and words in error.value.message


def test_a_route_of_one_channel_takes_no_other() -> None:
    """POST /v1/sms/messages."""
    assert read_request({"to": TO, "body": "x"}, client_id="shop", channel="sms").channels == ("sms",)
    with pytest.raises(SchemaError, match="this is where sms is asked for"):
        read_request({"to": TO, "body": "x", "channel": "voice"}, client_id="shop", channel="sms")


def test_without_a_client_it_is_nobodys() -> None:
    """On Kafka each says whose it is."""
    with pytest.raises(SchemaError, match="clientId: is required"):
        read_request({"to": TO, "body": "x"})
    assert read_request({"to": TO, "body": "x", "clientId": "shop"}).client_id == "shop"


def test_the_same_request_has_the_same_fingerprint() -> None:
    """However it is written; what names it is not part of it."""
    one = read_request({"to": TO, "body": "x", "messageId": "a"}, client_id="shop")
    same = read_request({"messageId": "b", "content": {"text": "x"}, "to": TO}, client_id="shop")
    other = read_request({"to": TO, "body": "y", "messageId": "a"}, client_id="shop")
    assert one.fingerprint == same.fingerprint != other.fingerprint


def test_no_id_is_made_of_a_key() -> None:
    """A key may be an address, and so is kept as a digest: an id that is made of it would tell it."""
    keyed = {"to": TO, "body": "x", "idempotencyKey": "order-1"}
    requests = [read_request(keyed, client_id="a") for _ in range(2)]
    assert {each.key for each in requests} == {"order-1"} and len({each.message_id for each in requests}) == 2


def kept(request: Request) -> list[tuple[str, str]]:
    """The addresses as the store keeps them."""
    return [(channel, f"{handle.kind}\x1f{handle.value}") for channel, handle in handles(request)]


def test_what_was_kept_reads_the_same() -> None:
    """A worker reads what the API accepted."""
    document = {
        "to": {"sms": TO, "email": "Ana <ana@example.com>"},
        "template": "t",
        "variables": {"a": "b"},
        "priority": "low",
    }
    request = read_request(document | {"channels": ["email", "sms"]}, client_id="shop")
    read = kept_request("shop", request.message_id, request.document, kept(request), request.fingerprint)
    assert read == request


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.sampled_from([TO, "ana@example.com", "sms"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(
    ["to", "body", "content", "channel", "channels", "template", "variables", "sendBefore", "zone", "priority"]
)


@given(st.dictionaries(KEYS, JSON, max_size=6) | JSON)
def test_any_json_is_a_request_or_a_schema_error(document: Any) -> None:
    """Whatever a service puts on Kafka, nothing else is raised."""
    try:
        request = read_request(document, client_id="shop")
    except SchemaError:
        return
    assert kept_request("shop", request.message_id, request.document, kept(request), request.fingerprint) == request


def test_every_channel_says_what_reaches_it() -> None:
    """None is forgotten."""
    assert set(REACHED_BY) == set(CHANNELS)
