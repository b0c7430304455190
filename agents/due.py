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
from agents.calls import Call, Carry, build, make, sender_of, unsendable
from agents.failures import is_permanent, until_done
from agents.health import Health as WorkerHealth
from agents.oauth import Tokens
from agents.transport import NoAnswer
from app.sending import outcomes
from app.sending.clients import Clients, UnknownAccount, UnknownClient
from app.sending.consent import learned
from app.sending.decide import End, Hold, Known, decide
from app.sending.outcomes import Claimed, Result
from app.sending.requests import kept_request
from app.settings import Sending
from schemas.events import Event
from sql import EventStore, Row
from sql.sending import Health

log = structlog.get_logger(__name__)

#: Seconds between looks for due messages while nothing stirs, and for which freed places gather before a claim: a claim
#: for twenty costs little more than one for one.
IDLE, LINGER = 0.2, 0.015
#: Seconds that outcomes gather before they are written.
GATHER = 0.01


class Due:
    """The sending half of a worker."""

    def __init__(
        self, store: EventStore, clients: Clients, carry: Carry, tokens: Tokens, health: WorkerHealth, settings: Sending
    ) -> None:
        self.store, self.clients, self.carry, self.tokens, self.health = store, clients, carry, tokens, health
        self.most, self.lease = settings.concurrency, settings.lease
        self._busy: Counter[str] = Counter()
        self._calls: set[asyncio.Task[None]] = set()
        self._results: list[Result] = []
        self._stirred, self._settle = asyncio.Event(), asyncio.Event()

    def wake(self) -> None:
        """There may be something to send."""
        self._stirred.set()

    async def run(self) -> None:
        """Work until cancelled; calls under way are waited for, and their outcomes written."""
        settling = asyncio.create_task(self._settling())
        try:
            await self._claiming()
        finally:
            await self._drain(settling)

    async def _drain(self, settling: asyncio.Task[None]) -> None:
        if self._calls:
            await asyncio.wait(self._calls)
        settling.cancel()
        with suppress(asyncio.CancelledError):
            await settling
        if self._results:
            await self._write()

    async def _claiming(self) -> None:
        while True:
            self._stirred.clear()
            free, busy = self.most - self._busy.total(), dict(self._busy)
            if free > 0:
                rows = await until_done("database", lambda: self.store.claim(free, self.lease, busy), self.health)  # noqa: B023
                await self._work(rows)
                if len(rows) == free:
                    continue
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stirred.wait(), IDLE)
            if self._calls:
                await asyncio.sleep(LINGER)

    async def _work(self, rows: list[dict[str, Any]]) -> None:
        """Decide for each; what is to be sent is written down as an attempt, then called."""
        calls: list[Call] = []
        for row in rows:
            made = await self._decide(row)
            if isinstance(made, Call):
                calls.append(made)
            elif made is not None:
                self._done(made)
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

    async def _decide(self, row: dict[str, Any]) -> Call | Result | None:
        """A call to be made, or what is to be written instead; None leaves it to a later claim, once its lease is over."""
        try:
            client = await self.clients.client(row["client_id"])
            claimed = _claimed(row, client)
            if (early := self._before(row, claimed)) is not None:
                return early
            now = datetime.now(UTC)
            decision = decide(claimed.request, client, _known(row), now)
            if isinstance(decision, Hold):
                return outcomes.held(claimed, decision, now)
            if isinstance(decision, End):
                return outcomes.ended(claimed, decision)
            route = decision.route
            account = await self.clients.account(client, route.account)
            if row["was"] == "sending" and row["doubt_since"] is not None:
                again = sender_of(account).IDEMPOTENT or client.unanswered == "resend"
                if not again:
                    return outcomes.doubtful(claimed)
            try:
                values = await self.tokens.prepared(account.adapter, account.values, trusted=account.trusted)
                return build(claimed, route, decision.handle, account, values, row["expires_at"])
            except Unsendable as error:
                return unsendable(claimed, route, error)
        except (UnknownClient, UnknownAccount, NoAnswer) as error:
            self.health.failing("sending", error)
            return outcomes.misconfigured(_claimed(row, None), f"{type(error).__name__}: {error}")
        except Exception as error:
            if is_permanent(error):
                raise
            log.exception("cannot decide about a message", message=str(row["id"]))
            self.health.failing("sending", error)
            return None

    def _before(self, row: dict[str, Any], claimed: Claimed) -> Result | None:
        """What its past decides: what was told meanwhile, or that nobody was reached in time."""
        if row["was"] == "sending" and row["doubt_since"] is not None and row["told"]:
            return outcomes.told_meanwhile(claimed)
        if row["was"] != "watched":
            return None
        if row["delivery"] in ("delivered", "completed"):
            return outcomes.delivered(claimed)
        return outcomes.undelivered(claimed, row["delivery"] in ("failed", "bounced", "rejected"))

    async def _call(self, call: Call) -> None:
        try:
            result = await make(call, self.carry)
        finally:
            self._busy[call.claimed.lane] -= 1
            self._stirred.set()
        self._done(result)

    def _done(self, result: Result) -> None:
        self._results.append(result)
        self._settle.set()

    async def _settling(self) -> None:
        while True:
            await self._settle.wait()
            await asyncio.sleep(GATHER)
            self._settle.clear()
            await self._write()

    async def _write(self) -> None:
        results, self._results = self._results, []
        if results:
            if lanes := lanes_of(results):
                await until_done("database", lambda: self.store.note_lanes(lanes), self.health)
            await until_done("database", lambda: self._write_all(results), self.health)
            for result in results:
                self.health.counts[f"messages_{result.settled.state}"] += 1
            self.health.succeeded("sending")

    async def _write_all(self, results: list[Result]) -> None:
        at = datetime.now(UTC)
        rows: list[Row] = [
            (event, result.claimed.request.client_id, at, None) for result in results for event in _told(result)
        ]
        await self.store.settle([result.settled for result in results], rows)


