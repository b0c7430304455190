"""The API's routes. The application that serves them sets `app.state.api = Api.of(store, settings, blobs)`."""

import psycopg
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ExceptionHandler

from app.api import (
    attachments,
    callbacks,
    client_accounts,
    clients,
    customers,
    dead_letter_changes,
    dead_letters,
    interactions,
    message,
    message_bulk,
    message_list,
    messages,
    openapi,
    recipients,
    stream,
)
from app.api.audited import Answer, audited
from app.api.service import Api, answer_fields
from app.http.problems import problem

__all__ = ["HANDLERS", "Api", "answer_fields", "routes"]


def routes() -> list[Route]:
    """Return all routes of the API; each reads `app.state.api`."""
    return [
        _by_method("/api/customers", GET=customers.find),
        _by_method("/api/customers/{id}/interactions", GET=customers.timeline),
        _by_method("/api/customers/{id}/interactions/stream", GET=stream.stream),
        _by_method("/api/interactions/{id}", GET=interactions.history),
        _by_method("/api/interactions/{id}/attachments/{n}", GET=attachments.attachment_of),
        _by_method("/v1/clients", GET=clients.clients),
        _by_method("/v1/clients/{id}", GET=clients.client, PUT=clients.put_client),
        _by_method("/v1/clients/{id}/versions", GET=clients.versions),
        _by_method("/v1/clients/{id}/accounts", GET=client_accounts.accounts),
        _by_method(
            "/v1/clients/{id}/accounts/{name}", PUT=client_accounts.put_account, DELETE=client_accounts.delete_account
        ),
        # The longer path first, since a handle may contain slashes.
        _by_method("/v1/recipients/{handle:path}/consents/{channel}", PUT=recipients.put_consent),
        _by_method("/v1/recipients/{handle:path}", GET=recipients.recipient, PUT=recipients.put_recipient),
        _by_method("/v1/callback", GET=callbacks.callback),
        _by_method("/v1/callback/deliveries", GET=callbacks.deliveries),
        _by_method("/v1/callback/secret", POST=callbacks.secret),
        _by_method("/v1/callback/enable", POST=callbacks.enable),
        _by_method("/v1/callback/replay", POST=callbacks.replay),
        _by_method("/v1/dead-letters", GET=dead_letters.listed),
        _by_method("/v1/dead-letters/groups", GET=dead_letters.grouped),
        _by_method("/v1/dead-letters/replay", POST=dead_letter_changes.replay_many),
        _by_method("/v1/dead-letters/discard", POST=dead_letter_changes.discard_many),
        _by_method("/v1/dead-letters/{id}", GET=dead_letters.shown),
        _by_method("/v1/dead-letters/{id}/replay", POST=dead_letter_changes.replay_one),
        _by_method("/v1/dead-letters/{id}/discard", POST=dead_letter_changes.discard_one),
        # Before the routes with an id, which may contain slashes.
        _by_method("/v1/messages/cancel", POST=message_bulk.cancel_many),
        _by_method("/v1/messages/release", POST=message_bulk.release_many),
        _by_method("/v1/messages", GET=message_list.listed, POST=messages.messages),
        _by_method("/v1/messages/{id:path}/explain", GET=message.explained),
        _by_method("/v1/messages/{id:path}/cancel", POST=message.cancel),
        _by_method("/v1/messages/{id:path}/release", POST=message.release),
        _by_method("/v1/messages/{id:path}", GET=message.message),
        _by_method("/v1/{channel}/messages", POST=messages.channel_messages),
        *openapi.routes(),
    ]


def _by_method(path: str, **given: Answer) -> Route:
    """Make one route for all methods of a path, so that a 405 lists all of them; what they do is audited."""
    answers = {method: audited(method, path, answer) for method, answer in given.items()}
    if len(answers) == 1:
        ((method, only),) = answers.items()
        return Route(path, only, methods=[method])

    async def answer(request: Request) -> Response:
        return await answers["GET" if request.method == "HEAD" else request.method](request)

    return Route(path, answer, methods=list(answers))


async def _away(_: Request, error: Exception) -> Response:
    return problem(503, detail="The store cannot be read now.", headers={"retry-after": "1"})


#: For `Starlette(exception_handlers=…)`, beside those of `app.http.problems`: PostgreSQL is away, or all connections
#: are busy.
HANDLERS: dict[type[Exception], ExceptionHandler] = {psycopg.OperationalError: _away, psycopg.InterfaceError: _away}
