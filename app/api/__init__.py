"""The API's routes. The application that serves them sets `app.state.api = Api.of(store, settings, blobs)`."""

import psycopg
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ExceptionHandler

from app.api import (
    approvals,
    attachments,
    audit_list,
    callbacks,
    client_accounts,
    clients,
    customer_changes,
    customer_record,
    customers,
    dead_letter_changes,
    dead_letters,
    erasures,
    export,
    interactions,
    message,
    message_bulk,
    message_list,
    messages,
    openapi,
    recipients,
    sessions,
    stream,
)
from app.api.routing import route
from app.api.service import Api, answer_fields
from app.http.problems import problem
from sql.sealing import NoKey, Tampered

log = structlog.get_logger()

__all__ = ["HANDLERS", "Api", "answer_fields", "routes"]


def routes() -> list[Route]:
    """Return all routes of the API; each reads `app.state.api`."""
    return [
        route("/api/customers", GET=customers.find),
        route("/api/customers/{id}/interactions", GET=customers.timeline),
        route("/api/customers/{id}/interactions/stream", GET=stream.stream),
        route("/api/interactions/{id}", GET=interactions.history),
        route("/api/interactions/{id}/attachments/{n}", GET=attachments.attachment_of),
        route("/v1/customers", GET=customer_record.find),
        route("/v1/customers/{id}", GET=customer_record.show, DELETE=erasures.erase),
        route("/v1/customers/{id}/merge", POST=customer_changes.merge),
        route("/v1/customers/{id}/link", POST=customer_changes.link),
        route("/v1/customers/{id}/split", POST=customer_changes.split),
        route("/v1/customers/{id}/unlink", POST=customer_changes.unlink),
        route("/v1/customer-changes/{id}/undo", POST=customer_changes.undo),
        route("/v1/customer-conflicts", GET=customer_record.conflicts),
        route("/v1/customers/{id}/hold", PUT=erasures.hold, DELETE=erasures.unhold),
        route("/v1/customers/{id}/export", GET=export.export_of),
        route("/v1/erasures", GET=approvals.listed),
        route("/v1/erasures/{id}", GET=erasures.erasure),
        route("/v1/erasures/{id}/approve", POST=approvals.approve),
        route("/v1/erasures/{id}/refuse", POST=approvals.refuse),
        route("/v1/clients", GET=clients.clients),
        route("/v1/clients/{id}", GET=clients.client, PUT=clients.put_client),
        route("/v1/clients/{id}/versions", GET=clients.versions),
        route("/v1/clients/{id}/accounts", GET=client_accounts.accounts),
        route(
            "/v1/clients/{id}/accounts/{name}", PUT=client_accounts.put_account, DELETE=client_accounts.delete_account
        ),
        # The longer path first, since a handle may contain slashes.
        route("/v1/recipients/{handle:path}/consents/{channel}", PUT=recipients.put_consent),
        route("/v1/recipients/{handle:path}", GET=recipients.recipient, PUT=recipients.put_recipient),
        route("/v1/callback", GET=callbacks.callback),
        route("/v1/callback/deliveries", GET=callbacks.deliveries),
        route("/v1/callback/secret", POST=callbacks.secret),
        route("/v1/callback/enable", POST=callbacks.enable),
        route("/v1/callback/replay", POST=callbacks.replay),
        route("/v1/dead-letters", GET=dead_letters.listed),
        route("/v1/dead-letters/groups", GET=dead_letters.grouped),
        route("/v1/dead-letters/replay", POST=dead_letter_changes.replay_many),
        route("/v1/dead-letters/discard", POST=dead_letter_changes.discard_many),
        route("/v1/dead-letters/{id}", GET=dead_letters.shown),
        route("/v1/dead-letters/{id}/replay", POST=dead_letter_changes.replay_one),
        route("/v1/dead-letters/{id}/discard", POST=dead_letter_changes.discard_one),
        # Before the routes with an id, which may contain slashes.
        route("/v1/messages/cancel", POST=message_bulk.cancel_many),
        route("/v1/messages/release", POST=message_bulk.release_many),
        route("/v1/messages", GET=message_list.listed, POST=messages.messages),
        route("/v1/messages/{id:path}/explain", GET=message.explained),
        route("/v1/messages/{id:path}/cancel", POST=message.cancel),
        route("/v1/messages/{id:path}/release", POST=message.release),
        route("/v1/messages/{id:path}", GET=message.message),
        route("/v1/audit", GET=audit_list.listed),
        route("/v1/sessions", GET=sessions.listed),
        route("/v1/sessions/{id}", DELETE=sessions.end),
        route("/v1/{channel}/messages", POST=messages.channel_messages),
        *openapi.routes(),
    ]


async def _away(_: Request, error: Exception) -> Response:
    return problem(503, detail="The store cannot be read now.", headers={"retry-after": "1"})


async def _locked(_: Request, error: Exception) -> Response:
    log.error("the store cannot be read by the keys of the settings", error=str(error))
    return problem(503, detail="The store cannot be read now.", headers={"retry-after": "60"})


#: For `Starlette(exception_handlers=…)`, beside those of `app.http.problems`: PostgreSQL is away, or all connections
#: are busy; or the key that encrypted is missing.
HANDLERS: dict[type[Exception], ExceptionHandler] = {
    psycopg.OperationalError: _away,
    psycopg.InterfaceError: _away,
    NoKey: _locked,
    Tampered: _locked,
}
