"""`threadline messages cancel|release`: one message, or all in a state that pass a filter."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from app.api.batch import link
from app.api.bulk import CALL_MAX
from app.cli.messages.calling import Account, Channel, Older, Since, filter_given, request_json
from app.cli.support.api import ApiError, Caller, ClientName, Key, Url, api, error_text
from app.cli.support.json_output import AsJson, print_json
from app.cli.support.progress import Yes, confirmed, progress
from app.cli.support.terminal import FAILED, MISUSED, print_error, print_note
from app.client import Call, Client
from app.numbered import numbered

OneOrMore = Annotated[
    str | None,
    typer.Argument(metavar="ID", help="The message's id, or the Idempotency-Key of its request; or use --state."),
]


def cancel(
    id: OneOrMore = None,
    state: Annotated[
        str | None, typer.Option(help="All that are queued, held, retrying or unanswered, instead of one.")
    ] = None,
    channel: Channel = None,
    account: Account = None,
    since: Since = None,
    older: Older = None,
    yes: Yes = False,
    as_json: AsJson = False,
    key: Key = None,
    url: Url = None,
    client: ClientName = None,
) -> int:
    """Cancel a message that waits, or with --state all that do and pass the filters.

    Says how many, and asks, before it cancels several. Exit code 1 where it is too late for the one.
    """
    if (id is None) == (state is None):
        return print_error("Give the message's ID, or --state for all in a state.", MISUSED)
    if id is not None:
        return _one(id, "cancel", None, as_json, Caller(key, url, client))
    body = {"filter": filter_given(str(state), channel, account, since, older or "0s")}
    return _many("cancel", "cancelled", body, yes, as_json, Caller(key, url, client))


def release(
    id: OneOrMore = None,
    state: Annotated[str | None, typer.Option(help="All that are held (or unanswered), instead of one.")] = None,
    channel: Channel = None,
    account: Account = None,
    since: Since = None,
    older: Older = None,
    resend: Annotated[
        bool, typer.Option("--resend", help="Send it again, though it may have been sent already.")
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
    key: Key = None,
    url: Url = None,
    client: ClientName = None,
) -> int:
    """Send a held message now, whatever its time windows; with --resend, also one whose provider never answered.

    With --state all that pass the filters: says how many, and asks.
    """
    if (id is None) == (state is None):
        return print_error("Give the message's ID, or --state for all in a state.", MISUSED)
    if id is not None:
        return _one(id, "release", {"resend": resend}, as_json, Caller(key, url, client))
    body = {"filter": filter_given(str(state), channel, account, since, older or "0s"), "resend": resend}
    return _many("release", "released", body, yes, as_json, Caller(key, url, client))


def _one(id: str, action: str, body: Any, as_json: bool, caller: Caller) -> int:
    """Cancel or release a message; return 1 where its state does not allow it."""
    changed = request_json("POST", f"{link(id)}/{action}", body, caller)
    if changed is None:
        return FAILED
    if as_json:
        return print_json(changed)
    print(changed["state"])
    return print_note(changed["detail"]) if "detail" in changed else 0


def _many(action: str, done: str, body: Mapping[str, Any], yes: bool, as_json: bool, caller: Caller) -> int:
    """Cancel or release all messages that pass a filter, after counting them; `done` is the member of the answer that counts."""
    changed = 0
    try:
        with api(caller) as client:
            total = sum(page[done] for page in _pages(client, action, {**body, "dryRun": True}))
            if total and not confirmed(f"{numbered(total, 'message')} will be {done}. Go on?", yes):
                return print_error(f"None was {done}; --yes does it without asking.")
            if total:
                with progress(action, total) as advance:
                    for page in _pages(client, action, body):
                        changed += page[done]
                        advance(page[done])
    except ApiError as error:
        return print_error(f"{error}{_so_far(changed, done)}")
    if as_json:
        return print_json({done: changed})
    print(f"{changed} {done}.")
    return 0


def _pages(client: Client, action: str, body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the answers of a bulk change, call by call. Raises ApiError for a refusal."""
    cursor = None
    while True:
        more: dict[str, str] = {} if cursor is None else {"cursor": cursor}
        response = client.respond(Call("POST", f"/v1/messages/{action}", body={**body, "limit": CALL_MAX, **more}))
        if not response.is_success:
            raise ApiError(error_text(response))
        page: dict[str, Any] = response.json()
        yield page
        if (cursor := page["next"]) is None:
            return


def _so_far(changed: int, done: str) -> str:
    return f" {numbered(changed, 'was', 'were')} {done} before." if changed else ""
