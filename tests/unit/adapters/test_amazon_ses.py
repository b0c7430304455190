"""Amazon SES: whose topic it is, what SNS's signature covers, how a subscription is confirmed, and how a send is signed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from adapters import amazon_ses
from adapters.amazon_ses import simulator as simulated
from adapters.amazon_ses.send import build_request, read_response
from adapters.amazon_ses.sns import CERTIFICATE_URL, CONFIRM_URL
from adapters.contract import (
    InvalidSignature,
    Media,
    Message,
    Needed,
    Request,
    Response,
    Template,
    Unconfigured,
    Unsendable,
)
from adapters.signing import sigv4
from adapters.simulating import Post
from app.cli.support.http_file import read_request
from schemas.events import Handle
from tests.fixtures import FOLDER, accounts

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
ACCOUNT = accounts("amazon_ses")
VALUES = ACCOUNT.values
URL = "https://hooks.example.com/webhooks/aggregate/amazon_ses"
CERTIFICATE = "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem"
CONFIRM = f"https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn={simulated.TOPIC}&Token=2336412f37"
UNPINNED = {name: value for name, value in VALUES.items() if name != "certificate"}


def made(type_: str = "Notification", **fields: Any) -> Request:
    """A message of SNS's, signed."""
    message = {"Type": type_, "MessageId": "1", "TopicArn": simulated.TOPIC, "Message": '{"mail":{}}'}
    message |= {"Timestamp": "2026-03-02T09:29:45.123Z", "SignatureVersion": "2", "Signature": ""}
    message |= {"SigningCertURL": CERTIFICATE}
    if type_ != "Notification":
        message |= {"SubscribeURL": CONFIRM, "Token": "2336412f37"}
    body = orjson.dumps({name: value for name, value in (message | fields).items() if value is not None})
    signed = simulated.sign(Post(URL, body), ACCOUNT.settings | {"private_key": ACCOUNT.private_key}, AT)
    return Request("POST", f"{URL}?key=url-secret", {"x-amz-sns-message-type": type_}, signed.body, AT, "amazon_ses")


def test_each_value_that_is_read_is_signed() -> None:
    """Not one character of the message, its id, topic, time, type or subject can be another."""
    request = made(Subject="Hello")
    assert amazon_ses.verify(request, VALUES) is True
    for name in ("Message", "MessageId", "Subject", "Timestamp", "Type", "Signature"):
        message = orjson.loads(request.body)
        message[name] = message[name][:-1] + ("x" if name != "Timestamp" else "z")
        with pytest.raises(InvalidSignature):
            amazon_ses.verify(replace(request, body=orjson.dumps(message)), VALUES)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"TopicArn": "arn:aws:sns:us-east-1:999999999999:theirs"}, "another topic"),
        ({"Timestamp": "2026-03-02T07:00:00.000Z"}, "seconds old"),
        ({"Timestamp": "soon"}, "no time"),
        ({"SignatureVersion": "3"}, "version 1 or 2"),
        ({"Type": "Other"}, "no message"),
        ({"Subject": 7}, "no Subject"),
    ],
)
def test_what_is_not_of_our_topic_and_of_now_is_refused(fields: dict[str, Any], why: str) -> None:
    """However well it is signed: SNS signs everyone's topics with the same certificates."""
    with pytest.raises(InvalidSignature, match=why):
        amazon_ses.verify(made(**fields), VALUES)


def test_without_a_topic_the_url_must_have_a_secret() -> None:
    """With neither, nothing passes; with both, both must be right."""
    rest = {"certificate": VALUES["certificate"]}
    with pytest.raises(Unconfigured):
        amazon_ses.verify(made(), rest)
    assert amazon_ses.verify(made(), rest | {"url_secret": ("url-secret",)}) is True
    with pytest.raises(InvalidSignature, match="url_secret"):
        amazon_ses.verify(made(), VALUES | {"url_secret": ("another",)})
    assert amazon_ses.verify(made(), rest | {"topic_arn": (f"arn:other {simulated.TOPIC}",)}) is True


