"""Sends what is due: claims messages, decides, writes each attempt down, calls providers, and writes down what came of it.

Claims, calls and settlements overlap: while providers answer, the next messages are claimed and the last ones' outcomes
are written in one transaction for all that came meanwhile. A worker that dies leaves rows whose lease ends.
"""

import asyncio
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import structlog

from adapters.sending import Unsendable
from agents import claims
from agents.calls import Call, Carry, build, make, sender_of, unsendable
from agents.failures import until_done
from agents.health import Health
from agents.settling import Settling
from agents.transport import NoAnswer
from agents.transport.oauth import Tokens
from app.sending import outcomes
from app.sending.claimed import Claimed, Result
from app.sending.clients import Client, Clients, UnknownAccount, UnknownClient
from app.sending.decide import End, Hold, decide, known
from app.sending.incoming import lane_of
from app.sending.settings import Sending
from sql import EventStore

log = structlog.get_logger(__name__)

#: Seconds between looks for due messages while nothing stirs, and for which freed places gather before a claim: a claim
#: for twenty costs little more than one for one.
IDLE, LINGER = 0.2, 0.015
#: Seconds that buying an access token may take, while all that was claimed with it waits.
TOKEN = 5.0


class Due:
    """The sending half of a worker."""

    def __init__(
        self, store: EventStore, clients: Clients, carry: Carry, tokens: Tokens, health: Health, settings: Sending
    ) -> None:
        self.store, self.clients, self.carry, self.tokens, self.health = store, clients, carry, tokens, health
        self.most, self.lease = settings.concurrency, settings.lease
        self._busy: Counter[str] = Counter()
        self._calls: set[asyncio.Task[None]] = set()
        self._settling = Settling(store, health)
        #: Accounts whose access tokens are bought.
        self._buying: set[tuple[str, str]] = set()
        self._stirred = asyncio.Event()
        self._ended = False

    def wake(self) -> None:
        """There may be something to send."""
        self._stirred.set()

    async def run(self) -> None:
        """Work until cancelled; then finish what was begun: an attempt that is written down is made, and what comes of it
        is written down too."""
        self._ended = False
        claiming, settling = asyncio.create_task(self._claiming()), asyncio.create_task(self._settling.run())
        try:
            await asyncio.shield(asyncio.gather(claiming, settling))
        finally:
            self._ended = True
            self._stirred.set()
            await asyncio.wait([claiming])
            while self._calls:
                await asyncio.wait(self._calls)
            self._settling.end()
            await asyncio.wait([settling])

    async def _claiming(self) -> None:
        while not self._ended:
            self._stirred.clear()
            free, busy = self.most - self._busy.total(), dict(self._busy)
            if free > 0:
                rows = await until_done("database", lambda: self.store.claim(free, self.lease, busy), self.health)  # noqa: B023
                self.health.works("sending")
                await self._work(rows)
                if len(rows) == free:
                    continue
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stirred.wait(), IDLE)
            if self._calls and not self._ended:
                await asyncio.sleep(LINGER)

    async def _work(self, rows: list[dict[str, Any]]) -> None:
        """Decide for each; what is to be sent is written down as an attempt, then called."""
        calls: list[Call] = []
        quick = [row for row in rows if (row["client_id"], row["account"]) not in self._buying]
        slow = [row for row in rows if (row["client_id"], row["account"]) in self._buying]
        decided = [await self._decide(row) for row in quick]
        # At once: their accounts' access tokens may have to be bought first.
        for made in decided + await asyncio.gather(*(self._decide(row) for row in slow)):
            if isinstance(made, Call):
                calls.append(made)
            else:
                self._settling.add(made)
        if not calls:
            return
        attempts = [call.attempt for call in calls]
        allowed = await until_done("database", lambda: self.store.begin(attempts), self.health)
        for call in calls:
            if call.claimed.id in allowed:
                self._busy[call.claimed.lane] += 1
                task = asyncio.create_task(self._call(call))
                self._calls.add(task)
                task.add_done_callback(self._calls.discard)

    async def _decide(self, row: dict[str, Any]) -> Call | Result:
        """A call to be made, or what is to be written instead."""
        try:
            client = await self.clients.client(row["client_id"])
            claimed = claims.read(row, client)
            if (early := _before(row, claimed)) is not None:
                return early
            if _in_doubt(row) and not await self._may_repeat(client, row["account"]):
                return outcomes.doubtful(claimed)
            now = datetime.now(UTC)
            decision = decide(claimed.request, client, known(row), now)
            if isinstance(decision, Hold):
                return outcomes.held(claimed, decision, now)
            if isinstance(decision, End):
                return outcomes.ended(claimed, decision)
            lane = lane_of(client, decision.route)
            if decision.route.account == row["account"] and lane[2:] != (row["rate"], row["burst"], row["concurrency"]):
                self._settling.lanes[lane[:2]] = lane  # its configuration has changed
            account = await self.clients.account(client, decision.route.account)
            values = account.values
            try:
                if hasattr(account.adapter, "token_request"):
                    self._buying.add((row["client_id"], account.name))
                    async with asyncio.timeout(TOKEN):
                        values = await self.tokens.prepared(account.adapter, values, trusted=account.trusted)
                return build(claimed, decision.route, decision.handle, account, values, row["expires_at"])
            except Unsendable as error:
                return unsendable(claimed, decision.route, error)
        except Exception as error:  # of the client's configuration, or a fault of ours: neither is the message's
            if isinstance(error, UnknownClient | UnknownAccount | NoAnswer | TimeoutError):
                log.warning("cannot send", client=row["client_id"], account=row["account"], error=str(error))
            else:
                log.exception("cannot decide about a message", message=str(row["id"]))
            nobodys = claims.read(row, claims.NOBODY)
            if _in_doubt(row):  # which a later try must not forget
                return outcomes.doubtful(nobodys)
            return outcomes.misconfigured(nobodys, f"{type(error).__name__}: {error}")

    async def _may_repeat(self, client: Client, account: str) -> bool:
        """Whether a call that may have arrived can be made again. Raises UnknownAccount."""
        return client.unanswered == "resend" or sender_of(await self.clients.account(client, account)).IDEMPOTENT

    async def _call(self, call: Call) -> None:
        try:
            result = await make(call, self.carry)
        finally:
            self._busy[call.claimed.lane] -= 1
            self._stirred.set()
        self._settling.add(result)


def _in_doubt(row: dict[str, Any]) -> bool:
    """Whether a worker died in the middle of an attempt."""
    return row["was"] == "sending" and row["doubt_since"] is not None


def _before(row: dict[str, Any], claimed: Claimed) -> Result | None:
    """What its past decides: what was told meanwhile, or that nobody was reached in time."""
    if _in_doubt(row) and row["told"]:
        return outcomes.told_meanwhile(claimed)
    if row["was"] != "watched":
        return None
    if row["delivery"] in ("delivered", "completed"):
        return outcomes.delivered(claimed)
    return outcomes.undelivered(claimed, row["delivery"] in ("failed", "bounced", "rejected"))
