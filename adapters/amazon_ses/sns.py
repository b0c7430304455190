"""Reads and verifies the messages that Amazon SNS sends over HTTP, and restricts the URLs that they may name.

https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html and …/sns-message-and-json-formats.html.
The same certificates sign every AWS customer's topics, so the message's topic must be a configured one.
"""

import re
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.x509 import Certificate

from adapters.contract import (
    InvalidSignature,
    Needed,
    Request,
    Setting,
    Unconfigured,
    Unprocessable,
    Values,
    secrets_of,
)
from adapters.reading.bodies import json_of, query_of
from adapters.reading.times import from_text
from adapters.signing.keys import certificate_of, signs_rsa
from adapters.signing.signatures import check_seconds, from_base64, max_age, same, seconds

#: The default for a message's maximum age, in seconds; SNS retries an HTTP endpoint for an hour at most.
MAX_AGE = 2 * 3600
SETTINGS = (
    Setting(
        "topic_arn", "The topic, e.g. arn:aws:sns:us-east-1:123456789012:mail; several, one per line.", secret=False
    ),
    Setting(
        "url_secret",
        "A secret in the query of the subscription's URL, e.g. ?key=…; in addition to topic_arn or instead.",
    ),
    Setting(
        "certificate",
        "SNS's certificate (PEM), to be used instead of fetching the one that a message names.",
        False,
        reads=certificate_of,
    ),
    Setting("max_age", f"A message's maximum age in seconds; {MAX_AGE} if not set.", secret=False, reads=seconds),
)
CONFIRMATION = "SubscriptionConfirmation"
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    CONFIRMATION: ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    "UnsubscribeConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
_HASHES: dict[str, SHA1 | SHA256] = {"1": SHA1(), "2": SHA256()}  # noqa: S303 (version 1 is a topic's default)
#: SNS's host in a region (us-gov-west-1 is the longest form). A bucket's host (sns.s3.amazonaws.com) must not match.
_HOST = r"https://sns\.[a-z]{2,3}(?:-[a-z]{2,12}){1,3}-[0-9]{1,2}\.amazonaws\.com(?:\.cn)?"
#: URLs of SNS's certificates and of its confirmations: the only ones that are fetched.
CERTIFICATE_URL = re.compile(_HOST + r"/SimpleNotificationService-[0-9a-zA-Z]{8,64}\.pem")
CONFIRM_URL = re.compile(_HOST + r"/\?Action=ConfirmSubscription&[A-Za-z0-9&=%:._~+-]{1,4000}")


def message_of(request: Request) -> dict[str, Any] | None:
    """Return the message, or None if the body is not one of SNS. Raises Unprocessable if the body is not JSON."""
    body = json_of(request)
    return body if isinstance(body, dict) and isinstance(body.get("Type"), str) else None


def signed_of(message: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a message that the signature covers, as anyone may have added the rest."""
    return {name: message[name] for name in _SIGNED.get(message["Type"], ()) if name in message}


def verify(request: Request, values: Values, *, fresh: bool = True) -> dict[str, Any]:
    """Return the message if SNS signed it for a configured topic. Raises InvalidSignature, Unconfigured, Needed."""
    if not secrets_of(values, "topic_arn", "url_secret"):
        raise Unconfigured(
            "neither a topic_arn nor a url_secret is configured, and SNS signs every customer's topics alike"
        )
    try:
        message = message_of(request)
    except Unprocessable as error:
        raise InvalidSignature(str(error)) from error
    if message is None or message["Type"] not in _SIGNED:
        raise InvalidSignature("it is no message of Amazon SNS")
    _check_topic(message, request, values)
    if fresh:
        _check_age(message, request, values)
    hashed = _HASHES.get(str(message.get("SignatureVersion")))
    signature, url = message.get("Signature"), message.get("SigningCertURL")
    if hashed is None or not isinstance(signature, str):
        raise InvalidSignature("it has no signature of version 1 or 2")
    given, signed = from_base64(signature), _signed(message)
    if not any([signs_rsa(key, signed, given, hashed) for key in _keys(request, values, url)]):
        raise InvalidSignature("the certificate does not verify this signature")
    return message


def confirmation(request: Request, values: Values) -> str:
    """Return the URL that confirms a subscription to a configured topic. Raises as `verify` does."""
    url = verify(request, values).get("SubscribeURL")
    if not isinstance(url, str) or not CONFIRM_URL.fullmatch(url):
        raise InvalidSignature("its SubscribeURL is not one of Amazon SNS")
    return url


def _check_topic(message: dict[str, Any], request: Request, values: Values) -> None:
    topics = [topic for lines in secrets_of(values, "topic_arn") for topic in lines.split()]
    secrets = secrets_of(values, "url_secret")
    if topics and message.get("TopicArn") not in topics:
        raise InvalidSignature("it is of another topic than the configured topic_arn")
    if secrets:
        try:
            parameters = [value.encode("utf-8", "replace") for _, value in query_of(request)]
        except Unprocessable as error:
            raise InvalidSignature(str(error)) from error
        if not any([same(secret.encode(), value) for secret in secrets for value in parameters]):
            raise InvalidSignature("its URL has not the configured url_secret")


def _check_age(message: dict[str, Any], request: Request, values: Values) -> None:
    window, sent = max_age(values, MAX_AGE), from_text(message.get("Timestamp"))
    if sent is None:
        raise InvalidSignature("its Timestamp is no time")
    check_seconds((request.received_at - sent).total_seconds(), window)


def _signed(message: dict[str, Any]) -> bytes:
    """Return the signed text: each name and value on a line of its own. Raises InvalidSignature for a missing one."""
    lines = []
    for name in _SIGNED[message["Type"]]:
        value = message.get(name)
        if isinstance(value, str):
            lines.append(f"{name}\n{value}\n")
        elif name != "Subject" or value is not None:
            raise InvalidSignature(f"it has no {name}")
    return "".join(lines).encode("utf-8", "replace")


def _keys(request: Request, values: Values, url: Any) -> list[RSAPublicKey]:
    """Return the keys of the pinned certificates, or of the fetched one. Raises Needed, InvalidSignature."""
    if pinned := secrets_of(values, "certificate"):
        return [_key(certificate_of(pem)) for pem in pinned]
    if not isinstance(url, str) or not CERTIFICATE_URL.fullmatch(url):
        raise InvalidSignature("its SigningCertURL is not one of Amazon SNS")
    fetched = request.parsed.get("fetched") or {}
    if url not in fetched:
        raise Needed(url)
    if fetched[url] is None:
        raise InvalidSignature("there is no certificate at its SigningCertURL")
    certificate = certificate_of(fetched[url].decode("utf-8", "replace"))
    if not certificate.not_valid_before_utc <= request.received_at <= certificate.not_valid_after_utc:
        raise InvalidSignature("the certificate at its SigningCertURL is not valid now")
    return [_key(certificate)]


def _key(certificate: Certificate) -> RSAPublicKey:
    key = certificate.public_key()
    assert isinstance(key, RSAPublicKey)  # `certificate_of` accepts RSA only
    return key
