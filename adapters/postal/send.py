"""Sends e-mail by Postal: https://docs.postalserver.io/developer/api.

Parameters and errors as in its source
(https://github.com/postalserver/postal/blob/main/app/controllers/legacy_api/send_controller.rb). The result is in
`status` of the response; the HTTP status is 200 for errors too. There is no idempotency key.
"""

from datetime import datetime
from typing import Any

import orjson

from adapters.contract import HttpCall, Message, Outcome, Response, Unsendable, Values, accepted, refused, required
from adapters.reading.facts import text
from adapters.reading.shapes import answer_of
from schemas.events import Error

#: Our reasons, by `data.code`.
_REASONS: dict[str, str] = {
    "NoRecipients": "invalid_address",
    "NoContent": "content",
    "AttachmentMissingName": "content",
    "AttachmentMissingData": "content",
}
_ACCOUNT = frozenset({"AccessDenied", "InvalidServerAPIKey", "ServerSuspended"})


def build_request(message: Message, values: Values, now: datetime) -> HttpCall:
    """Build one e-mail, as JSON. `data.listUnsubscribe` (a URL) becomes List-Unsubscribe, `data.replyTo` Reply-To.

    Raises Unsendable.
    """
    if message.template is not None:
        raise Unsendable("Postal has no templates: give text or HTML")
    if message.media:
        raise Unsendable("Postal takes the bytes of attachments, not their URLs: link to them in the text")
    if not message.text and not message.html:
        raise Unsendable("an e-mail by Postal needs text or HTML")
    mail: dict[str, Any] = {
        "to": [message.to.value],
        "from": message.sender or required(values, "sender"),
        "tag": message.echo,
    }
    fields = (
        ("subject", message.subject),
        ("plain_body", message.text),
        ("html_body", message.html),
        ("reply_to", text(message.data.get("replyTo"))),
    )
    mail |= {key: value for key, value in fields if value}
    if unsubscribe := text(message.data.get("listUnsubscribe")):
        mail["headers"] = {"List-Unsubscribe": f"<{unsubscribe}>"}
        if unsubscribe.startswith("https://"):
            mail["headers"]["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    return HttpCall(
        "POST",
        f"{required(values, 'api_url').rstrip('/')}/api/v1/send/message",
        {"x-server-api-key": required(values, "api_key"), "content-type": "application/json"},
        orjson.dumps(mail),
    )


def read_response(response: Response) -> Outcome:
    """Read `success` with an id per recipient; `error` or `parameter-error` have `code` and `message`."""
    body = answer_of(response)
    found = body.get("data")
    data: dict[str, Any] = found if isinstance(found, dict) else {}
    status = text(body.get("status"))
    if 200 <= response.status < 300 and status not in ("error", "parameter-error"):
        messages = data.get("messages")
        first = next(iter(messages.values()), None) if isinstance(messages, dict) else None
        return accepted(text(first.get("id")) if isinstance(first, dict) else None)
    code = text(data.get("code")) or (status if status in ("error", "parameter-error") else None)
    reason = "rate" if response.status == 429 else _REASONS.get(code or "", "unknown")
    error = Error(code or str(response.status), text(data.get("message")), reason)
    sender = code == "UnauthenticatedFromAddress"
    return refused(response, error, account=code in _ACCOUNT or None, sender=sender)
