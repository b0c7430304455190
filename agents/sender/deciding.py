"""Decides what to do with one claimed message: call the provider, ask it about an earlier call, or write without
either."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from math import inf
from typing import Any

import structlog

from adapters.contract import TooLate, Unsendable, WrongSetting
from agents.health import WorkerHealth
from agents.sender import answered, answers, moves
from agents.sender.calls import Call, build, recovery_of
from agents.sender.claimed import HOLD, NOBODY, Claimed, Recovery, Settlement, read
from agents.sender.lookups import Lookup
from agents.transport import NoAnswer
from agents.transport.oauth import Tokens
from app.clients.configured import Account, Clients, UnknownAccount, UnknownClient
from app.sending.decide import CANCELLED, EXPIRED, End, Hold, decide
from app.sending.incoming import lane_of
from sql import is_transient
from sql.messages import Lane
from webhooks.cancelled import pass_on

log = structlog.get_logger(__name__)

#: Seconds that buying an access token may take.
TOKEN = 5.0
Row = Mapping[str, Any]


class Deciding:
    """Decides by the current configuration. Adds to `lanes` each lane whose limits in the store differ from its
    account's configuration."""

    def __init__(
        self, clients: Clients, tokens: Tokens, lanes: dict[tuple[str, str], Lane], health: WorkerHealth
    ) -> None:
        self._clients, self._tokens, self._lanes, self._health = clients, tokens, lanes, health

    async def decide_all(self, rows: Iterable[Row]) -> list[Call | Lookup | Settlement]:
        """Decide for each row, one after another."""
        return [await self.decide(row) for row in rows]

    async def decide(self, row: Row) -> Call | Lookup | Settlement:
        """Decide what to do with one claimed message, a row of `EventStore.claim` with `until`. Never raises."""
        try:
            claimed = read(row, await self._clients.client(row["client_id"]))
            if (early := _by_past(claimed)) is not None:
                return early
            made = await (self._recover(claimed) if claimed.in_doubt else self._send(claimed))
            self._health.tenant_works(row["client_id"], _about(row))
            return made
        except Exception as error:  # a fault of the configuration or of ours, not of the message
            pass_on(error)
            return self._failed(row, error)

    def _failed(self, row: Row, error: Exception) -> Settlement:
        """Log an error of deciding and add it to the health. Return that the message waits; a call in doubt stays in
        doubt."""
        expected = isinstance(error, UnknownClient | UnknownAccount)
        if not is_transient(error):
            self._health.tenant_fails(row["client_id"], _about(row), error)
        configuration = expected or isinstance(error, NoAnswer | TimeoutError | WrongSetting)
        if configuration:
            log.warning("cannot send", client=row["client_id"], account=row["account"], error=str(error))
        else:
            log.exception("cannot decide about a message", message=str(row["id"]))
        claimed = read(row, NOBODY)
        if claimed.in_doubt:  # a later try must know of the unanswered call
            if expected and not claimed.doubted:
                return _in_doubt(claimed)
            claimed = replace(claimed, doubted=True)
        if configuration:
            return moves.misconfigured(claimed, str(error) or "no answer in time")
        return moves.undecided(claimed, f"{type(error).__name__}: {error}")

    async def _recover(self, claimed: Claimed) -> Call | Lookup | Settlement:
        """Decide what to do with a message that the provider may have taken."""
        client, account = claimed.client, await self._clients.account(claimed.client, claimed.account)
        recovery = recovery_of(client, account, _age(claimed))
        if claimed.account != claimed.claimed_for:
            lane = lane_of(client, claimed.route)
            self._lanes[lane[:2]] = lane
        if claimed.checks and recovery.ask_after is not None and not claimed.cancelled:
            assert claimed.doubt_since is not None
            values = await self._values(account)
            try:
                return Lookup.of(claimed, account, values, claimed.doubt_since, recovery)
            except WrongSetting:  # the provider cannot be asked until that is corrected
                raise
            except Unsendable:  # the provider cannot be asked about this one
                recovery = Recovery(repeat=client.unanswered == "resend")
        if not recovery.repeat:
            return _in_doubt(claimed, HOLD if claimed.checks or claimed.cancelled else recovery)
        made = await self._send(replace(claimed, doubted=recovery.keyed, checks=0))
        # Only that account knows the key. And a message that would end here without a send may have been sent already.
        if not recovery.keyed or (
            made.account.name == claimed.account if isinstance(made, Call) else made.state in ("held", "retrying")
        ):
            return made
        return _in_doubt(claimed)

    async def _send(self, claimed: Claimed) -> Call | Settlement:
        client, now = claimed.client, datetime.now(UTC)
        decision = decide(claimed.request, client, claimed, now)
        if isinstance(decision, Hold):
            return moves.hold(claimed, decision, now)
        if isinstance(decision, End):
            return moves.end(claimed, decision)
        lane = lane_of(client, decision.route)
        if decision.route.account == claimed.claimed_for and lane[2:] != claimed.limits:
            self._lanes[lane[:2]] = lane
        account = await self._clients.account(client, decision.route.account)
        try:
            values = await self._values(account)
            return build(claimed, decision.route, decision.handle, account, values, claimed.expires_at)
        except TooLate:
            return moves.end(claimed, EXPIRED)
        except Unsendable as error:
            return answered.after_call(claimed, decision.route, answers.unsendable(error, claimed.request))

    async def _values(self, account: Account) -> Any:
        """Return the account's settings, with an access token where it needs one."""
        if account.send.token is None:
            return account.values
        async with asyncio.timeout(TOKEN):
            return await self._tokens.prepared(account.adapter, account.values, trusted=account.trusted)


def cancelled(call: Call) -> Settlement:
    """Return the settlement of a call that is not made because its message was cancelled meanwhile."""
    if call.claimed.doubted:
        return answered.in_doubt(call.claimed, HOLD, "no answer came to an earlier call")
    return moves.end(call.claimed, CANCELLED)


def _about(row: Row) -> str:
    """Return the name of the part of the client's configuration that the decision depends on."""
    return f"account {row['account']}" if row["account"] else "configuration"


def _age(claimed: Claimed) -> float:
    """Return the seconds since the earliest call that went unanswered."""
    return (datetime.now(UTC) - claimed.doubt_since).total_seconds() if claimed.doubt_since else inf


def _in_doubt(claimed: Claimed, recovery: Recovery = HOLD) -> Settlement:
    why = "no answer came to an earlier call" if claimed.doubted else "the worker ended during the call"
    return answered.in_doubt(claimed, recovery, why)


def _by_past(claimed: Claimed) -> Settlement | None:
    """Return the outcome that earlier attempts already determine, or None."""
    if claimed.in_doubt and claimed.reported:
        return moves.reported(claimed)
    return moves.after_watching(claimed) if claimed.was == "watched" else None
