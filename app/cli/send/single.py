"""`threadline send`: one message."""

import re
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import uuid4

from app.cli.support.api import ApiError, Caller, api, error_text
from app.cli.support.terminal import MISUSED, print_error, print_note
from app.client import Call
from app.sending.requests import read_request, too_late
from schemas import SchemaError
from schemas.faults import lines

#: The option that gives each member of a request.
OPTIONS = {
    "messageId": "--id",
    "channel": "--channel",
    "to": "--to",
    "content": "the text",
    "template": "--template",
    "variables": "--variable",
    "priority": "--priority",
    "notBefore": "--not-before",
    "sendBefore": "--send-before",
    "reference": "--reference",
    "category": "--category",
}
#: The client id with which a message is checked here; the API knows the real one by its key.
ANY_CLIENT = "somebody"


class Single(NamedTuple):
    """A message as the options of `threadline send` describe it."""

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


def run_one(single: Single, *, dry_run: bool, caller: Caller) -> int:
    """Send one message, print its id on standard output, and return the exit code."""
    try:
        document = document_of(single)
        request = read_request(document, client_id=ANY_CLIENT)
        if late := too_late(request, datetime.now(UTC)):
            raise SchemaError("--send-before", f"{late.text}".removeprefix("sendBefore "))
    except SchemaError as error:
        faults = [_by_option(path, message) for path, message in error.faults]
        return print_error("\n".join([*lines(faults), "The options: threadline send --help"]), MISUSED)
    if dry_run:
        return print_note("The message is valid. Nothing was sent.")
    try:
        with api(caller) as client:
            body = {"messageId": str(uuid4())} | document
            response = client.respond(Call("POST", "/v1/messages", body=body, safe=True))
    except ApiError as error:
        return print_error(str(error))
    if response.status_code != 202:
        return print_error(error_text(response))
    accepted = response.json()
    words = "Accepted before" if accepted.get("duplicate") else "Accepted"
    print_note(f"{words}, by {accepted['channel']}. Its state:\n  threadline messages show {accepted['messageId']}")
    print(accepted["messageId"])
    return 0


def document_of(single: Single) -> dict[str, Any]:
    """Return the request document for the API. Raises SchemaError."""
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


def _by_option(path: str, message: str) -> tuple[str, str]:
    """Return a fault of the request with the option that gives what is wrong, in place of its path in the document."""
    if path == "$" and message.startswith("needs one of: body, "):
        return "threadline send", "needs a text, or --template"
    member, *rest = re.split(r"(?=[.\[])", path.removeprefix("$."), maxsplit=1)
    option = OPTIONS.get(member)
    return "".join([option, *rest]) if option else path, message


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise SchemaError("--variable", "is NAME=VALUE")
    return name, value
