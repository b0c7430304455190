"""One question to a provider: whether it took a message whose call nobody answered."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self

import structlog

from adapters.contract import Found, HttpCall, LookUp, Message, Values, WrongSetting
from agents.sender.calls import Carry, jitter, message_of
from agents.transport import NoAnswer
from app.clients.configured import Account
from app.sending import outcomes
from app.sending.claimed import Claimed, Result
from schemas.events import Error

log = structlog.get_logger(__name__)


def _look_up(account: Account) -> LookUp:
    """Return how the account's provider is asked. Raises WrongSetting if it cannot be."""
    if account.send.look_up is None:
        raise WrongSetting(f"{account.adapter.name} cannot be asked what it accepted")
    return account.send.look_up


@dataclass(slots=True)
class Lookup:
    """A question that is ready to be put. `ask_after`: as `LookUp.after` of the adapter."""

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
        return cls(claimed, account, message, _look_up(account).build(message, values, begun), values, ask_after)

    async def put(self, carry: Carry) -> list[Result]:
        """Ask. Never raises but CancelledError: what went wrong leaves the question open."""
        look_up = _look_up(self.account)
        try:
            response = await carry(self.outgoing, self.values, trusted=self.account.trusted)
            if response.status in (401, 403):  # the account's fault, which leaves the question open
                return [self._refused(response.status)]
            found = look_up.read(response, self.message)
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
