"""Reads the mail that a Mailgun route posts by forward() or store(): parsed into fields, or raw (`body-mime`).

…/user-manual/receive-forward-store/receive-http and …/store-retreive. Mailgun gives an id only to a mail that it stores;
any other mail is identified by its content.
"""

from typing import Any

from adapters.contract import Request, Unprocessable
from adapters.mailgun.events import kept_id
from adapters.reading.addresses import recipients as recipients_of
from adapters.reading.bodies import form_bytes, parse_json
from adapters.reading.inbound_mail import InboundMail, headers_of, received
from adapters.reading.mime import MOST_MEDIA, body_of, content_of, mail_of, media_of
from adapters.reading.multipart import parts_of
from adapters.reading.times import from_text
from schemas.events import Event

_TEXTS = (("text", "body-plain"), ("html", "body-html"), ("strippedText", "stripped-text"), ("subject", "subject"))

_READ = ("from", "subject", "message-id", "in-reply-to", "references", "date")


def event(fields: dict[str, str], request: Request) -> Event:
    """Return the event of the mail. Raises Unprocessable if the form has none."""
    get = fields.get
    if "recipient" not in fields or not ("sender" in fields or "from" in fields):
        raise Unprocessable("a form that is neither an event nor a mail")
    headers = _headers(fields.get("message-headers"))
    damaged: list[dict[str, Any]] = []
    if whole := _whole(fields, request):
        mail = mail_of(whole, request)
        headers |= headers_of(mail, _READ)
        content = content_of(mail, damaged)
    else:
        media = _media(fields, request)
        content = {"media": media} if media else {}
    content |= {key: fields[name] for key, name in _TEXTS if get(name)}
    if "subject" not in content and (subject := headers.get("subject")):
        content["subject"] = subject
    # `timestamp` belongs to the signature and differs in a retry; the mail's Date is the sender's.
    date = get("Date") or headers.get("date")
    one = InboundMail(
        sender=get("from") or headers.get("from"),
        envelope_sender=get("sender"),
        recipients=[to for _, to in recipients_of(fields["recipient"])],
        content=content,
        provider_id=kept_id((get("message-url") or "").partition("/messages/")[2], fields["recipient"]),
        message_id=get("Message-Id") or get("Message-ID") or headers.get("message-id"),
        in_reply_to=get("In-Reply-To") or headers.get("in-reply-to"),
        references=get("References") or headers.get("references"),
        date=date,
        files=[body_of(whole)] if whole else _files(fields, request),
        occurred_at=from_text(date),
        undecoded=damaged,
        headers=headers,
        found={key: get(key) for key in ("stripped-text", "stripped-signature")},
    )
    return received(one, request)


def _whole(fields: dict[str, str], request: Request) -> bytes:
    """Return the raw mail's bytes, which may be in another charset than the form's; empty without one."""
    if "body-mime" not in fields or "parts" not in request.parsed:
        return form_bytes(request, "body-mime")
    return next((part.data for part in parts_of(request) if part.name == "body-mime"), b"")


def _headers(written: str | None) -> dict[str, str]:
    """Return the mail's headers by their lower-case names, the first of each, from the form's JSON list of pairs."""
    found: dict[str, str] = {}
    for pair in _json(written, list)[:1000]:
        if isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str) and isinstance(pair[1], str):
            found.setdefault(pair[0].lower(), pair[1])
    return found


def _files(fields: dict[str, str], request: Request) -> list[str | bytes]:
    """Return the files' bytes, or of stored ones the names and sizes."""
    if "parts" in request.parsed:
        return [part.data for part in parts_of(request) if part.filename is not None]
    files = [file for file in _json(fields.get("attachments"), list)[:MOST_MEDIA] if isinstance(file, dict)]
    return [f"{file.get('name')} {file.get('size')}" for file in files]


def _media(fields: dict[str, str], request: Request) -> list[dict[str, Any]]:
    """Return the files of a multipart form, or those that store() keeps, which are fetched with the API key."""
    if "parts" in request.parsed:
        ids = {place: content_id for content_id, place in _json(fields.get("content-id-map"), dict).items()}
        files = [part for part in parts_of(request) if part.filename is not None]
        return [
            media_of(part.filename, part.content_type, ids.get(part.name), part.data) for part in files[:MOST_MEDIA]
        ]
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
