"""`threadline messages list|show|explain`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.text import Text

from app.api.batch import link
from app.cli.messages.calling import Account, Channel, MessageId, Older, Since, filter_given, request_json
from app.cli.support.api import Caller, ClientName, Key, Url
from app.cli.support.json_output import AsJson, print_json
from app.cli.support.terminal import FAILED, entry, fields, print_note, printable

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


def list_(
    state: Annotated[
        str | None,
        typer.Option(
            help="By default unanswered; or queued, held, retrying, failed, expired or cancelled. Messages that were sent are in the "
            "timelines (threadline timeline)."
        ),
    ] = None,
    channel: Channel = None,
    account: Account = None,
    since: Since = None,
    older: Older = None,
    limit: Annotated[
        int, typer.Option(min=1, help="The number of messages, last changed first; queued: longest due first.")
    ] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
    key: Key = None,
    url: Url = None,
    client: ClientName = None,
) -> int:
    """List messages of the API key's client in one state: those that wait, or that ended without being sent."""
    found: list[dict[str, Any]] = []
    caller = Caller(key, url, client)
    asked, state = state, state or "unanswered"
    chosen, cursor = filter_given(state, channel, account, since, older), None
    while len(found) < limit:
        query = chosen | {"limit": str(min(PAGE, limit - len(found)))} | ({"cursor": cursor} if cursor else {})
        page = request_json("GET", "/v1/messages", None, caller, query)
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
        print(f"No message of this kind is {state}." if len(chosen) > 1 else f"No message is {state}.")
    if found and state in WAITING:
        print_note("Why one waits: threadline messages explain ID")
    if asked is None:
        print_note(
            "This is the state unanswered alone; --state shows another one: queued, held, retrying, failed, expired or cancelled."
        )
    return print_note(f"There are more than {limit}; --limit shows more.") if cursor else 0


def show(id: MessageId, as_json: AsJson = False, key: Key = None, url: Url = None, client: ClientName = None) -> int:
    """Show a message: its state, its times, and every attempt."""
    message = request_json("GET", link(id), None, Caller(key, url, client))
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


def explain(id: MessageId, as_json: AsJson = False, key: Key = None, url: Url = None, client: ClientName = None) -> int:
    """Explain why a message waits and until when, by its client's present configuration; or what became of it."""
    explained = request_json("GET", f"{link(id)}/explain", None, Caller(key, url, client))
    if explained is None:
        return FAILED
    if as_json:
        return print_json(explained)
    console = Console(soft_wrap=True)
    console.print(Text(explained["state"], "bold"))
    for reason in explained["reasons"]:
        console.print(Text(printable(reason["words"])))
    return 0


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
