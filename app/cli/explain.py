"""`threadline explain`: explain one webhook from a file, by the code that processes live ones.

A request that is not authentic has no events here, as the webhook endpoint does not store it.
"""

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from adapters import interpret
from adapters.contract import Answer, Normalized, Request, Unprocessable
from app.cli.support.http_file import NoRequest, read_request
from app.cli.support.sources import Given, WrongUse, accounts_for, apply, candidates, given_of
from app.cli.support.terminal import print_error, print_note
from app.cli.support.times import moment
from app.implied import with_implied
from schemas.events import Event
from schemas.numbering import spelled
from webhooks.recognise import Source, Sources, UnknownSource, named
from webhooks.replies import Refused, refusal

OK, WRONG_USE, NOT_AUTHENTIC, NOT_UNDERSTOOD = 0, 2, 3, 4


def explain(
    file: Annotated[Path, typer.Argument(help="One HTTP request: request line, headers, blank line, body.")],
    source: Annotated[
        str | None, typer.Option(help="The source it is for; by default recognised from the request.")
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(help="NAME=VALUE of the source, e.g. auth_token=…; NAME=@FILE reads it from a file. Repeatable."),
    ] = None,
    url: Annotated[str | None, typer.Option(help="The public URL to which the provider posted.")] = None,
    at: Annotated[
        str | None, typer.Option(help="The time at which to judge a signature's age (ISO 8601 or Unix seconds).")
    ] = None,
) -> int:
    """Explain one webhook from a file: its source, whether it is authentic, the answer and the events, as JSON.

    Needs no server. Exit code: 0; 2 where the options do not fit; 3 where it is not authentic; 4 where it cannot be
    understood.
    """
    try:
        code, explained = _explain(file, source, [given_of(text) for text in setting or ()], url, at)
    except WrongUse as error:
        return print_error(f"threadline explain: {error}", WRONG_USE)
    sys.stdout.buffer.write(
        orjson.dumps(explained, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE)
    )
    sys.stdout.flush()
    return code


def _explain(file: Path, name: str | None, given: Given, url: str | None, at: str | None) -> tuple[int, dict[str, Any]]:
    received_at = _time(at)
    try:
        came = read_request(_content(file))
        request = Request(came.method, came.url(), came.headers, came.body, received_at, "")
    except NoRequest as error:
        return NOT_UNDERSTOOD, _to_json(None, None, str(error), _refused(400))
    accounts = accounts_for(name or named(request.url), request)
    for unknown in apply(given, accounts, candidates(request, name or named(request.url), accounts)):
        print_note(f"threadline explain: {unknown}")
    if url is not None:
        for account in accounts.values():
            account.url = url
    try:
        sources: Mapping[str, Source] = accounts
        verdict = Sources(sources).recognise(request, name)
    except UnknownSource as error:
        return NOT_UNDERSTOOD, _to_json(None, None, str(error), _refused(404))
    if verdict.handshake is not None:
        return OK, _to_json(verdict.source, True, None, verdict.handshake)
    if verdict.authentic is False:
        return NOT_AUTHENTIC, _to_json(verdict.source, False, verdict.reason, _refused(401))
    if request.method == "GET" and verdict.authentic is None:  # the door takes none unsigned, whatever is configured
        return OK, _to_json(verdict.source, None, verdict.reason, _refused(401))
    answer = verdict.adapter.answer(verdict.request)
    try:
        found = interpret(verdict.request, verdict.adapter.name)
    except Unprocessable as error:
        return NOT_UNDERSTOOD, _to_json(verdict.source, verdict.authentic, str(error), answer)
    reason = verdict.reason if not found.unprocessable else "; ".join(reason for _, reason in found.unprocessable)
    code = NOT_UNDERSTOOD if found.unprocessable and not found.events else OK
    return code, _to_json(verdict.source, verdict.authentic, reason, answer, found)


def _content(file: Path) -> bytes:
    """Return the file's content. It may have many megabytes, so the caller gives it no name: it is freed once it is read. Raises
    WrongUse."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise WrongUse(f"{file} cannot be read: {error.strerror}") from error


def _time(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        try:
            return datetime.fromtimestamp(float(text), UTC)
        except ValueError:
            return moment(text)
    except (ValueError, OverflowError, OSError) as error:
        raise WrongUse(f"--at is ISO 8601 (2026-01-31T12:00:00Z) or Unix seconds, not {text[:40]!r}") from error


def _refused(status: int) -> Answer:
    """Return the answer of the webhook endpoint to a request that it refuses, which does not say why."""
    _, body = refusal(Refused(status, ""))
    return Answer(status, body["body"])


def _to_json(
    source: str | None, authentic: bool | None, reason: str | None, answer: Answer, found: Normalized | None = None
) -> dict[str, Any]:
    document: dict[str, Any] = {
        "source": source,
        "authentic": authentic,
        "reason": reason,
        "answer": {"status": answer.status, "body": answer.body.decode("utf-8", "replace")},
        "events": [_event(spelled(event)) for event in with_implied(found.events)] if found else [],
    }
    if found and found.unprocessable:
        document["unprocessable"] = [{"reason": reason, "item": item} for item, reason in found.unprocessable]
    return document


def _event(event: Event) -> dict[str, Any]:
    handle, error = event.handle, event.error
    return {
        "type": event.type,
        "source": event.source,
        "source_event_id": event.source_event_id,
        "channel": event.channel,
        "direction": event.direction,
        "provider_message_id": event.provider_message_id,
        "per_recipient": event.per_recipient,
        "message_id": event.message_id or event.echoed_message_id,
        "handle": {"kind": handle.kind, "value": handle.value} if handle else None,
        "occurred_at": event.occurred_at,
        "error": {"code": error.code, "text": error.text, "reason": error.reason} if error else None,
        "payload": event.payload,
    }
