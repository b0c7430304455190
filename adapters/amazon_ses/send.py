"""Sending by Amazon SES: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html, signed by `sigv4`.

SES knows no idempotency key: what is sent twice arrives twice.
"""

import re
from datetime import datetime
from typing import Any

import orjson

from adapters.amazon_ses.sigv4 import Credentials, signed
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
from adapters.reading.shapes import answer_of
from schemas.events import Error

SETTINGS = (
    Setting("region", "The region that is sent from, as eu-west-1.", secret=False),
    Setting("access_key_id", "The access key of a user who may ses:SendEmail.", secret=False),
    Setting("secret_access_key", "Its secret."),
    Setting("session_token", "The session token, of temporary credentials."),
    Setting("sender", "Who sends where a message does not say: shop@example.com, or Shop <shop@…>.", secret=False),
    Setting("reply_to", "Where answers go, where not to the sender.", secret=False),
    Setting("configuration_set", "The configuration set that publishes events to the topic.", secret=False),
    Setting("api_url", "https://email.<region>.amazonaws.com if not set.", secret=False),
)
#: What a tag may hold, …/APIReference-V2/API_MessageTag.html; an id with other characters would make SES refuse the mail.
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
#: Of the account, and of how its requests are signed.
_ACCOUNT = frozenset(
    "AccountSuspendedException SendingPausedException AccessDeniedException AccessDenied NotAuthorized OptInRequired"
    " UnrecognizedClientException InvalidClientTokenId InvalidSignatureException SignatureDoesNotMatch"
    " IncompleteSignature IncompleteSignatureException MissingAuthenticationToken MissingAuthenticationTokenException"
    " ExpiredToken ExpiredTokenException".split()
)
_RETRYABLE = frozenset({"Throttling", "ThrottlingException", "TooManyRequestsException"})
_ADDRESS = ("Illegal address", "Missing final", "Local address contains", "Domain contains", "Invalid email address")


def build_request(message: Message, values: Values, now: datetime) -> HttpCall:
    """Build a signed POST; `messageId` and `reference` are tags, which a configuration set's events have again. Raises
    Unsendable."""
    region = required(values, "region")
    credentials = Credentials(
        required(values, "access_key_id"),
        required(values, "secret_access_key"),
        region,
        "ses",
        optional(values, "session_token", ""),
    )
    echoed = {"messageId": message.message_id, "reference": message.echo}
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
    """Read 200 with `MessageId`; else the header `x-amzn-errortype` and `message`."""
    said = answer_of(response)
    if 200 <= response.status < 300:
        return accepted(bare_id(said.get("MessageId")))
    found = _ERROR.match(response.headers.get("x-amzn-errortype", "") or text(said.get("__type")) or "")
    code, words = found[0] if found else None, text(said.get("message")) or text(said.get("Message"))
    reason = "rate" if response.status == 429 else _REASONS.get(code or "", "unknown")
    if code == "BadRequestException" and words and any(mark in words for mark in _ADDRESS):
        reason = "invalid_address"
    # Of an account that is still in the sandbox the recipient's address must be verified as well.
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
    body = {name: {"Data": said, "Charset": "UTF-8"} for name, said in parts if said}
    if not body:
        raise Unsendable("Amazon SES needs text, HTML or a template")
    if not message.subject:
        raise Unsendable("Amazon SES needs a subject")
    return {"Simple": {"Subject": {"Data": message.subject, "Charset": "UTF-8"}, "Body": body}}
