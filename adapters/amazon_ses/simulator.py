"""Simulates Amazon SES: its API v2, and events of an SNS topic, signed with a certificate that `keys` makes.

https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-examples.html,
…/receiving-email-notifications-examples.html,
https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html, …/ses/latest/APIReference-V2/API_SendEmail.html.
"""

import base64
import hashlib
import hmac
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from adapters.simulating import (
    Api,
    Call,
    Incoming,
    Post,
    Refusal,
    Refused,
    Reply,
    Sent,
    Settings,
    Simulator,
    Statuses,
    Webhooks,
)

_EVENTS = {
    "UserMessageSent": "Send",
    "MessageDelayed": "DeliveryDelay",
    "MessageDelivered": "Delivery",
    "MessageOpened": "Open",
    "MessageClicked": "Click",
    "MessageBounced": "Bounce",
    "MessageComplained": "Complaint",
    "MessageRejected": "Reject",
}
TOPIC = "arn:aws:sns:us-east-1:123456789012:threadline"
_REFUSALS: dict[Refusal, tuple[int, str, str]] = {
    "rate": (429, "TooManyRequestsException", "Maximum sending rate exceeded."),
    "invalid": (400, "BadRequestException", "Missing final '@domain'"),
    "unauthorized": (403, "UnrecognizedClientException", "The security token included in the request is invalid."),
    "unavailable": (503, "ServiceUnavailable", "Service is unavailable"),
}
_KEYS = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
_SIGNATURE = re.compile(rb'("Signature"\s*:\s*")[^"]*"')


def status(sent: Sent, state: str, at: datetime, url: str) -> Post:
    """Make an SNS notification with a record of event publishing."""
    word, when = _EVENTS[state], _iso(at)
    part: dict[str, Any] = {"timestamp": when}
    if word == "Delivery":
        part |= {"recipients": [sent.to], "smtpResponse": "250 2.0.0 OK"}
    elif word == "DeliveryDelay":
        part |= {"delayType": "MailboxFull", "delayedRecipients": [{"emailAddress": sent.to, "status": "4.2.2"}]}
    elif word == "Bounce":
        part |= {"bounceType": "Permanent", "bounceSubType": "General", "feedbackId": f"{sent.id}-bounce"}
        part["bouncedRecipients"] = [{"emailAddress": sent.to, "status": "5.1.1", "diagnosticCode": "smtp; 550 5.1.1"}]
    elif word == "Complaint":
        part |= {"complainedRecipients": [{"emailAddress": sent.to}], "feedbackId": f"{sent.id}-complaint"}
    elif word == "Reject":
        part = {"reason": "Bad content"}
    elif word in ("Open", "Click"):
        part |= {"ipAddress": "198.51.100.7", "userAgent": "Mozilla/5.0"}
        part |= {"link": "https://example.com/orders/1"} if word == "Click" else {}
    name = "deliveryDelay" if word == "DeliveryDelay" else word.lower()
    tags = {"reference": [sent.reference]} if sent.reference else {}
    mail = {"timestamp": when, "messageId": sent.id, "source": sent.sender, "destination": [sent.to], "tags": tags}
    return _notification({"eventType": word, "mail": mail, name: part}, at, url)


def inbound(incoming: Incoming, at: datetime, url: str) -> Post:
    """Make the notification of an inbound mail, as a receipt rule's SNS action sends it."""
    head = f"From: Ana <{incoming.sender}>\r\nTo: {incoming.to}\r\nSubject: A question\r\nMIME-Version: 1.0\r\n"
    kind = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    common = {"from": [f"Ana <{incoming.sender}>"], "to": [incoming.to], "subject": "A question"}
    mail = {"timestamp": _iso(at), "messageId": incoming.id, "source": incoming.sender, "destination": [incoming.to]}
    record = {
        "notificationType": "Received",
        "mail": mail | {"commonHeaders": common},
        "receipt": {"timestamp": _iso(at), "recipients": [incoming.to], "action": {"type": "SNS", "encoding": "UTF8"}},
        "content": head + kind + incoming.text + "\r\n",
    }
    return _notification(record, at, url)


