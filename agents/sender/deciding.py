"""Decides about one claimed message: a call to be made, a question to the provider, or what is written without either."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from math import inf
from typing import Any

import structlog

from adapters.contract import TooLate, Unsendable, WrongSetting
from agents.health import Health
from agents.sender import claims
from agents.sender.calls import Call, build, recourse_of, unsendable
from agents.sender.lookups import Lookup
from agents.transport import NoAnswer
from agents.transport.oauth import Tokens
from app.clients.configured import Account, Clients, UnknownAccount, UnknownClient
from app.sending import outcomes, uncalled
from app.sending.claimed import Claimed, Recourse, Result
from app.sending.decide import CANCELLED, EXPIRED, End, Hold, decide, known
from app.sending.incoming import lane_of
from sql import is_transient
from sql.messages import Lane

log = structlog.get_logger(__name__)

#: Seconds that buying an access token may take.
TOKEN = 5.0
Row = dict[str, Any]


class Deciding:
    """By what is configured now. Notes in `lanes` those whose accounts are configured otherwise than the store has them."""

    def __init__(self, clients: Clients, tokens: Tokens, lanes: dict[tuple[str, str], Lane], health: Health) -> None:
        self._clients, self._tokens, self._lanes, self._health = clients, tokens, lanes, health

    async def decide_all(self, rows: Iterable[Row]) -> list[Call | Lookup | Result]:
        """Of each, one after another."""
        return [await self.decide(row) for row in rows]

    async def decide(self, row: Row) -> Call | Lookup | Result:
        """Of a row of `EventStore.claim`. Never raises."""
        try:
            client = await self._clients.client(row["client_id"])
            claimed = claims.read(row, client)
            if (early := _before(row, claimed)) is not None:
                return early
            made = await (self._doubt(row, claimed) if _in_doubt(row) else self._send(row, claimed))
            self._health.tenant_works(row["client_id"], _about(row))
            return made
        except Exception as error:  # of the client's configuration, or a fault of ours: neither is the message's
            expected = isinstance(error, UnknownClient | UnknownAccount)
            if not is_transient(error):
                self._health.tenant_fails(row["client_id"], _about(row), error)
            named = expected or isinstance(error, NoAnswer | TimeoutError | WrongSetting)
            if named:
                log.warning("cannot send", client=row["client_id"], account=row["account"], error=str(error))
            else:
                log.exception("cannot decide about a message", message=str(row["id"]))
            nobodys = claims.read(row, claims.NOBODY)
            if _in_doubt(row):  # which a later try must not forget
                if expected and not row["doubted"]:
                    return _doubtful(row, nobodys)
                nobodys = replace(nobodys, doubted=True)
            why = (named and str(error)) or f"{type(error).__name__}: {error}"
            return uncalled.misconfigured(nobodys, why) if named else uncalled.undecided(nobodys, why)

    async def _doubt(self, row: Row, claimed: Claimed) -> Call | Lookup | Result:
        """What is to be done about a message that may have been taken."""
        client, account = claimed.client, await self._clients.account(claimed.client, claimed.account)
        recourse = recourse_of(client, account, _age(row))
        if claimed.account != row["account"]:  # the attempt was made by another than the one it was claimed for
            lane = lane_of(client, client.route_by(claimed.channel, claimed.account))
            self._lanes[lane[:2]] = lane
        if row["checks"] and recourse.ask_after is not None and not row["cancelled"]:
            values = await self._values(account)
            try:
                return Lookup.of(claimed, account, values, row["doubt_since"], row["expires_at"], recourse.ask_after)
            except WrongSetting:  # until that is mended nobody can be asked
                raise
            except Unsendable:  # this one it cannot be asked about
                recourse = Recourse(repeat=client.unanswered == "resend")
        if not recourse.repeat:
            return _doubtful(row, claimed, outcomes.HOLD if row["checks"] or row["cancelled"] else recourse)
        made = await self._send(row, replace(claimed, doubted=recourse.keyed, checks=0))
        # The key is known to that account alone, and what ends without a send may have been sent.
        if not recourse.keyed or (
            made.account.name == claimed.account
            if isinstance(made, Call)
            else made.settled.state in ("held", "retrying")
        ):
            return made
        return _doubtful(row, claimed)

    async def _send(self, row: Row, claimed: Claimed) -> Call | Result:
        client, now = claimed.client, datetime.now(UTC)
        decision = decide(claimed.request, client, known(row), now)
        if isinstance(decision, Hold):
            return uncalled.held(claimed, decision, now)
        if isinstance(decision, End):
            return uncalled.ended(claimed, decision)
        lane = lane_of(client, decision.route)
        if decision.route.account == row["account"] and lane[2:] != (row["rate"], row["burst"], row["concurrency"]):
            self._lanes[lane[:2]] = lane
        account = await self._clients.account(client, decision.route.account)
        try:
            values = await self._values(account)
            return build(claimed, decision.route, decision.handle, account, values, row["expires_at"])
        except TooLate:
            return uncalled.ended(claimed, EXPIRED)
        except Unsendable as error:
            return unsendable(claimed, decision.route, error)

    async def _values(self, account: Account) -> Any:
        """The account's settings, with an access token where it needs one."""
        if account.send.token is None:
            return account.values
        async with asyncio.timeout(TOKEN):
            return await self._tokens.prepared(account.adapter, account.values, trusted=account.trusted)


def _about(row: Row) -> str:
    """What of the client's configuration a decision rests on."""
    return f"account {row['account']}" if row["account"] else "configuration"


def cancelled(call: Call) -> Result:
    """What follows for a call that is not made, as its message was cancelled meanwhile."""
    if call.claimed.doubted:
        return outcomes.doubtful(call.claimed, outcomes.HOLD, "no answer came to an earlier call")
    return uncalled.ended(call.claimed, CANCELLED)


def _in_doubt(row: Row) -> bool:
    """Whether it may have been taken: a call went unanswered, or a worker died in the middle of one."""
    return row["doubted"] or (row["was"] == "sending" and row["doubt_since"] is not None)


def _age(row: Row) -> float:
    """Seconds since the earliest call that nobody answered."""
    return (datetime.now(UTC) - row["doubt_since"]).total_seconds() if row["doubt_since"] else inf


def _doubtful(row: Row, claimed: Claimed, recourse: Recourse = outcomes.HOLD) -> Result:
    why = "no answer came to an earlier call" if row["doubted"] else "the worker ended during the call"
    return outcomes.doubtful(claimed, recourse, why)


def _before(row: Row, claimed: Claimed) -> Result | None:
    """What its past decides: what was told meanwhile, or that nobody was reached in time."""
    if _in_doubt(row) and row["told"]:
        return uncalled.told_meanwhile(claimed)
    if row["was"] != "watched":
        return None
    if row["delivery"] in ("delivered", "completed"):
        return uncalled.delivered(claimed)
    return uncalled.undelivered(claimed, row["delivery"] in ("failed", "bounced", "rejected"))