def test_a_certificate_that_is_not_pinned_is_asked_for_and_then_used() -> None:
    """The door fetches it; one that is not there, is unreadable or is not valid then is refused."""
    request = made()
    with pytest.raises(Needed) as needed:
        amazon_ses.verify(request, UNPINNED)
    assert needed.value.url == CERTIFICATE
    pem = ACCOUNT.settings["certificate"].encode()
    request.parsed["fetched"] = {CERTIFICATE: pem}
    assert amazon_ses.verify(request, UNPINNED) is True
    for found in (None, b"", b"-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----"):
        request.parsed["fetched"] = {CERTIFICATE: found}
        with pytest.raises(InvalidSignature, match="certificate"):
            amazon_ses.verify(request, UNPINNED)
    request.parsed["fetched"] = {CERTIFICATE: pem}
    request.received_at = AT + timedelta(days=365 * 30)
    with pytest.raises(InvalidSignature, match="not valid now"):
        amazon_ses.verify(request, UNPINNED, fresh=False)


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.us-east-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem",
        "https://sns.us-east-1.amazonaws.com.example.com/SimpleNotificationService-0123456789abcdef.pem",
        "https://sns.us-east-1.amazonaws.com:8443/SimpleNotificationService-0123456789abcdef.pem",
        "https://user@sns.us-east-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem",
        "https://s3.us-east-1.amazonaws.com/bucket/SimpleNotificationService-0123456789abcdef.pem",
        "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem?x",
        "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem\n",
        "https://sns.evil.com#.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem",
        "https://sns.s3.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem",
        "https://sns.s3-us-west-2.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem",
        "https://sns.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem",
        "file:///etc/passwd",
        7,
    ],
)
def test_no_certificate_is_asked_for_elsewhere(url: Any) -> None:
    """Nor is one pinned needed from there."""
    with pytest.raises(InvalidSignature, match="SigningCertURL") as refusal:
        amazon_ses.verify(made(SigningCertURL=url), UNPINNED)
    assert not isinstance(refusal.value, Needed)


def test_a_certificate_in_china_is_one() -> None:
    """Regions there have their own domain."""
    place = "https://sns.cn-north-1.amazonaws.com.cn"
    assert CERTIFICATE_URL.fullmatch(f"{place}/SimpleNotificationService-0123456789abcdef.pem")
    assert CONFIRM_URL.fullmatch(f"{place}/?Action=ConfirmSubscription&TopicArn=arn:aws-cn:sns:cn-north-1:1:a&Token=b")


def test_a_subscription_of_our_topic_is_confirmed() -> None:
    """By a visit to the address that is signed; a notification is no handshake."""
    answer = amazon_ses.handshake(made("SubscriptionConfirmation"), VALUES)
    assert answer is not None and (answer.status, answer.visit) == (200, CONFIRM)
    assert amazon_ses.handshake(made(), VALUES) is None
    with pytest.raises(Needed):
        amazon_ses.handshake(made("SubscriptionConfirmation"), UNPINNED)


@pytest.mark.parametrize(
    "fields",
    [
        {"TopicArn": "arn:aws:sns:us-east-1:999999999999:theirs"},
        {"SubscribeURL": "https://example.com/?Action=ConfirmSubscription&Token=1"},
        {"SubscribeURL": "https://sns.us-east-1.amazonaws.com/?Action=DeleteTopic&TopicArn=a"},
        {"SubscribeURL": None},
    ],
)
def test_no_other_subscription_is_confirmed(fields: dict[str, Any]) -> None:
    """Another's topic, another's address, another action."""
    with pytest.raises(InvalidSignature):
        amazon_ses.handshake(made("SubscriptionConfirmation", **fields), VALUES)


def test_both_ways_of_publishing_tell_the_same_fact() -> None:
    """A bounce of a mail reported by the identity and by the configuration set is one, under two SNS messages."""
    came = read_request((FOLDER / "amazon_ses" / "bounce_general.http").read_bytes())
    message = orjson.loads(came.body)
    record = orjson.loads(message["Message"])
    record["notificationType"] = record.pop("eventType")
    message |= {"MessageId": "another", "Message": orjson.dumps(record).decode()}
    bodies = (came.body, orjson.dumps(message))
    requests = [Request("POST", URL, came.headers, body, AT, "amazon_ses") for body in bodies]
    first, second = (amazon_ses.normalize(request).events[0] for request in requests)
    assert first.source_event_id == second.source_event_id


