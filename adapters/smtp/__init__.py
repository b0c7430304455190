"""Builds e-mail for any SMTP server (RFC 5322), and reads the server's reply. There are no webhooks.

The transport delivers what is built, as the settings say (RFC 5321; STARTTLS: RFC 3207, implicit TLS: RFC 8314). The
Message-ID is derived from our message's id, so that a retry can be recognised, though most servers do not check it.
"""

import re
from datetime import datetime
from email.errors import MessageError
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr

from adapters.contract import (
    Mail,
    Message,
    Outcome,
    Response,
    Send,
    Setting,
    Unsendable,
    Values,
    WrongSender,
    accepted,
    optional,
    refused,
    required,
    sender_of,
)
from adapters.reading.facts import fact_id, text
from adapters.reading.lines import header_value, one_line, url_in_brackets
from adapters.reading.mail_headers import encoded, phrase, written
from adapters.reading.smtp_codes import code_of, reason_of
from adapters.signing.silent import send_only
from schemas.events import Error

#: Works without 8BITMIME and SMTPUTF8, which a server may lack: everything is ASCII, in lines of permitted length.
_POLICY = SMTP.clone(cte_type="7bit")
#: A dot-atom and a host (RFC 5322 section 3.4.1), without the quoted and bracketed forms, which are not in use.
_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")
#: The Message-ID of another mail, with or without angle brackets (RFC 5322 section 3.6.4), in ASCII and on one line.
_THEIR_ID = re.compile(r"<?([!-;=?A-~]{1,450}@[!-;=?A-~]{1,450})>?")
_MESSAGE_ID = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
#: Reasons by RFC 5321 section 4.2.3, for replies without an enhanced code. 550 may mean anything.
_BASIC: dict[str, str] = {
    "421": "unreachable",
    "450": "unreachable",
    "452": "unreachable",
    "551": "invalid_address",
    "552": "unreachable",
    "553": "invalid_address",
    "556": "invalid_address",
}
#: Replies that authentication is missing, too weak, or failed (RFC 4954 section 6), and enhanced codes of a refused
#: sender (RFC 3463 section 3.2).
_ACCOUNT, _SENDER = (530, 534, 535, 538), ("5.1.7", "5.1.8")
#: Where servers put the queue's id into their last reply: Postfix and most others, Exim, Sendmail, Amazon SES.
_QUEUED = (
    re.compile(r"\bqueued as:? ?([^\s,;]{4,255})", re.I),
    re.compile(r"\bid=([^\s,;]{4,255})", re.I),
    re.compile(r"^(?:2\.[0-9]\.[0-9] )?([^\s]{6,255}) Message accepted for delivery", re.I),
    re.compile(r"^(?:2\.[0-9]\.[0-9] )?Ok ([0-9a-f-]{30,255})$", re.I),
)


def build_request(message: Message, values: Values, now: datetime) -> Mail:
    """Build a mail of text, HTML, or both as alternatives. `data.listUnsubscribe` (a URL), `data.replyTo` and
    `data.inReplyTo` (a Message-ID) become headers. Raises Unsendable."""
    required(values, "host")
    if message.template is not None:
        raise Unsendable("SMTP has no templates: give text or HTML")
    if message.media:
        raise Unsendable("a mail by SMTP takes no URLs as attachments: link to them in the text")
    if not message.text and not message.html:
        raise Unsendable("a mail needs text or HTML")
    try:
        shown, address = _mailbox(sender_of(message, values), "the sender")
    except Unsendable as error:
        raise WrongSender(str(error)) from error
    recipient = _ascii(message.to.value, "the recipient")
    headers = {
        "From": shown,
        "To": recipient,
        "Date": format_datetime(now),
        "Message-ID": f"<{_own_id(message.message_id)}@{address.rpartition('@')[2]}>",
        **_headers(message),
    }
    mail = EmailMessage(_POLICY)
    try:
        _fill(mail, message)
        data = b"".join(written(name, value) for name, value in headers.items()) + mail.as_bytes()
    except (ValueError, MessageError, IndexError) as error:
        raise Unsendable(f"the mail cannot be written: {error}") from error
    return Mail(_ascii(optional(values, "return_path", address), "return_path"), (recipient,), data)