def _told(result: Result) -> list[Event]:
    """Its events, and what a provider's refusal says of consent; our own refusal for want of it says nothing new."""
    if not result.settled.status:
        return result.events
    return [each for event in result.events for each in (event, *learned(event))]


def lanes_of(results: list[Result]) -> list[Health]:
    """How the accounts did in these calls, of those where that is news: one that passed counts for those beside it that
    failed, and tells nothing of an account that was well."""
    lanes: dict[str, list[Result]] = {}
    for result in results:
        if result.passed is False or result.pause is not None or (result.passed and result.claimed.ailing):
            lanes.setdefault(result.claimed.lane, []).append(result)
    passed = {result.claimed.lane for result in results if result.passed}
    told: list[Health] = []
    for lane, each in lanes.items():
        failed = sum(result.passed is False for result in each)
        pause = max((result.pause for result in each if result.pause is not None), default=None)
        words = next((result.trouble for result in reversed(each) if result.trouble), None)
        told.append((lane, lane in passed, failed, pause, words))
    return told


def _claimed(row: dict[str, Any], client: Any) -> Claimed:
    return Claimed(
        id=str(row["id"]),
        claim=row["claims"],
        tries=row["tries"],
        tried=tuple(row["tried"]),
        was=row["was"],
        lane=str(row["lane"]),
        ailing=row["ailing"],
        channel=row["channel"],
        account=row["account"],
        request=kept_request(row["client_id"], row["message_id"], row["request"]),
        client=client,
    )


def _known(row: dict[str, Any]) -> Known:
    return Known(
        expires_at=row["expires_at"],
        tried=row["tried"],
        cancelled=row["cancelled"],
        released=row["released"],
        opted_out=row["opted_out"] or (),
        profile_zone=row["zone"],
    )
