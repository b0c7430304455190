"""What was signed apart from its body is used once, in the worker: the memory that all doors and restarts share."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import structlog

from adapters import ADAPTERS
from adapters.contract.receiving import Once, Request
from adapters.reading.bodies import NUL, scrub
from agents.failures import until_done
from agents.health import Health
from sql import EventStore
from webhooks.record import Webhook
from webhooks.used import once_of

if TYPE_CHECKING:
    from agents.records.outcome import Outcome

#: Why a webhook whose signature held becomes a dead letter.
AGAIN = (
    "token used again with another body: its signature covers the token alone, so that anyone who saw it can forge this"
)

log = structlog.get_logger(__name__)


def once_in(webhook: Webhook, request: Request) -> tuple[str, Once] | None:
    """The webhook's client and source, and its token, where its signature held and covers no more than that."""
    adapter: Any = ADAPTERS.get(webhook.adapter)
    source: Any = webhook.source
    if webhook.authentic is not True or adapter is None or not isinstance(source, str):
        return None
    once = once_of(adapter, request)
    # Another client's source may have the same name. Whatever the record says, it is text that the database takes.
    return None if once is None else (scrub(f"{webhook.client}/{source}", NUL), once)


async def refuse_used(store: EventStore, outcomes: Sequence["Outcome"], health: Health) -> None:
    """Make dead letters of those whose token came before with something else. Before they are appended: a token that is
    written down by a worker which then dies is met again with the same body, and passes."""
    limited = [(outcome, *outcome.once) for outcome in outcomes if outcome.once is not None]
    if not limited:
        return
    uses = [(source, once.token, once.digest, once.until) for _, source, once in limited]
    for index in await until_done("database", lambda: store.use_tokens(uses), health):
        outcome, source, _ = limited[index]
        log.warning("token_used_again", source=source)
        outcome.drop()
        outcome.refuse(AGAIN)
