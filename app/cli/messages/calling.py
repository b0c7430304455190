"""Calls of the API about messages, and the options that name them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from app.cli.support.api import ApiError, Caller, api, error_text
from app.cli.support.terminal import print_error
from app.cli.support.times import FORMS, time_given
from app.client import Call

MessageId = Annotated[
    str,
    typer.Argument(metavar="ID", help="The message's id, as `send` prints it, or the Idempotency-Key of its request."),
]
Channel = Annotated[str | None, typer.Option(help="Only those of this channel.")]
Account = Annotated[str | None, typer.Option(help="Only those that go by this account (source).")]
Since = Annotated[str | None, typer.Option(help=f"Only those accepted since: {FORMS}.")]
Older = Annotated[str | None, typer.Option("--older-than", help=f"Only those accepted before: {FORMS}.")]


def filter_given(
    state: str, channel: str | None, account: str | None, since: str | None, older: str | None
) -> dict[str, str]:
    """Return the filter of the API that the options name. Ends the command (SystemExit) for a time that is none."""
    now = datetime.now(UTC)
    times = {"since": time_given("--since", since, now), "until": time_given("--older-than", older, now)}
    texts = {"state": state, "channel": channel, "account": account}
    return {name: text for name, text in texts.items() if text} | {
        name: f"{at:%Y-%m-%dT%H:%M:%S.%fZ}" for name, at in times.items() if at
    }


def request_json(
    method: str, path: str, body: Any, caller: Caller, query: Mapping[str, str] | None = None
) -> dict[str, Any] | None:
    """Call the API and return the JSON of a 2xx response; print the error and return None for any other."""
    try:
        with api(caller) as client:
            response = client.respond(Call(method, path, query or {}, body))
    except ApiError as error:
        print_error(str(error))
        return None
    if not response.is_success:
        print_error(error_text(response))
        return None
    document: dict[str, Any] = response.json()
    return document
