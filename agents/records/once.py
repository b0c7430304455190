"""Rejects replays of signed tokens in the worker, using the table that all processes share across restarts.

Some providers sign a token and not the body; `webhooks.used` explains why such a token is valid for one body only.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import structlog

from adapters import ADAPTERS
from adapters.contract import Once, Request
from adapters.reading.bodies import NUL, scrub
from agents.failures import until_done
from agents.health import WorkerHealth
from sql import EventStore
from webhooks.record import Webhook
from webhooks.used import once_of

if TYPE_CHECKING:
    from agents.records.outcome import RecordOutcome

#: Why a webhook with a valid signature becomes a dead letter.
AGAIN = (
    "token used again with another body: the signature covers only the token, so anyone who has seen it can forge this"
)

log = structlog.get_logger(__name__)


def once_in(webhook: Webhook, request: Request) -> tuple[str, Once] | None:
    """Return `client/source` and the token of a verified webhook whose signature covers only the token, else None."""
    adapter = ADAPTERS.get(webhook.adapter)
    source: Any = webhook.source
    if webhook.authentic is not True or adapter is None or not isinstance(source, str):
        return None
    once = once_of(adapter, request)
    # Two clients may have sources of the same name. `scrub` makes the text storable, whatever the record holds.
    return None if once is None else (scrub(f"{webhook.client}/{source}", NUL), once)


async def refuse_used(store: EventStore, outcomes: Sequence["RecordOutcome"], health: WorkerHealth) -> None:
    """Turn each outcome whose token was used before with another body into a dead letter.

    Runs before the append: if the worker dies after the token is stored, the same body is read again and passes.
    """
    limited = [(outcome, *outcome.once) for outcome in outcomes if outcome.once is not None]
    if not limited:
        return
    uses = [(source, once.token, once.digest, once.until) for _, source, once in limited]
    for index in await until_done("database", lambda: store.use_tokens(uses), health):
        outcome, source, _ = limited[index]
        log.warning("token_used_again", source=source)
        outcome.drop()
        outcome.refuse(AGAIN)
