"""Reads the mail that a Mailgun route posts by forward() or store(): parsed into fields, or raw (`body-mime`).

…/user-manual/receive-forward-store/receive-http and …/store-retreive. Mailgun gives a mail no id; its Message-ID and
its recipient identify it.
"""

from typing import Any

from adapters.contract import Request, Unprocessable
from adapters.reading.addresses import handle
from adapters.reading.bodies import parse_json
from adapters.reading.facts import fact_id
from adapters.reading.mime import MOST_MEDIA, bare_id, content_of, mail_of, mailbox_of, media_of, word
from adapters.reading.multipart import parts_of
from adapters.reading.times import from_text
from schemas.events import Event

_TEXTS = (("text", "body-plain"), ("html", "body-html"), ("strippedText", "stripped-text"), ("subject", "subject"))


def event(fields: dict[str, str], request: Request) -> Event:
    """Return the event of the mail. Raises Unprocessable if the form has none."""
    get = fields.get
    if "recipient" not in fields or not ("sender" in fields or "from" in fields):
        raise Unprocessable("a form that is neither an event nor a mail")
    content: dict[str, Any] = {key: fields[name] for key, name in _TEXTS if get(name)}
    message_id, replied_to = bare_id(get("Message-Id") or get("Message-ID")), bare_id(get("In-Reply-To"))
    # `timestamp` belongs to the signature and differs in a retry; the mail's Date is the sender's.
    date = get("Date")
    if whole := get("body-mime"):
        mail = mail_of(whole, request)
        date = date or word(mail, "Date")
        content |= content_of(mail)
        message_id = message_id or bare_id(word(mail, "Message-ID"))
        replied_to = replied_to or bare_id(word(mail, "In-Reply-To"))
    elif media := _media(fields, request):
        content["media"] = media
    name, address = mailbox_of(get("from", ""))
    sender = handle(address, "email") or handle(get("sender"), "email")
    payload: dict[str, Any] = {"content": content} if content else {}
    payload["to"] = fields["recipient"]
    for key, value in (("from", sender.value if sender else None), ("displayName", name[:1024])):
        if value:
            payload[key] = value
    if replied_to:
        payload["inReplyTo"] = replied_to
    known_by = message_id or fact_id(get("from"), date, get("subject"), get("body-plain"), whole)
    return Event(
        "MessageReceived",
        request.source,
        fact_id("mail", known_by, fields["recipient"]),
        channel="email",
        direction="inbound",
        provider_message_id=message_id,
        handle=sender,
        occurred_at=from_text(date),
        payload=payload,
    )


def _media(fields: dict[str, str], request: Request) -> list[dict[str, str]]:
    """Return the files of a multipart form, or those that store() keeps, which are fetched with the API key."""
    if "parts" in request.parsed:
        ids = {place: content_id for content_id, place in _json(fields.get("content-id-map"), dict).items()}
        files = [part for part in parts_of(request) if part.filename is not None]
        return [media_of(part.filename, part.content_type, ids.get(part.name)) for part in files[:MOST_MEDIA]]
    kept = []
    for file in _json(fields.get("attachments"), list)[:MOST_MEDIA]:
        if isinstance(file, dict):
            url = file.get("url")
            address = {"url": url} if isinstance(url, str) and len(url) <= 8192 else {}
            kept.append(media_of(file.get("name"), file.get("content-type"), None) | address)
    return kept


def _json(written: str | None, kind: type) -> Any:
    """Return the JSON value of a field if it is of this type, else an empty value of the type."""
    try:
        found = parse_json(written.encode("utf-8", "replace")) if written else None
    except Unprocessable:
        found = None
    return found if isinstance(found, kind) else kind()