def test_the_signature_is_that_of_awss_own_example() -> None:
    """ListUsers of 30 August 2015, the example that the AWS General Reference works through for Signature Version 4."""
    credentials = sigv4.Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "us-east-1", "iam")
    made = sigv4.signed(
        "GET",
        "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08",
        {"content-type": "application/x-www-form-urlencoded; charset=utf-8"},
        b"",
        credentials,
        datetime(2015, 8, 30, 12, 36, tzinfo=UTC),
    )
    assert made["authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request,"
        " SignedHeaders=content-type;host;x-amz-date,"
        " Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
    )


def test_requests_to_s3_are_signed_as_awss_own_examples() -> None:
    """GET Object with a range, and GET Bucket with a query, of
    https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html"""
    credentials = sigv4.Credentials(
        "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1", "s3"
    )
    empty = {"x-amz-content-sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}
    url, at = "https://examplebucket.s3.amazonaws.com", datetime(2013, 5, 24, tzinfo=UTC)
    ranged = sigv4.signed("GET", f"{url}/test.txt", empty | {"range": "bytes=0-9"}, b"", credentials, at)
    assert ranged["authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
        " SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
        " Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    )
    listed = sigv4.signed("GET", f"{url}/?max-keys=2&prefix=J", empty, b"", credentials, at)
    assert listed["authorization"].endswith("34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")


def test_a_template_of_temporary_credentials_in_china_is_sent() -> None:
    """The token is a signed header; an id that no tag can hold is left out."""
    message = Message(
        "m-1",
        "email",
        Handle("email", "ana@example.com"),
        template=Template("order", None, {"n": "1"}),
        reference="a b",
    )
    values = VALUES | {"region": ("cn-north-1",), "session_token": ("token",), "reply_to": ("help@example.com",)}
    call = build_request(message, values, AT)
    body = orjson.loads(call.body)
    assert call.url == "https://email.cn-north-1.amazonaws.com.cn/v2/email/outbound-emails"
    assert call.headers["x-amz-security-token"] == "token" and "x-amz-security-token" in call.headers["authorization"]
    assert body["Content"]["Template"] == {"TemplateName": "order", "TemplateData": '{"n":"1"}'}
    assert body["EmailTags"] == [{"Name": "threadline_message_id", "Value": "tl_cebadbb4_m-1"}]
    assert (body["ReplyToAddresses"], body["ConfigurationSetName"]) == (["help@example.com"], "events")


@pytest.mark.parametrize("more", [{}, {"text": "x"}, {"text": "x", "media": (Media("https://example.com/a.png"),)}])
def test_what_it_cannot_send_is_refused_with_a_reason(more: dict[str, Any]) -> None:
    """Nothing to say, no subject, or a file by its address."""
    with pytest.raises(Unsendable):
        build_request(Message("m-1", "email", Handle("email", "ana@example.com"), **more), VALUES, AT)


@pytest.mark.parametrize(
    ("status", "name", "words", "state", "reason"),
    [
        (400, "ThrottlingException", "Rate exceeded", "retryable", "rate"),
        (400, "MessageRejected", "Email address is not verified.", "sender", "account"),
        (400, "MessageRejected", "Bad content", "rejected", "content"),
        (400, "BadRequestException", "Illegal address", "rejected", "invalid_address"),
        (400, "SendingPausedException", "paused", "account", "account"),
        (403, "ExpiredTokenException", "expired", "account", "account"),
    ],
)
def test_its_errors_are_read(status: int, name: str, words: str, state: str, reason: str) -> None:
    """…/APIReference-V2/API_SendEmail.html#API_SendEmail_Errors; the name may have an address after it."""
    headers = {"x-amzn-errortype": f"{name}:http://internal.amazon.com/coral/"}
    outcome = read_response(Response(status, headers, orjson.dumps({"message": words})))
    assert outcome.error is not None
    assert (outcome.state, outcome.error.reason, outcome.error.code) == (state, reason, name)
