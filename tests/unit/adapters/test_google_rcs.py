"""What is particular to RCS for Business: the check of a URL, and a signature of the data alone."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters import google_rcs
from adapters.contract import InvalidSignature, Request, Unconfigured, Unprocessable

VALUES = {"client_token": ("OLD", "SJENCPGJESMGUFPY")}


def request_of(body: Any, signature: str = "") -> Request:
    headers = {"x-goog-signature": signature} if signature else {}
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Request("POST", "https://hooks.example.com/", headers, raw, datetime(2026, 3, 2, tzinfo=UTC), "google_rcs")


def test_the_check_of_a_url_is_answered_with_its_secret() -> None:
    """The page's own example; to one who knows the token alone."""
    asked = {"clientToken": "SJENCPGJESMGUFPY", "secret": "1234567890"}
    answer = google_rcs.handshake(request_of(asked), VALUES)
    assert answer is not None and (answer.status, answer.body) == (200, b"1234567890")
    for token in ("", "WRONG", None):
        with pytest.raises(InvalidSignature):
            google_rcs.handshake(request_of(asked | {"clientToken": token}), VALUES)
    with pytest.raises(Unconfigured):
        google_rcs.handshake(request_of(asked), {})


@pytest.mark.parametrize("body", [{"message": {"data": ""}}, {"clientToken": "x"}, [], b'{"clientToken"', b""])
def test_nothing_else_is_a_check(body: Any) -> None:
    """It goes on to be verified."""
    assert google_rcs.handshake(request_of(body), VALUES) is None


def test_the_decoded_data_is_signed_and_nothing_else() -> None:
    """HMAC-SHA512 in base64, as in the page's sample code; other data is refused."""
    data = b'{"senderPhoneNumber":"+15551234567","text":"Hi","messageId":"m1"}'
    made = base64.b64encode(hmac.new(b"SJENCPGJESMGUFPY", data, hashlib.sha512).digest()).decode()
    body = {"message": {"data": base64.b64encode(data).decode(), "messageId": "1"}}
    assert google_rcs.verify(request_of(body, made), VALUES) is True
    body["message"]["messageId"] = "2"
    assert google_rcs.verify(request_of(body, made), VALUES) is True
    body["message"]["data"] = base64.b64encode(data.replace(b"Hi", b"Ho")).decode()
    with pytest.raises(InvalidSignature):
        google_rcs.verify(request_of(body, made), VALUES)
    unreadable: list[Any] = [{}, {"message": {"data": 1}}, {"message": {"data": "é"}}, []]
    for bad in unreadable:
        with pytest.raises(InvalidSignature):
            google_rcs.verify(request_of(bad, made), VALUES)
        with pytest.raises(Unprocessable):
            google_rcs.normalize(request_of(bad))
