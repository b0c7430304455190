"""`threadline messages list|show|explain|cancel|release`, by the API."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import httpx
import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.api.batch import link
from app.commands.asking import Failed, asking, refusal
from app.commands.terminal import FAILED, add_row, entry, printable, said, say, table

#: Messages of one page, at most.
PAGE = 200
#: What is shown of a message, and how it is called there.
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


def show(id: str, *, key: str | None, url: str | None) -> int:
    """Print a message; 1 where there is none."""
    told = _asked("GET", link(id), None, key, url)
    if told is None:
        return FAILED
    shown = Table(title=Text(printable(f"message {told['messageId']}")), title_justify="left", show_header=False)
    for name, words in _SHOWN.items():
        if (value := told[name]) is not None:
            add_row(shown, words, _words(name, value))
    console = Console()
    console.print(shown)
    if told["attempts"]:
        console.print(_attempts(told["attempts"]))
    return 0


def list_all(state: str, limit: int, *, as_json: bool, key: str | None, url: str | None) -> int:
    """Print at most `limit` messages in a state; 1 where they cannot be asked for."""
    found: list[dict[str, Any]] = []
    cursor = None
    while len(found) < limit:
        asked = {"state": state, "limit": str(min(PAGE, limit - len(found)))} | ({"cursor": cursor} if cursor else {})
        told = _asked("GET", f"/v1/messages?{urlencode(asked)}", None, key, url)
        if told is None:
            return FAILED
        found += told["messages"]
        if (cursor := told["next"]) is None:
            break
    if as_json:
        for one in found:
            print(orjson.dumps(one).decode())
        return 0
    for one in found:
        changed, due = (_words(name, one[name]) if one[name] else "" for name in ("changedAt", "dueAt"))
        why = one["cause"] or (_words("error", one["error"]) if one["error"] else "")
        print(
            entry(one["messageId"], said(channel=one["channel"], account=one["account"], changed=changed, due=due), why)
        )
    if not found:
        print(f"No message is {state}.")
    return say(f"The {limit} that changed last; --limit shows more.", 0) if cursor else 0


def explain(id: str, *, key: str | None, url: str | None) -> int:
    """Print why it waits; 1 where there is none."""
    told = _asked("GET", f"{link(id)}/explain", None, key, url)
    if told is None:
        return FAILED
    console = Console(soft_wrap=True)
    console.print(Text(told["state"], "bold"))
    for reason in told["reasons"]:
        console.print(Text(printable(reason["words"])))
    return 0


def change(id: str, action: str, body: Mapping[str, Any] | None, *, key: str | None, url: str | None) -> int:
    """Cancel or release it; 1 where its state does not allow it."""
    told = _asked("POST", f"{link(id)}/{action}", body, key, url)
    if told is None:
        return FAILED
    print(told["state"])
    return say(told["detail"], 0) if "detail" in told else 0


def _asked(method: str, path: str, body: Any, key: str | None, url: str | None) -> dict[str, Any] | None:
    """The JSON of a good answer; None where it is none, which is said."""
    try:
        with asking(key, url) as http:
            response: httpx.Response = http.request(method, path, json=body)
    except Failed as error:
        say(str(error), FAILED)
        return None
    if not response.is_success:
        say(refusal(response), FAILED)
        return None
    told: dict[str, Any] = response.json()
    return told


def _attempts(attempts: list[dict[str, Any]]) -> Table:
    headings = ("", "channel", "account", "begun", "answered", "outcome", "status", "error")
    told = table(*headings, title="attempts")
    for one in attempts:
        begun, answered = (_words(name, one[name]) if one[name] else "" for name in ("begunAt", "answeredAt"))
        error = _words("error", one["error"]) if one["error"] else ""
        cells = (one["number"], one["channel"], one["account"], begun, answered, one["outcome"], one["status"], error)
        add_row(told, *cells)
    return told


def _words(name: str, value: Any) -> str:
    if name == "error":
        return " ".join(str(part) for part in (value["code"], value["text"] or value["reason"]) if part)
    if name == "to" and isinstance(value, dict):
        return ", ".join(f"{channel} {address}" for channel, address in value.items())
    if name.endswith(("At", "Before")):
        return f"{datetime.fromisoformat(value).astimezone():%Y-%m-%d %H:%M:%S %Z}"
    return str(value)