def keys() -> dict[str, str]:
    """Make a key and a self-signed certificate for it, like those of SNS."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sns.amazonaws.com")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number())
    made = made.not_valid_before(datetime(2025, 1, 1, tzinfo=UTC)).not_valid_after(datetime(2045, 1, 1, tzinfo=UTC))
    return {
        "private_key": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        "certificate": made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode(),
        "topic_arn": TOPIC,
    }


def sign(post: Post, settings: Settings, at: datetime) -> Post:
    """Sign the message's signed names and values with RSA, by the signature version that it names."""
    key = load_pem_private_key(settings["private_key"].encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    body = post.body.replace(TOPIC.encode(), settings["topic_arn"].encode())
    message = orjson.loads(body)
    names = _KEYS.get(message.get("Type"), _KEYS["SubscriptionConfirmation"])
    text = "".join(f"{name}\n{message[name]}\n" for name in names if message.get(name) is not None)
    hashed = hashes.SHA1() if message.get("SignatureVersion") == "1" else hashes.SHA256()  # noqa: S303 (a topic's default)
    made = base64.b64encode(key.sign(text.encode(), padding.PKCS1v15(), hashed))
    return replace(post, body=_SIGNATURE.sub(lambda found: found[1] + made + b'"', body, count=1))


def accept(call: Call, settings: Settings, id: str) -> list[Sent]:
    """Accept POST /v2/email/outbound-emails with a valid Signature Version 4. Raises Refused."""
    _check(call, settings["secret_access_key"])
    request = orjson.loads(call.body)
    to = request.get("Destination", {}).get("ToAddresses", [])
    if (
        call.path != "/v2/email/outbound-emails"
        or len(to) != 1
        or "@" not in to[0]
        or "FromEmailAddress" not in request
    ):
        raise Refused("invalid", "Missing final '@domain'")
    simple = request.get("Content", {}).get("Simple", {})
    if "Template" not in request.get("Content", {}) and not (simple.get("Subject") and simple.get("Body")):
        raise Refused("invalid", "no content")
    tags = {tag["Name"]: tag["Value"] for tag in request.get("EmailTags", [])}
    words = simple.get("Body", {}).get("Text", {}).get("Data")
    return [Sent(f"0100{id}-000000", "email", to[0], request["FromEmailAddress"], words, tags.get("reference"))]


def reply(sent: list[Sent]) -> Reply:
    """Return 200 with the message's id."""
    return Reply(200, orjson.dumps({"MessageId": sent[0].id}))


def refuse(why: Refusal) -> Reply:
    """Return an error, its name in a header."""
    code, name, words = _REFUSALS[why]
    headers = {"content-type": "application/json", "x-amzn-errortype": f"{name}:"}
    return Reply(code, orjson.dumps({"message": words}), headers)


def _notification(record: dict[str, Any], at: datetime, url: str) -> Post:
    data = orjson.dumps(record)
    number = hashlib.sha256(data).hexdigest()
    message = {
        "Type": "Notification",
        "MessageId": f"{number[:8]}-{number[8:12]}-{number[12:16]}-{number[16:20]}-{number[20:32]}",
        "TopicArn": TOPIC,
        "Message": data.decode(),
        "Timestamp": _iso(at),
        "SignatureVersion": "2",
        "Signature": "",
        "SigningCertURL": "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem",
    }
    headers = {
        "content-type": "text/plain; charset=UTF-8",
        "user-agent": "Amazon Simple Notification Service Agent",
        "x-amz-sns-message-type": "Notification",
        "x-amz-sns-message-id": message["MessageId"],
        "x-amz-sns-topic-arn": TOPIC,
    }
    return Post(url, orjson.dumps(message), headers)


def _check(call: Call, secret: str) -> None:
    """Check the signature by computing it. Raises Refused.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
    """
    match = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=[^/]+/(\d{8})/([a-z0-9-]+)/ses/aws4_request, SignedHeaders=([a-z0-9;-]+),"
        r" Signature=([0-9a-f]{64})",
        call.headers.get("authorization", ""),
    )
    if match is None:
        raise Refused("unauthorized")
    day, region, names, given = match.groups()
    lines = [call.method, call.path.partition("?")[0], call.path.partition("?")[2]]
    lines += [f"{name}:{call.headers.get(name, '').strip()}" for name in names.split(";")]
    canonical = "\n".join([*lines, "", names, hashlib.sha256(call.body).hexdigest()])
    key = b"AWS4" + secret.encode()
    for part in (day, region, "ses", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    scope = f"{day}/{region}/ses/aws4_request"
    text = (
        f"AWS4-HMAC-SHA256\n{call.headers.get('x-amz-date')}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    )
    if hmac.new(key, text.encode(), hashlib.sha256).hexdigest() != given:
        raise Refused("unauthorized")


def _iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


SIMULATOR = Simulator(
    webhooks=Webhooks(
        channels=("email",),
        statuses=Statuses(states=tuple(_EVENTS), build=status),
        inbound=inbound,
        sign=sign,
        keys=keys,
    ),
    api=Api(accept=accept, reply=reply, refuse=refuse),
)
