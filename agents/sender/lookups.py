"""A look-up: asks a provider whether it accepted a message whose call went unanswered."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self

import structlog

from adapters.contract import Found, HttpCall, LookUp, Message, Values, WrongSetting
from agents.sender import answered, answers
from agents.sender.calls import Carry, jitter, message_of
from agents.sender.claimed import Claimed, Recovery, Settlement
from agents.transport import NoAnswer
from app.clients.configured import Account
from schemas.events import Error
from webhooks.cancelled import pass_on

log = structlog.get_logger(__name__)


def _look_up(account: Account) -> LookUp:
    """Return the look-up of the account's adapter. Raises WrongSetting if it has none."""
    if account.send.look_up is None:
        raise WrongSetting(f"{account.adapter.name} cannot be asked what it accepted")
    return account.send.look_up


@dataclass(slots=True)
class Lookup:
    """A look-up that is ready to be made. `recovery.ask_after`: `LookUp.after` of the adapter."""

    claimed: Claimed
    account: Account
    message: Message
    outgoing: HttpCall
    values: Values
    recovery: Recovery

    @classmethod
    def of(cls, claimed: Claimed, account: Account, values: Values, begun: datetime, recovery: Recovery) -> Self:
        """Build the look-up for a call that started at `begun`. Raises Unsendable."""
        handle = claimed.request.handle(claimed.channel)
        assert handle is not None  # the earlier call was sent to it
        message = message_of(claimed.request, claimed.route, handle, account.url, claimed.expires_at)
        return cls(claimed, account, message, _look_up(account).build(message, values, begun), values, recovery)

    async def ask(self, carry: Carry) -> list[Settlement]:
        """Ask the provider, and return the settlement. Raises only CancelledError: after an error the outcome stays
        unknown."""
        look_up = _look_up(self.account)
        try:
            response = await carry(self.outgoing, self.values, trusted=self.account.trusted)
            if response.status in (401, 403):  # the account's fault: the outcome stays unknown
                text = "the provider does not let the account ask what it took"
                error = Error(str(response.status), text, "account")
                return [self._settled(answers.at_fault(f"{response.status}: {text}", error, response.status))]
            found = look_up.read(response, self.message)
        except NoAnswer as error:
            log.warning("a look-up went unanswered", account=self.account.name, error=str(error)[:300])
            found = Found(None)
        except Exception as error:
            pass_on(error)
            log.exception("a look-up failed", account=self.account.name)
            found = Found(None)
        return [self._settled(answers.found(found))]

    def _settled(self, answer: answers.Answer) -> Settlement:
        claimed, recovery = self.claimed, self.recovery
        return answered.after_call(
            claimed, claimed.route, answer, handle=self.message.to, source=self.account.source,
            job_ids=self.account.adapter.job_ids, recovery=recovery, jitter=jitter(), called=False,
        )  # fmt: skip
