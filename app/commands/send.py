"""`threadline send`: one message."""

from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import uuid4

from app.commands.asking import Failed, asking, post, refusal
from app.commands.terminal import FAILED, MISUSED, say
from app.sending.requests import read_request, too_late
from schemas import SchemaError

#: For whom a message is read that is only checked here: who asks is known by the key.
SOMEBODY = "somebody"


class Single(NamedTuple):
    """What the command line gives of a message."""

    text: str | None
    to: str | None
    channel: str | None
    subject: str | None
    template: str | None
    variables: tuple[str, ...]
    id: str | None
    priority: str | None
    not_before: str | None
    send_before: str | None
    reference: str | None
    category: str | None


def run_one(single: Single, *, dry_run: bool, key: str | None, url: str | None) -> int:
    """Have it sent, and print its id on standard output."""
    try:
        document = document_of(single)
        request = read_request(document, client_id=SOMEBODY)
        if late := too_late(request, datetime.now(UTC)):
            raise SchemaError("--send-before", f"{late.text}".removeprefix("sendBefore "))
    except SchemaError as error:
        return say(f"{error}. How to write it: threadline send --help", MISUSED)
    if dry_run:
        return say("It can be asked for. Nothing was sent.", 0)
    try:
        with asking(key, url) as http:
            response = post(http, "/v1/messages", {"messageId": str(uuid4())} | document)
    except Failed as error:
        return say(str(error), FAILED)
    if response.status_code != 202:
        return say(refusal(response), FAILED)
    told = response.json()
    words = "Asked for before" if told.get("duplicate") else "Accepted"
    say(f"{words}, by {told['channel']}. How far it is: threadline messages show {told['messageId']}", 0)
    print(told["messageId"])
    return 0


def document_of(single: Single) -> dict[str, Any]:
    """The request. Raises SchemaError."""
    if single.to is None:
        raise SchemaError("--to", "is missing")
    content = {name: value for name, value in (("text", single.text), ("subject", single.subject)) if value is not None}
    members = {
        "messageId": single.id,
        "channel": single.channel,
        "to": single.to,
        "content": content or None,
        "template": single.template,
        "variables": dict(_variable(text) for text in single.variables) or None,
        "priority": single.priority,
        "notBefore": single.not_before,
        "sendBefore": single.send_before,
        "reference": single.reference,
        "category": single.category,
    }
    return {name: value for name, value in members.items() if value is not None}


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise SchemaError("--variable", "is NAME=VALUE")
    return name, value
