"""Sends mail by Amazon SES: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html, signed by `sigv4`.

SES takes no idempotency key, so a repeated request sends the mail twice.
"""

import re
from datetime import datetime
from typing import Any

import orjson

from adapters.contract import (
    HttpCall,
    Message,
    Outcome,
    Response,
    Setting,
    Unsendable,
    Values,
    accepted,
    optional,
    refused,
    required,
    sender_of,
)
from adapters.reading.facts import text
from adapters.reading.mime import bare_id
from adapters.reading.own_ids import NAME, marked
from adapters.reading.shapes import answer_of
from adapters.signing.sigv4 import Credentials, signed
from schemas.events import Error

SETTINGS = (
    Setting("region", "The AWS region to send from, e.g. eu-west-1.", secret=False),
    Setting("access_key_id", "The access key id of a user with the permission ses:SendEmail.", secret=False),
    Setting("secret_access_key", "The secret access key."),
    Setting("session_token", "The session token, for temporary credentials."),
    Setting("sender", "The sender if a message names none: shop@example.com, or Shop <shop@…>.", secret=False),
    Setting("reply_to", "Where replies go, if not to the sender.", secret=False),
    Setting("configuration_set", "The configuration set that publishes events to the topic.", secret=False),
    Setting("api_url", "URL of the API; https://email.<region>.amazonaws.com if not set.", secret=False),
)
#: A valid tag, …/APIReference-V2/API_MessageTag.html; SES refuses a mail whose tags have other characters.
_TAG = re.compile("[A-Za-z0-9_-]{1,256}")
_ERROR = re.compile("[A-Za-z]{1,100}")
#: …/API_SendEmail.html#API_SendEmail_Errors and …/CommonErrors.html.
_REASONS = {
    "LimitExceededException": "rate",
    "MessageRejected": "content",
    "Throttling": "rate",
    "ThrottlingException": "rate",
    "TooManyRequestsException": "rate",
}
#: Errors of the account, and of the signature of its requests.
_ACCOUNT = frozenset(
    "AccountSuspendedException SendingPausedException AccessDeniedException AccessDenied NotAuthorized OptInRequired"
    " UnrecognizedClientException InvalidClientTokenId InvalidSignatureException SignatureDoesNotMatch"
    " IncompleteSignature IncompleteSignatureException MissingAuthenticationToken MissingAuthenticationTokenException"
    " ExpiredToken ExpiredTokenException".split()
)
_RETRYABLE = frozenset({"Throttling", "ThrottlingException", "TooManyRequestsException"})
_ADDRESS = ("Illegal address", "Missing final", "Local address contains", "Domain contains", "Invalid email address")


def build_request(message: Message, values: Values, now: datetime) -> HttpCall:
    """Build a signed POST. The tags for our id and `reference` return in a configuration set's events. Raises
    Unsendable."""
    region = required(values, "region")
    credentials = Credentials(
        required(values, "access_key_id"),
        required(values, "secret_access_key"),
        region,
        "ses",
        optional(values, "session_token", ""),
    )
    echoed = {NAME: marked(message.message_id), "reference": message.echo}
    body: dict[str, Any] = {
        "FromEmailAddress": sender_of(message, values),
        "Destination": {"ToAddresses": [message.to.value]},
        "Content": _content(message),
        "EmailTags": [{"Name": name, "Value": value} for name, value in echoed.items() if _TAG.fullmatch(value)],
    }
    if answers := optional(values, "reply_to", ""):
        body["ReplyToAddresses"] = [answers]
    if name := optional(values, "configuration_set", ""):
        body["ConfigurationSetName"] = name
    china = ".cn" if region.startswith("cn-") else ""
    url = f"{optional(values, 'api_url', f'https://email.{region}.amazonaws.com{china}')}/v2/email/outbound-emails"
    data = orjson.dumps(body)
    headers = signed("POST", url, {"content-type": "application/json"}, data, credentials, now)
    return HttpCall("POST", url, headers, data)


def read_response(response: Response) -> Outcome:
    """Read 200 with `MessageId`, or an error from the header `x-amzn-errortype` and `message`."""
    answer = answer_of(response)
    if 200 <= response.status < 300:
        return accepted(bare_id(answer.get("MessageId")))
    found = _ERROR.match(response.headers.get("x-amzn-errortype", "") or text(answer.get("__type")) or "")
    code, words = found[0] if found else None, text(answer.get("message")) or text(answer.get("Message"))
    reason = "rate" if response.status == 429 else _REASONS.get(code or "", "unknown")
    if code == "BadRequestException" and words and any(mark in words for mark in _ADDRESS):
        reason = "invalid_address"
    # An account in SES's sandbox may send to verified addresses only.
    sender = code == "MailFromDomainNotVerifiedException" or (
        code == "MessageRejected" and words is not None and "not verified" in words
    )
    retryable = True if code in _RETRYABLE else None
    error = Error(code or str(response.status), words, reason)
    return refused(response, error, retryable=retryable, account=code in _ACCOUNT or None, sender=sender)


def _content(message: Message) -> dict[str, Any]:
    if message.media:
        raise Unsendable("Amazon SES takes files, not their addresses: put a link into the text instead")
    if (template := message.template) is not None:
        key = "TemplateArn" if template.name.startswith("arn:") else "TemplateName"
        return {"Template": {key: template.name, "TemplateData": orjson.dumps(dict(template.variables)).decode()}}
    parts = (("Text", message.text), ("Html", message.html))
    body = {name: {"Data": value, "Charset": "UTF-8"} for name, value in parts if value}
    if not body:
        raise Unsendable("Amazon SES needs text, HTML or a template")
    if not message.subject:
        raise Unsendable("Amazon SES needs a subject")
    return {"Simple": {"Subject": {"Data": message.subject, "Charset": "UTF-8"}, "Body": body}}
