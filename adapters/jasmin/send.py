"""Sends SMS by Jasmin's HTTP API, which answers with a line of text.

https://docs.jasminsms.com/en/latest/apis/http/index.html#sending-sms-mt: parameters, errors. It has no idempotency key
and reports return no reference, so our message's id goes into the query of the URL for delivery reports.
"""

import re
from datetime import datetime
from math import ceil
from urllib.parse import urlencode

from adapters.contract import (
    HttpCall,
    Message,
    Outcome,
    Response,
    TooLate,
    Unsendable,
    Values,
    accepted,
    refused,
    required,
    sender_of,
)
from adapters.jasmin.alphabet import EXTENSION, GSM
from adapters.reading.facts import identifier
from adapters.reading.own_ids import callback_url
from schemas.events import Error

#: The characters of the default alphabet; a segment holds 160 of them.
_GSM = frozenset(GSM) - {"\x1b"} | frozenset(EXTENSION.values())
_ANSWER = re.compile(r'(Success|Error) "([^"]{0,512})')
#: Parts of an error's text, in lower case, with our reason and whether to retry; other errors concern configuration.
_REASONS = {
    "throughput": ("rate", True),
    "throttl": ("rate", True),
    "no route": ("unreachable", False),
    "[to]": ("invalid_address", False),
    "content": ("content", False),
}
#: Parts of the text of errors that concern our user.
_ACCOUNT = ("quota", "balance", "authentication")


def build_request(message: Message, values: Values, now: datetime) -> HttpCall:
    """Build a POST of a form to /send. Raises Unsendable."""
    if message.media or message.template:
        raise Unsendable("Jasmin sends text only: neither media nor templates")
    if not message.text:
        raise Unsendable("Jasmin needs text")
    fields = {
        "username": required(values, "username"),
        "password": required(values, "password"),
        "to": message.to.value,
        "from": sender_of(message, values),
    }
    if _GSM.issuperset(message.text):
        fields |= {"coding": "0", "content": message.text}
    else:
        fields |= {"coding": "8", "hex-content": message.text.encode("utf-16-be", "replace").hex()}
    if message.callback_url:
        report_url = callback_url(message.callback_url, message.message_id)
        fields |= {"dlr": "yes", "dlr-url": report_url, "dlr-level": "3", "dlr-method": "POST"}
    if message.expires_at is not None:
        minutes = ceil((message.expires_at - now).total_seconds() / 60)
        if minutes <= 0:
            raise TooLate("it has expired")
        fields["validity-period"] = str(minutes)
    url = f"{required(values, 'api_url').rstrip('/')}/send"
    return HttpCall("POST", url, {"content-type": "application/x-www-form-urlencoded"}, urlencode(fields).encode())


def read_response(response: Response) -> Outcome:
    """Read `Success "id"`, or `Error "text"`."""
    found = _ANSWER.match(response.body[:1024].decode("utf-8", "replace"))
    word, detail = found.groups() if found else (None, None)
    if 200 <= response.status < 300 and word != "Error":
        return accepted(identifier(detail) if word == "Success" else None)
    lowered = (detail or "").lower()
    known = next((known for mark, known in _REASONS.items() if mark in lowered), None)
    if known is None and response.status == 429:
        known = ("rate", True)
    reason, later = known or ("unknown", None)
    # The text matters more than status 403, with which Jasmin refuses for any reason.
    account = any(mark in lowered for mark in _ACCOUNT)
    return refused(
        response,
        Error(str(response.status), detail, reason),
        retryable=later if response.status < 500 else None,
        account=account or (None if response.status != 403 else False),
    )
