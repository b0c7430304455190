"""Freshchat's public key in the forms that people paste it in."""

import base64
import json
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from adapters import freshchat, interpret
from adapters.contract import InvalidSignature, Request
from adapters.freshchat import simulator as simulated
from adapters.simulating import Post
from tests.fixtures import accounts

ACCOUNT = accounts("freshchat")
AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
KEY = load_pem_public_key(ACCOUNT.settings["public_key"].encode())
PEM = ACCOUNT.settings["public_key"]


def signed() -> Request:
    post = simulated.sign(Post("https://hooks.example.com/", b"{}"), {"private_key": ACCOUNT.private_key}, AT)
    return Request(
        "POST", post.url, {name.lower(): value for name, value in post.headers.items()}, b"{}", AT, "freshchat"
    )


@pytest.mark.parametrize(
    "reported",
    [
        PEM,
        PEM.replace("\n", "\\n"),
        KEY.public_bytes(Encoding.PEM, PublicFormat.PKCS1).decode(),
        base64.b64encode(KEY.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode(),
    ],
)
def test_a_key_is_read_in_any_of_its_forms(reported: str) -> None:
    """PEM of either kind, PEM on one line, and base64 without its frame."""
    assert freshchat.verify(signed(), {"public_key": (reported,)}) is True


@pytest.mark.parametrize(
    "reported",
    [
        "no key",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
        ec.generate_private_key(ec.SECP256R1())
        .public_key()
        .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        .decode(),
    ],
)
def test_what_is_no_key_of_rsa_refuses(reported: str) -> None:
    """With a reason for the operator, and never another exception."""
    with pytest.raises(InvalidSignature):
        freshchat.verify(signed(), {"public_key": (reported,)})


def test_a_signature_that_is_no_base64_refuses() -> None:
    """As one that is missing."""
    request = signed()
    request.headers = {"x-freshchat-signature": "%%%"}
    with pytest.raises(InvalidSignature):
        freshchat.verify(request, ACCOUNT.values)


@pytest.mark.parametrize(
    ("note", "type_"),
    [
        ({"botsPrivateNote": True}, "ProviderEventReceived"),
        ({"message_type": "private"}, "ProviderEventReceived"),
        ({"botsPrivateNote": False, "message_type": "normal"}, "UserMessageSent"),
    ],
)
def test_what_the_user_never_sees_is_no_message(note: dict[str, object], type_: str) -> None:
    """A note among agents, or a bot's."""
    message = {"id": "m", "actor_type": "agent", "actor_id": "a", "user_id": "u"} | note
    body = json.dumps({"action": "message_create", "data": {"message": message}}).encode()
    (event,) = interpret(Request("POST", "https://hooks.example.com/", {}, body, AT, "freshchat"), "freshchat").events
    assert event.type == type_


def test_a_file_has_its_size() -> None:
    """`file_size_in_bytes`, where it is given."""
    file = {"name": "a.pdf", "url": "https://example.com/a.pdf", "content_type": "application/pdf"}
    parts = [{"file": file | {"file_size_in_bytes": 2138}}, {"file": file}]
    message = {"id": "m", "actor_type": "user", "actor_id": "u", "message_parts": parts}
    body = json.dumps({"action": "message_create", "data": {"message": message}}).encode()
    (event,) = interpret(Request("POST", "https://hooks.example.com/", {}, body, AT, "freshchat"), "freshchat").events
    assert [media.get("size") for media in event.payload["content"]["media"]] == [2138, None]
