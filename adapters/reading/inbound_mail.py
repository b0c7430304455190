"""Makes the event of an inbound mail, and its identity where the provider gives none.

A Message-ID is chosen by the sender, and programs give one to every mail that they send (RFC 5322 section 3.6.4 asks for a
unique one, and nothing enforces it). It is kept to thread by, as are In-Reply-To and References, and identifies nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.message import Message
from typing import Any

from adapters.contract import Request
from adapters.reading.addresses import handle
from adapters.reading.facts import digest_of, fact_id
from adapters.reading.mailboxes import mailbox_of
from adapters.reading.mime import bare_id, bare_ids, decode_text, word
from schemas.events import Event

#: Headers that are kept as they are, since no field has them: further recipients, where an answer goes, whether a program
#: wrote the mail (RFC 3834), and what servers found about it (RFC 8601, RFC 7208).
KEPT = (
    *("cc", "reply-to", "auto-submitted", "precedence", "x-auto-response-suppress", "list-id"),
    *("authentication-results", "received-spf", "x-spam-status", "x-spam-score", "x-spam-flag"),
)

_MOST_ADDRESS, _MOST_TO, _MOST_NAME = 2048, 16384, 1024


@dataclass(slots=True, kw_only=True)
class InboundMail:
    """One inbound mail, as an adapter read it.

    `sender` is the From header, or the name and address of one; `envelope_sender` is what stands in for it. `recipients`
    are those that the mail came to, by its envelope if the provider has it. `message_id`, `in_reply_to`, `references` and
    `date` are the headers' values. `provider_id` is the provider's own id of the mail, unique for these recipients.
    `files` is what distinguishes the attachments: their bytes, or their names and sizes. `undecoded` has the texts with
    bytes that are invalid in their charset (`charsets.undecoded`). `headers` are the mail's, by their lower-case names,
    of which those of `KEPT` are kept; `found` is what else the provider says of it, such as its verdicts about spam.
    """

    sender: str | None
    recipients: Sequence[str]
    content: dict[str, Any]
    envelope_sender: Any = None
    provider_id: str | None = None
    message_id: Any = None
    in_reply_to: Any = None
    references: Any = None
    date: str | None = None
    files: Sequence[str | bytes] = ()
    status: str | None = None
    occurred_at: datetime | None = None
    undecoded: list[dict[str, Any]] = field(default_factory=list)
    headers: Mapping[str, Any] = field(default_factory=dict)
    found: Mapping[str, Any] = field(default_factory=dict)


def received(mail: InboundMail, request: Request, event_id: str | None = None) -> Event:
    """Return the event of the mail, under the id that the provider gives the event, if any."""
    # Read first and decoded then (RFC 2047 section 6.2): an encoded name can hold another person's address.
    name, address = mailbox_of(mail.sender or "")
    if not address and not mail.envelope_sender:
        name, address = mailbox_of(decode_text(mail.sender or ""))
    customer = handle(address, "email") or handle(mail.envelope_sender, "email")
    identity = mail.provider_id or _identity(mail)
    written = customer.value if customer else mail.sender or ""
    fields = (
        ("providerStatus", mail.status),
        ("from", written[:_MOST_ADDRESS]),
        ("to", ", ".join(mail.recipients)[:_MOST_TO]),
        ("displayName", name[:_MOST_NAME]),
        ("inReplyTo", bare_id(mail.in_reply_to)),
        ("internetMessageId", bare_id(mail.message_id)),
        ("references", bare_ids(mail.references)),
        ("content", mail.content),
        ("native", _native(mail)),
    )
    return Event(
        "MessageReceived",
        request.source,
        event_id or fact_id("mail", identity),
        channel="email",
        direction="inbound",
        provider_message_id=identity,
        handle=customer,
        occurred_at=mail.occurred_at,
        payload={key: value for key, value in fields if value},
    )


def headers_of(mail: Message, more: Sequence[str] = ()) -> dict[str, str]:
    """Return the headers of a parsed mail that are kept, and `more`, by their lower-case names."""
    return {name: found for name in (*more, *KEPT) if (found := word(mail, name))}


def _native(mail: InboundMail) -> dict[str, Any]:
    """Return what no field holds."""
    headers = {name: value for name in KEPT if (value := mail.headers.get(name))}
    parts = {"undecoded": mail.undecoded, "headers": headers, **mail.found}
    return {key: value for key, value in parts.items() if value}


def _identity(mail: InboundMail) -> str:
    """Return a digest that identifies the mail: the same in a redelivery of the webhook and when the mail's server
    sends it again, and different for any other mail, whatever Message-ID its sender chose."""
    content = mail.content
    media = [part for item in content.get("media", ()) for part in (item.get("name", ""), item.get("type", ""))]
    texts = [content.get(key, "") for key in ("subject", "text", "html")]
    sender = decode_text(mail.sender or "")
    one = (sender, str(mail.envelope_sender or ""), mail.date or "", bare_id(mail.message_id) or "")
    parts: list[str | bytes] = [*one, *texts]
    for several in (mail.recipients, media, mail.files):
        parts += [str(len(several)), *several]
    return digest_of(*parts).hex()
