"""`threadline messages list|show|explain|cancel|release`: messages, read and changed by the API."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode

import orjson
import typer
from rich.console import Console
from rich.text import Text

from app.api.batch import link
from app.cli.support.api import ApiError, Key, Url, api, error_text
from app.cli.support.json_output import AsJson, print_json
from app.cli.support.terminal import FAILED, entry, fields, print_error, print_note, printable
from app.client import Call

messages = typer.Typer(
    name="messages",
    no_args_is_help=True,
    help="""Show the state of messages, explain why one waits, cancel or release it.

\b
  threadline messages list --state unanswered
  threadline messages show order-1001
  threadline messages explain order-1001
  threadline messages cancel order-1001
  threadline messages release order-1001
""",
)

MessageId = Annotated[
    str,
    typer.Argument(metavar="ID", help="The message's id, as `send` prints it, or the Idempotency-Key of its request."),
]
#: States in which a message waits for a time, an account or a person.
WAITING = ("queued", "held", "retrying", "unanswered")
#: Messages of one page, at most.
PAGE = 200
#: What `messages show` prints of a message: member of the API's document, label.
_SHOWN = {
    "state": "state",
    "delivery": "delivery",
    "channel": "channel",
    "account": "account",
    "priority": "priority",
    "to": "to",
    "reference": "reference",
    "acceptedAt": "accepted",
    "changedAt": "changed",
    "dueAt": "due",
    "notBefore": "not before",
    "sendBefore": "send before",
    "cause": "cause",
    "error": "error",
    "providerMessageId": "provider's id",
    "interactionId": "interaction",
}


@messages.command("list")
def list_(
    state: Annotated[
        str,
        typer.Option(
            help="queued, unanswered, held, retrying, failed, expired or cancelled. Messages that were sent are in the "
            "timelines (threadline timeline)."
        ),
    ] = "unanswered",
    limit: Annotated[
        int, typer.Option(min=1, help="The number of messages, last changed first; queued: longest due first.")
    ] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
    key: Key = None,
    url: Url = None,
) -> int:
    """List messages of the API key's client in one state: those that wait, or that ended without being sent."""
    found: list[dict[str, Any]] = []
    cursor = None
    while len(found) < limit:
        query = {"state": state, "limit": str(min(PAGE, limit - len(found)))} | ({"cursor": cursor} if cursor else {})
        page = _request("GET", f"/v1/messages?{urlencode(query)}", None, key, url)
        if page is None:
            return FAILED
        found += page["messages"]
        if (cursor := page["next"]) is None:
            break
    if as_json:
        for one in found:
            print(orjson.dumps(one).decode())
        return 0
    for one in found:
        changed, due = (_words(name, one[name]) if one[name] else "" for name in ("changedAt", "dueAt"))
        why = one["cause"] or (_words("error", one["error"]) if one["error"] else "")
        line = fields(channel=one["channel"], account=one["account"], changed=changed, due=due)
        print(entry(one["messageId"], line, why))
    if not found:
        print(f"No message is {state}.")
    if found and state in WAITING:
        print_note("Why one waits: threadline messages explain ID")
    return print_note(f"There are more than {limit}; --limit shows more.") if cursor else 0


@messages.command()
def show(id: MessageId, as_json: AsJson = False, key: Key = None, url: Url = None) -> int:
    """Show a message: its state, its times, and every attempt."""
    message = _request("GET", link(id), None, key, url)
    if message is None:
        return FAILED
    if as_json:
        return print_json(message)
    lines = (f"{label}: {_words(name, message[name])}" for name, label in _SHOWN.items() if message[name] is not None)
    print(entry(f"message {message['messageId']}", *lines))
    for attempt in message["attempts"]:
        print(_attempt(attempt))
    if message["state"] in WAITING:
        print_note(f"Why it waits: threadline messages explain {message['messageId']}")
    return 0


@messages.command()
def explain(id: MessageId, as_json: AsJson = False, key: Key = None, url: Url = None) -> int:
    """Explain why a message waits and until when, by its client's present configuration; or what became of it."""
    explained = _request("GET", f"{link(id)}/explain", None, key, url)
    if explained is None:
        return FAILED
    if as_json:
        return print_json(explained)
    console = Console(soft_wrap=True)
    console.print(Text(explained["state"], "bold"))
    for reason in explained["reasons"]:
        console.print(Text(printable(reason["words"])))
    return 0


@messages.command()
def cancel(id: MessageId, key: Key = None, url: Url = None) -> int:
    """Cancel a message that waits. Exit code 1 where it is too late."""
    return _change(id, "cancel", None, key, url)


@messages.command()
def release(
    id: MessageId,
    resend: Annotated[
        bool, typer.Option("--resend", help="Send it again, though it may have been sent already.")
    ] = False,
    key: Key = None,
    url: Url = None,
) -> int:
    """Send a held message now, whatever its time windows; with --resend, also one whose provider never answered."""
    return _change(id, "release", {"resend": resend}, key, url)


def _change(id: str, action: str, body: Mapping[str, Any] | None, key: str | None, url: str | None) -> int:
    """Cancel or release a message; return 1 where its state does not allow it."""
    changed = _request("POST", f"{link(id)}/{action}", body, key, url)
    if changed is None:
        return FAILED
    print(changed["state"])
    return print_note(changed["detail"]) if "detail" in changed else 0


def _request(method: str, path: str, body: Any, key: str | None, url: str | None) -> dict[str, Any] | None:
    """Call the API and return the JSON of a 2xx response; print the error and return None for any other."""
    try:
        with api(key, url) as client:
            response = client.respond(Call(method, path, body=body))
    except ApiError as error:
        print_error(str(error))
        return None
    if not response.is_success:
        print_error(error_text(response))
        return None
    document: dict[str, Any] = response.json()
    return document


def _attempt(attempt: Mapping[str, Any]) -> str:
    """Return an attempt of the API's document as an entry."""
    begun, answered = (_words(name, attempt[name]) if attempt[name] else "" for name in ("begunAt", "answeredAt"))
    return entry(
        f"attempt {attempt['number']}: {attempt['outcome'] or 'no outcome yet'}",
        fields(channel=attempt["channel"], account=attempt["account"], status=attempt["status"]),
        fields(begun=begun, answered=answered),
        _words("error", attempt["error"]) if attempt["error"] else "",
    )


def _words(name: str, value: Any) -> str:
    """Return a member of the API's document as text."""
    if name == "error":
        return " ".join(str(part) for part in (value["code"], value["text"] or value["reason"]) if part)
    if name == "to" and isinstance(value, dict):
        return ", ".join(f"{channel} {address}" for channel, address in value.items())
    if name.endswith(("At", "Before")):
        return f"{datetime.fromisoformat(value).astimezone():%Y-%m-%d %H:%M:%S %Z}"
    return str(value)
