"""One question to a provider: whether it took a message whose call nobody answered."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

import structlog

from adapters.contract.receiving import Values
from adapters.contract.sending import Found, HttpCall, Message
from agents.sender.calls import Carry, jitter, message_of
from agents.transport import NoAnswer
from app.clients.configured import Account
from app.sending import outcomes
from app.sending.claimed import Claimed, Result
from schemas.events import Error

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Lookup:
    """A question that is ready to be put. `ask_after`: as `LOOKUP_AFTER` of the adapter."""

    claimed: Claimed
    account: Account
    message: Message
    outgoing: HttpCall
    values: Values
    ask_after: float

    @classmethod
    def of(
        cls, claimed: Claimed, account: Account, values: Values, begun: datetime, expires_at: datetime | None,
        ask_after: float,
    ) -> Self:  # fmt: skip
        """About the call that was `begun` then. Raises Unsendable."""
        handle = claimed.request.handle(claimed.channel)
        assert handle is not None  # it was sent there
        route = claimed.client.route_by(claimed.channel, claimed.account)
        message = message_of(claimed.request, route, handle, account.url, expires_at)
        adapter: Any = account.adapter
        return cls(claimed, account, message, adapter.build_lookup(message, values, begun), values, ask_after)

    async def put(self, carry: Carry) -> list[Result]:
        """Ask. Never raises but CancelledError: what went wrong leaves the question open."""
        adapter: Any = self.account.adapter
        try:
            response = await carry(self.outgoing, self.values, trusted=self.account.trusted)
            if response.status in (401, 403):  # the account's fault, which leaves the question open
                return [self._refused(response.status)]
            found = adapter.read_lookup(response, self.message)
        except NoAnswer as error:
            log.warning("a look-up went unanswered", account=self.account.name, error=str(error)[:300])
            found = Found(None)
        except Exception:
            log.exception("a look-up failed", account=self.account.name)
            found = Found(None)
        return [outcomes.looked_up(self.claimed, self.account.source, found, self.ask_after, jitter())]

    def _refused(self, status: int) -> Result:
        error = Error(str(status), "the provider does not let the account ask what it took", "account")
        result = outcomes.at_fault(self.claimed, None, error, f"{status}: {error.text}", status)
        result.settled = result.settled._replace(outcome=None)  # no call was made to send it
        return result
