"""Freshchat's public key in the forms that people paste it in."""

import base64
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from adapters import freshchat
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
