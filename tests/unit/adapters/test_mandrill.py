"""What is particular to Mandrill: the URL in its signature, its post of no events, fields that are not as they should be."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest

from adapters import mandrill
from adapters.contract import Answer, InvalidSignature, Request, Unprocessable

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
URL = "https://hooks.example.com/webhooks/aggregate/mandrill?a=1"
VALUES = {"webhook_key": ("k3y",)}


def posted(events: str, key: str = "k3y", url: str = URL) -> Request:
    digest = hmac.new(key.encode(), (URL + "mandrill_events" + events).encode(), hashlib.sha1).digest()
    headers = {"x-mandrill-signature": base64.b64encode(digest).decode()}
    return Request("POST", url, headers, urlencode({"mandrill_events": events}).encode(), AT, "mandrill")


def test_the_url_is_signed_as_it_was_entered() -> None:
    """With its query; a slash more is another URL."""
    assert mandrill.verify(posted('[{"event":"send","_id":"1 é"}]'), VALUES) is True
    with pytest.raises(InvalidSignature, match="url"):
        mandrill.verify(posted("[]", url=URL.replace("?", "/?")), VALUES)


def test_a_post_of_no_events_is_answered_and_not_kept() -> None:
    """Before the key is known; with events it is no handshake."""
    assert mandrill.handshake(posted("[]", key="test-webhook"), VALUES) == Answer()
    assert mandrill.handshake(posted("[]"), {}) == Answer()
    assert mandrill.handshake(posted('[{"event":"send","_id":"1"}]'), VALUES) is None
    assert mandrill.handshake(posted("{}"), VALUES) is None


@pytest.mark.parametrize("events", ["", "{}", "[", "7"])
def test_a_field_that_is_no_list_is_refused(events: str) -> None:
    """The whole of it cannot be read."""
    with pytest.raises(Unprocessable):
        mandrill.normalize(posted(events))
