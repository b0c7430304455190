"""Makes signed provider requests for measuring and for fault runs: the same seed, the same bytes.

Messages of `customers` people by Twilio SMS, WhatsApp Cloud and, where asked for, SendGrid: each outbound message has
its `sent` and `delivered` (some `read` or `failed`), and some people answer. Shapes follow the providers' pages named
in `adapters/`; numbers are from the fictional range +1 555, addresses at example.com.
"""

import base64
import hashlib
import hmac
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

import orjson
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

URL = "http://127.0.0.1:8080/webhooks/aggregate"
TWILIO_TOKEN = "test-auth-token"
WHATSAPP_SECRET = "test-app-secret"
#: P-256, made for these runs only.
SENDGRID_KEY = ec.derive_private_key(0x7E57, ec.SECP256R1())
SENDGRID_PUBLIC = base64.b64encode(
    SENDGRID_KEY.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
).decode()

#: Configuration of the three sources, as settings take it.
SOURCES = {
    "twilio": {"auth_token": TWILIO_TOKEN, "url": URL},
    "whatsapp_cloud": {"app_secret": WHATSAPP_SECRET, "verify_token": "test-verify-token", "url": URL},
    "sendgrid": {"public_key": SENDGRID_PUBLIC, "url": URL},
}


@dataclass(slots=True)
class Post:
    """One signed request: its headers (lower case) and body. `facts` is how many events it must become."""

    source: str
    headers: dict[str, str]
    body: bytes
    facts: int = 1

    def raw(self, host: str, path: str = "/webhooks/aggregate") -> bytes:
        """Return the bytes on the wire: HTTP/1.1, keep-alive."""
        lines = [f"POST {path} HTTP/1.1", f"host: {host}", f"content-length: {len(self.body)}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + self.body


def twilio(form: dict[str, str], url: str = URL) -> Post:
    """Signed with X-Twilio-Signature: https://www.twilio.com/docs/usage/security#validating-requests"""
    text = url + "".join(key + form[key] for key in sorted(form))
    signature = base64.b64encode(hmac.digest(TWILIO_TOKEN.encode(), text.encode(), hashlib.sha1)).decode()
    headers = {"content-type": "application/x-www-form-urlencoded; charset=utf-8", "x-twilio-signature": signature}
    return Post("twilio", headers, urlencode(form).encode())


def callbacks(count: int, host: str) -> list[bytes]:
    """Return status callbacks of Twilio as bytes of HTTP/1.1, with the headers that Twilio sends."""
    made = []
    for number in range(count):
        sid = f"SM{number:032x}"
        form = {
            "MessageSid": sid, "SmsSid": sid, "MessageStatus": "delivered", "SmsStatus": "delivered",
            "AccountSid": "AC" + "0" * 32, "From": "+15550009999", "To": f"+1555{number % 10**7:07d}",
            "ApiVersion": "2010-04-01",
        }  # fmt: skip
        post = twilio(form)
        post.headers |= {
            "user-agent": "TwilioProxy/1.1",
            "accept": "*/*",
            "i-twilio-idempotency-token": f"{number:032x}",
        }
        made.append(post.raw(host))
    return made


def whatsapp(value: dict[str, object], facts: int = 1) -> Post:
    """Signed with X-Hub-Signature-256: https://developers.facebook.com/docs/graph-api/webhooks/getting-started"""
    change = {"field": "messages", "value": {"messaging_product": "whatsapp", **value}}
    body = orjson.dumps(
        {"object": "whatsapp_business_account", "entry": [{"id": "102290129340398", "changes": [change]}]}
    )
    signature = hmac.digest(WHATSAPP_SECRET.encode(), body, hashlib.sha256).hex()
    headers = {"content-type": "application/json", "x-hub-signature-256": f"sha256={signature}"}
    return Post("whatsapp_cloud", headers, body, facts)


def sendgrid(items: list[dict[str, object]], at: int | None = None) -> Post:
    """Signed event webhook:
    https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features"""
    body = orjson.dumps(items)
    stamp = str(at or int(time.time()))
    signature = SENDGRID_KEY.sign(stamp.encode() + body, ec.ECDSA(hashes.SHA256()))
    headers = {
        "content-type": "application/json",
        "x-twilio-email-event-webhook-timestamp": stamp,
        "x-twilio-email-event-webhook-signature": base64.b64encode(signature).decode(),
    }
    return Post("sendgrid", headers, body, len(items))


def posts(
    count: int, *, seed: int = 1, customers: int | None = None, email: bool = False, url: str = URL
) -> Iterator[Post]:
    """Yield `count` distinct requests, those about one message near each other, as providers send them."""
    rng = random.Random(seed)
    people = customers or max(1, count // 10)
    start = int(time.time()) - 3600
    made = 0
    while made < count:
        person, at = rng.randrange(people), start + made % 3000
        kinds = (_sms, _sms, _whatsapp, _answer) + ((_email,) if email else ())
        for post in rng.choice(kinds)(rng, person, at, url):
            if made < count:
                made += 1
                yield post


def _sms(rng: random.Random, person: int, at: int, url: str) -> Iterator[Post]:
    sid = f"SM{rng.getrandbits(128):032x}"
    form = {
        "AccountSid": "AC" + "0" * 32, "ApiVersion": "2010-04-01", "From": "+18005550199", "To": f"+1555{person:07d}",
        "MessageSid": sid, "SmsSid": sid,
    }  # fmt: skip
    last = rng.choice(("delivered", "delivered", "delivered", "undelivered"))
    yield twilio({**form, "MessageStatus": "sent", "SmsStatus": "sent"}, url)
    extra = {"ErrorCode": "30003"} if last == "undelivered" else {}
    yield twilio({**form, "MessageStatus": last, "SmsStatus": last, **extra}, url)


def _answer(rng: random.Random, person: int, at: int, url: str) -> Iterator[Post]:
    sid = f"SM{rng.getrandbits(128):032x}"
    form = {
        "AccountSid": "AC" + "0" * 32, "ApiVersion": "2010-04-01", "Body": f"Yes, {rng.getrandbits(40)} please",
        "From": f"+1555{person:07d}", "FromCity": "LISBON", "FromCountry": "US", "FromState": "", "FromZip": "",
        "MessageSid": sid, "SmsMessageSid": sid, "SmsSid": sid, "SmsStatus": "received", "NumMedia": "0",
        "NumSegments": "1", "To": "+18005550199", "ToCountry": "US",
    }  # fmt: skip
    yield twilio(form, url)


def _whatsapp(rng: random.Random, person: int, at: int, url: str) -> Iterator[Post]:
    wamid = f"wamid.{rng.getrandbits(160):040x}"
    meta = {"display_phone_number": "18005550199", "phone_number_id": "106540352242922"}
    for step, status in enumerate(("sent", "delivered", "read")):
        item = {"id": wamid, "status": status, "timestamp": str(at + step), "recipient_id": f"1555{person:07d}"}
        yield whatsapp({"metadata": meta, "statuses": [item]})


def _email(rng: random.Random, person: int, at: int, url: str) -> Iterator[Post]:
    message = f"{rng.getrandbits(80):020x}.filterdrecv-0"
    kinds = ("processed", "delivered", "open")
    yield sendgrid(
        [
            {
                "email": f"person{person}@example.com", "timestamp": at + step, "event": kind, "sg_message_id": message,
                "sg_event_id": base64.urlsafe_b64encode(rng.randbytes(16)).decode().rstrip("="),
                "smtp-id": f"<{message}@example.com>",
            }
            for step, kind in enumerate(kinds)
        ]
    )  # fmt: skip
