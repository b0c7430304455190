"""What is particular to Postal: the forms of its key, its two digests, errors in an answer of 200."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from adapters import postal
from adapters.contract import InvalidSignature, Media, Message, Request, Response, Template, Unsendable
from adapters.postal.send import build_request, read_response
from app.cli.support.http_file import read_request
from schemas.events import Handle
from tests.fixtures import FOLDER, accounts

ACCOUNT = accounts("postal")
KEY = ACCOUNT.settings["public_key"]
AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
VALUES = {"api_key": ("k",), "sender": ("shop@example.com",), "api_url": ("https://postal.example.com/",)}
MAIL = Message("m-1", "email", Handle("email", "ana@example.com"), subject="Hi", text="Hello", html="<p>Hello</p>")


def fixture(name: str) -> Request:
    came = read_request((FOLDER / "postal" / f"{name}.http").read_bytes())
    return Request(came.method, came.url(), came.headers, came.body, ACCOUNT.at, "postal")


def jwk() -> dict[str, str]:
    key = load_der_public_key(base64.b64decode(KEY))
    assert isinstance(key, RSAPublicKey)
    numbers = key.public_numbers()

    def number(value: int) -> str:
        return base64.urlsafe_b64encode(value.to_bytes((value.bit_length() + 7) // 8, "big")).decode().rstrip("=")

    return {"kty": "RSA", "use": "sig", "alg": "RS256", "n": number(numbers.n), "e": number(numbers.e)}


def test_the_key_is_taken_as_postal_shows_it() -> None:
    """The DKIM record that it prints, the key in it, PEM, its set of keys."""
    pem = load_der_public_key(base64.b64decode(KEY)).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    record = f"v=DKIM1; t=s; h=sha256; p={KEY};"
    for written in (KEY, pem.decode(), record, json.dumps(jwk()), json.dumps({"keys": [jwk()]})):
        assert postal.verify(fixture("sent"), {"public_key": (written,)}) is True


@pytest.mark.parametrize("key", ["no key", "AAAA", "{}", '{"keys":[{"n":1}]}', "{"])
def test_a_key_that_is_none_refuses_with_that_reason(key: str) -> None:
    """The operator sees the reason, and nothing passes."""
    with pytest.raises(InvalidSignature, match="public key cannot be read"):
        postal.verify(fixture("sent"), {"public_key": (key,)})


def test_sha1_counts_only_where_there_is_no_sha256() -> None:
    """An older server has the one header; of two the stronger decides."""
    old, new = fixture("sent_sha1"), fixture("sent")
    assert "x-postal-signature-256" not in old.headers
    assert postal.verify(old, ACCOUNT.values) is True
    broken = dict(new.headers) | {"x-postal-signature-256": old.headers["x-postal-signature"]}
    with pytest.raises(InvalidSignature, match="256"):
        postal.verify(replace(new, headers=broken), ACCOUNT.values)


def test_a_message_becomes_a_call() -> None:
    """Every part that Postal has a place for."""
    data = {"listUnsubscribe": "https://example.com/u/1", "replyTo": "help@example.com"}
    call = build_request(replace(MAIL, reference="order-42", data=data), VALUES, AT)
    assert (call.url, call.headers["x-server-api-key"]) == ("https://postal.example.com/api/v1/send/message", "k")
    assert orjson.loads(call.body) == {
        "to": ["ana@example.com"],
        "from": "shop@example.com",
        "subject": "Hi",
        "plain_body": "Hello",
        "html_body": "<p>Hello</p>",
        "tag": "order-42",
        "reply_to": "help@example.com",
        "headers": {
            "List-Unsubscribe": "<https://example.com/u/1>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        },
    }


@pytest.mark.parametrize(
    "message",
    [
        replace(MAIL, text=None, html=None),
        replace(MAIL, media=(Media("https://example.com/a.pdf"),)),
        replace(MAIL, template=Template("welcome")),
    ],
)
def test_what_it_cannot_send_it_says(message: Message) -> None:
    """Nothing to say, an attachment that is only a URL, a template."""
    with pytest.raises(Unsendable):
        build_request(message, VALUES, AT)


def test_an_error_in_an_answer_of_200_is_a_rejection() -> None:
    """The status in the body counts."""
    output = {"status": "error", "data": {"code": "UnauthenticatedFromAddress", "message": "Not authorised"}}
    outcome = read_response(Response(200, {}, orjson.dumps(output)))
    assert outcome.state == "sender" and outcome.error is not None
    assert (outcome.error.code, outcome.error.reason) == ("UnauthenticatedFromAddress", "account")
    output = {"status": "parameter-error", "data": {"message": "`to` parameter is required but is missing"}}
    outcome = read_response(Response(200, {}, orjson.dumps(output)))
    assert outcome.error is not None and outcome.error.code == "parameter-error"
