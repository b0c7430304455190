"""Standard Webhooks: both schemes of signature, Svix's names of the headers, and whose types are whose."""

import base64
import hmac
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters import ADAPTERS, envelope, standard_webhooks
from adapters.contract import InvalidSignature, Request, Unprocessable
from adapters.simulating import Post
from adapters.standard_webhooks import simulator as simulated
from tests.fixtures import accounts

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
URL = "https://hooks.example.com/webhooks/aggregate/standard_webhooks"
SECRET = accounts("standard_webhooks").settings["secret"]
ASYMMETRIC = accounts("standard_webhooks", "asymmetric")
BODY = orjson.dumps({"type": "contact.created", "timestamp": "2026-03-02T09:29:10Z", "data": {"id": "1"}})


def came(body: bytes = BODY, at: datetime = AT, private_key: str = "", **headers: str) -> Request:
    post = simulated.sign(Post(URL, body), {"secret": SECRET, "private_key": private_key}, AT)
    return Request("POST", URL, post.headers | {k.replace("_", "-"): v for k, v in headers.items()}, body, at, "mine")


def test_the_reference_s_example_of_ed25519_holds() -> None:
    """https://github.com/standard-webhooks/standard-webhooks, libraries/go/webhook_asymmetric_test.go: key, id, time,
    body and signature."""
    seed = base64.b64decode("VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk=")
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    signature = "tQ9V2XOqn7jL/DQenEFpqIugdBVtiMmER5mhSkXBNwM0mkATuDe6KYYUuxqtaiHeYGb7KaaBRdM5WqyeFiL8Ag=="
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": f"v1,AAAA v1a,AAAA v1a,é v1a,{signature}",
    }
    at = datetime.fromtimestamp(1614265330, UTC)
    request = Request("POST", URL, headers, b'{"test": 2432232314}', at, "mine")
    values = {"public_key": ("whpk_" + base64.b64encode(public).decode(),)}
    assert standard_webhooks.verify(request, values) is True
    request.received_at += timedelta(minutes=6)
    with pytest.raises(InvalidSignature, match="old"):
        standard_webhooks.verify(request, values)
    assert standard_webhooks.verify(request, values, fresh=False) is True


def test_svix_s_example_of_hmac_holds() -> None:
    """https://docs.svix.com/receiving/verifying-payloads/how: secret, headers, body."""
    headers = {
        "svix-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "svix-timestamp": "1614265330",
        "svix-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    request = Request("POST", URL, headers, b'{"test": 2432232314}', datetime.fromtimestamp(1614265330, UTC), "mine")
    assert standard_webhooks.verify(request, {"secret": ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",)}) is True


def test_either_scheme_will_do_where_both_are_configured() -> None:
    """A sender may change from the one to the other; with a public key alone, no secret's signature passes."""
    both = {"secret": (SECRET,), **ASYMMETRIC.values}
    assert standard_webhooks.verify(came(), both) is True
    assert standard_webhooks.verify(came(private_key=ASYMMETRIC.private_key), both) is True
    for request, values in (
        (came(), ASYMMETRIC.values),
        (came(private_key=ASYMMETRIC.private_key), {"secret": (SECRET,)}),
    ):
        with pytest.raises(InvalidSignature):
            standard_webhooks.verify(request, values)
    assert standard_webhooks.verify(came(), {}) is None


def test_a_secret_of_nothing_signs_nothing() -> None:
    """`whsec_` alone is what anyone could sign with."""
    empty = base64.b64encode(hmac.digest(b"", b"m.1772443800." + BODY, "sha256")).decode()
    headers = {"webhook-id": "m", "webhook-timestamp": "1772443800", "webhook-signature": f"v1,{empty}"}
    with pytest.raises(InvalidSignature):
        standard_webhooks.verify(Request("POST", URL, headers, BODY, AT, "mine"), {"secret": ("whsec_",)})


@pytest.mark.parametrize("key", ["x", "whpk_", "whpk_AAAA", "whpk_é"])
def test_a_public_key_that_cannot_be_read_refuses(key: str) -> None:
    """And says which setting it is."""
    with pytest.raises(InvalidSignature, match="public_key"):
        standard_webhooks.verify(came(private_key=ASYMMETRIC.private_key), {"public_key": (key,)})


def test_svix_headers_verify_where_the_source_is_named() -> None:
    """The same under their older names, which alone are claimed for nobody: senders with an adapter have them too."""
    request = came()
    request.headers = {name.replace("webhook-", "svix-"): value for name, value in request.headers.items()}
    assert standard_webhooks.verify(request, {"secret": (SECRET,)}) is True
    assert not standard_webhooks.recognise(request)
    (event,) = standard_webhooks.normalize(request).events
    assert event.source_event_id == request.headers["svix-id"]
    request.body += b" "
    with pytest.raises(InvalidSignature):
        standard_webhooks.verify(request, {"secret": (SECRET,)})


@pytest.mark.parametrize(
    ("document", "claimed"),
    [
        ({"type": "a.b", "data": {}}, [standard_webhooks.ADAPTER.name]),
        ({"type": "a.b", "data": {"eventType": "message.sent"}}, [standard_webhooks.ADAPTER.name]),
        ({"type": "message.sent", "eventType": "message.sent", "data": {}}, [envelope.ADAPTER.name]),
        ({"source": "x", "eventType": "odd", "data": {}, "type": 7}, [envelope.ADAPTER.name]),
        ({"type": "a.b", "id": 1}, []),
        ({"type": 7, "data": {}}, []),
        ([{"type": "a.b", "data": {}}], []),
    ],
)
def test_an_envelope_is_no_event_of_theirs(document: Any, claimed: list[str]) -> None:
    """Both come under the same headers; each body is one's, or nobody's."""
    request = came(orjson.dumps(document))
    assert [name for name, adapter in ADAPTERS.items() if adapter.recognise(request)] == claimed


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({"type": "message.sent"}, r"\$\.data: is required"),
        ({"type": "message.sent", "data": []}, r"\$\.data: must be an object"),
        ({"type": "message.sent", "data": {"to": "x"}}, r"\$\.data"),
        ({"type": "message.sent", "timestamp": "soon", "data": {"messageId": "1"}}, r"\$\.timestamp"),
    ],
)
def test_what_is_ours_must_follow_our_schema(document: Any, path: str) -> None:
    """The error names the place where it does not."""
    with pytest.raises(Unprocessable, match=path):
        standard_webhooks.normalize(came(orjson.dumps(document)))


def test_what_is_no_such_body_is_kept_as_it_came() -> None:
    """A list, a bare object, a type that is no text: under the id of the header, without which the body makes one."""
    for document in ([1], {"a": 1}, {"type": 7}, "text"):
        request = came(orjson.dumps(document))
        (event,) = standard_webhooks.normalize(request).events
        assert (event.type, event.payload["native"]) == ("ProviderEventReceived", document)
        assert event.source_event_id == request.headers["webhook-id"]
    bare = Request("POST", URL, {}, b'{"type":"message.sent","data":{"messageId":"1"}}', AT, "mine")
    assert len(standard_webhooks.normalize(bare).events[0].source_event_id) == 32
