"""The API's routes. The application that serves them sets `app.state.api = Api.of(store, settings, blobs)`."""

from collections.abc import Awaitable, Callable

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
from app.api.service import Api, answer_fields
from app.http.problems import problem

__all__ = ["HANDLERS", "Api", "answer_fields", "routes"]


def routes() -> list[Route]:
    """Return all routes of the API; each reads `app.state.api`."""
    return [
        Route("/api/customers", customers.find, methods=["GET"]),
        Route("/api/customers/{id}/interactions", customers.timeline, methods=["GET"]),
        Route("/api/customers/{id}/interactions/stream", stream.stream, methods=["GET"]),
        Route("/api/interactions/{id}", interactions.history, methods=["GET"]),
        Route("/api/interactions/{id}/attachments/{n}", attachments.attachment_of, methods=["GET"]),
        Route("/v1/clients", clients.clients, methods=["GET"]),
        _by_method("/v1/clients/{id}", GET=clients.client, PUT=clients.put_client),
        Route("/v1/clients/{id}/versions", clients.versions, methods=["GET"]),
        Route("/v1/clients/{id}/accounts", client_accounts.accounts, methods=["GET"]),
        _by_method(
            "/v1/clients/{id}/accounts/{name}", PUT=client_accounts.put_account, DELETE=client_accounts.delete_account
        ),
        # The longer path first, since a handle may contain slashes.
        Route("/v1/recipients/{handle:path}/consents/{channel}", recipients.put_consent, methods=["PUT"]),
        _by_method("/v1/recipients/{handle:path}", GET=recipients.recipient, PUT=recipients.put_recipient),
        Route("/v1/callback", callbacks.callback, methods=["GET"]),
        Route("/v1/callback/deliveries", callbacks.deliveries, methods=["GET"]),
        Route("/v1/callback/secret", callbacks.secret, methods=["POST"]),
        Route("/v1/callback/enable", callbacks.enable, methods=["POST"]),
        Route("/v1/callback/replay", callbacks.replay, methods=["POST"]),
        Route("/v1/dead-letters", dead_letters.listed, methods=["GET"]),
        Route("/v1/dead-letters/groups", dead_letters.grouped, methods=["GET"]),
        Route("/v1/dead-letters/replay", dead_letter_changes.replay_many, methods=["POST"]),
        Route("/v1/dead-letters/discard", dead_letter_changes.discard_many, methods=["POST"]),
        Route("/v1/dead-letters/{id}", dead_letters.shown, methods=["GET"]),
        Route("/v1/dead-letters/{id}/replay", dead_letter_changes.replay_one, methods=["POST"]),
        Route("/v1/dead-letters/{id}/discard", dead_letter_changes.discard_one, methods=["POST"]),
        # Before the routes with an id, which may contain slashes.
        Route("/v1/messages/cancel", message_bulk.cancel_many, methods=["POST"]),
        Route("/v1/messages/release", message_bulk.release_many, methods=["POST"]),
        _by_method("/v1/messages", GET=message_list.listed, POST=messages.messages),
        Route("/v1/messages/{id:path}/explain", message.explained, methods=["GET"]),
        Route("/v1/messages/{id:path}/cancel", message.cancel, methods=["POST"]),
        Route("/v1/messages/{id:path}/release", message.release, methods=["POST"]),
        Route("/v1/messages/{id:path}", message.message, methods=["GET"]),
        Route("/v1/{channel}/messages", messages.channel_messages, methods=["POST"]),
        *openapi.routes(),
    ]


def _by_method(path: str, **answers: Callable[[Request], Awaitable[Response]]) -> Route:
    """Make one route for all methods of a path, so that a 405 lists all of them."""

    async def answer(request: Request) -> Response:
        return await answers["GET" if request.method == "HEAD" else request.method](request)

    return Route(path, answer, methods=list(answers))


async def _away(_: Request, error: Exception) -> Response:
    return problem(503, detail="The store cannot be read now.", headers={"retry-after": "1"})


#: For `Starlette(exception_handlers=…)`, beside those of `app.http.problems`: PostgreSQL is away, or all connections
#: are busy.
HANDLERS: dict[type[Exception], ExceptionHandler] = {psycopg.OperationalError: _away, psycopg.InterfaceError: _away}