def read_response(response: Response) -> Outcome:
    """Read a reply: 2xx is accepted, with the queue's id if the server names it; 5xx is permanent, any other may be
    retried."""
    reply = response.body[:2000].decode("utf-8", "replace").strip()
    words = reply.removeprefix(str(response.status)).lstrip(" -")
    if 200 <= response.status < 300:
        found = (pattern.search(words) for pattern in _QUEUED)
        return accepted(next((match[1].rstrip(".)") for match in found if match), None))
    code = code_of(str(response.status), words)
    reason = reason_of(code)
    if reason == "unknown":
        reason = _BASIC.get(str(response.status), "unknown")
    return refused(
        response,
        Error(code, words or None, reason),
        retryable=response.status < 500,
        account=response.status in _ACCOUNT or code == "5.7.8" or None,
        sender=code in _SENDER,
    )


def _headers(message: Message) -> dict[str, str]:
    """Return the optional headers of a message, encoded for `written`. Raises Unsendable for an invalid value."""
    headers: dict[str, str] = {}
    if message.subject:
        headers["Subject"] = encoded("Subject", header_value("the subject", one_line(message.subject)))
    if answers := text(message.data.get("replyTo")):
        headers["Reply-To"] = _mailbox(answers, "data.replyTo")[0]
    if answered := text(message.data.get("inReplyTo")):
        found = _THEIR_ID.fullmatch(answered.strip())
        if found is None:
            raise Unsendable("data.inReplyTo is not a Message-ID such as <id@host>")
        headers["In-Reply-To"] = headers["References"] = f"<{found[1]}>"
    if unsubscribe := text(message.data.get("listUnsubscribe")):
        headers["List-Unsubscribe"] = url_in_brackets("data.listUnsubscribe", unsubscribe)
        if unsubscribe.startswith("https://"):
            headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    return headers


def _mailbox(value: str, whose: str) -> tuple[str, str]:
    """Return `Name <address>`, or an address, in the form of a header (RFC 5322 section 3.4), and the address alone.
    Raises Unsendable."""
    name, found = parseaddr(header_value(whose, value))
    address = _ascii(found, whose)
    return (f"{phrase(name)} <{address}>" if name else address), address


def _fill(mail: EmailMessage, message: Message) -> None:
    if message.text:
        mail.set_content(message.text)
        if message.html:
            mail.add_alternative(message.html, subtype="html")
            # Derived from the parts, so that they cannot contain it, and not random: a retry is the same byte for
            # byte.
            mail.set_boundary(f"=_{fact_id('boundary', message.message_id, message.text, message.html)}")
    else:
        mail.set_content(message.html, subtype="html")


def _own_id(message_id: str) -> str:
    """Return our id as the left side of a Message-ID, or its hash if it has invalid characters."""
    return message_id if len(message_id) <= 200 and _MESSAGE_ID.fullmatch(message_id) else fact_id(message_id)


def _ascii(address: str, whose: str) -> str:
    """Return an address that any server accepts, with its domain in ASCII (RFC 5890). Raises Unsendable."""
    name, at, domain = address.strip().rpartition("@")
    try:
        made = f"{name.encode('ascii').decode()}{at}{domain.encode('idna').decode()}"
    except UnicodeError as error:
        raise Unsendable(f"{whose} is not an address that every mail server accepts: {error}") from error
    if not _ADDRESS.fullmatch(made):
        raise Unsendable(f"{whose} is not an e-mail address")
    return made


ADAPTER = send_only(
    name="smtp",
    title="SMTP",
    docs="https://www.rfc-editor.org/rfc/rfc5321",
    settings=(
        Setting("host", "The mail server, for example smtp.example.com.", secret=False),
        Setting("port", "Its port; 587 if not set, 465 if tls is implicit, 25 if it is none.", secret=False),
        Setting("tls", "starttls (if not set), implicit, or none.", secret=False),
        Setting("username", "The account at the server, if it needs one.", secret=False),
        Setting("password", "That account's password."),
        Setting("sender", "The sender: an address, or Name <address>.", secret=False),
        Setting("return_path", "Where bounces go; the sender's address if not set.", secret=False),
    ),
    send=Send(
        channels=frozenset({"email"}),
        build_request=build_request,
        read_response=read_response,
    ),
)
