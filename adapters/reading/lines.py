"""Prevents header injection: text that becomes a header of a mail or request must not contain a line end.

A line end in a subject becomes a space; any other control character is refused, with the name of the field.
"""

import re
from collections.abc import Mapping
from dataclasses import replace

from adapters.contract import Message, Unsendable

#: Characters of one field; RFC 5322 section 2.1.1 allows a line 998, and a subject goes over several.
MAX_FIELD = 4000
#: C0, DEL and C1, and what Unicode counts as the end of a line (https://www.unicode.org/reports/tr14/, BK and NL).
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_LINE_END = re.compile(r"[ \t]*[\r\n\t\v\f\x85\u2028\u2029]+[ \t]*")
#: A URL that stands in angle brackets: characters of RFC 3986 section 2, and of a scheme that a mail program opens.
_URL = re.compile(r"(?:https?|mailto):[!-;=?-~]{1,2000}", re.IGNORECASE)
#: Keys of a message's `data` that become headers of a mail.
HEADERS = ("replyTo", "inReplyTo", "listUnsubscribe")


def one_line(text: str) -> str:
    """Replace each line end, with the blanks around it, by one space."""
    return _LINE_END.sub(" ", text).strip() if _CONTROL.search(text) else text


def header_value(name: str, value: str) -> str:
    """Return the value if it fits on one line. Raise Unsendable, which names the field and not the value."""
    if _CONTROL.search(value):
        raise Unsendable(f"{name} has a line end or another control character in it")
    if len(value) > MAX_FIELD:
        raise Unsendable(f"{name} has more than {MAX_FIELD} characters")
    return value


def url_in_brackets(name: str, value: str) -> str:
    """Return `<value>` for an http, https or mailto URL (RFC 2369 section 2). Raise Unsendable."""
    if not _URL.fullmatch(value):
        raise Unsendable(f"{name} is no URL of https, http or mailto in ASCII")
    return f"<{value}>"


def faults(fields: Mapping[str, object]) -> list[tuple[str, str]]:
    """Return the names of the texts that do not fit on one line, each with the reason."""
    found = []
    for name, value in fields.items():
        if isinstance(value, str):
            try:
                header_value("it", value)
            except Unsendable as fault:
                found.append((name, str(fault).removeprefix("it ")))
    return found


def lined(message: Message) -> Message:
    """Return the message with its subject on one line. Raise Unsendable if another short field contains a line end:
    adapters put these into headers, URLs and form fields, and providers into mails."""
    fields: dict[str, object] = {
        "sender": message.sender,
        "to": message.to.value,
        "reference": message.reference,
        **{f"data.{name}": message.data.get(name) for name in HEADERS},
        **(
            {"template": message.template.name, "template.language": message.template.language}
            if message.template
            else {}
        ),
    }
    for index, media in enumerate(message.media):
        fields |= {f"media[{index}].{name}": getattr(media, name) for name in ("url", "type", "name")}
    for name, why in faults(fields):
        raise Unsendable(f"{name} {why}")
    if message.subject is None or not _CONTROL.search(message.subject):
        return message
    return replace(message, subject=header_value("subject", one_line(message.subject)))
