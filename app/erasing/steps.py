"""Does the steps of an erasure in their order, from the one at which it stands. A process that is killed between or within them
leaves the rest to the next: each step is committed in the database, and doing it again changes nothing.

    requested   messages that wait are cancelled, those that are leaving are waited for
    fenced      nobody finds the handles any more, their opt-outs are suppressions, ErasureRequested is in the log
    searched    dead letters that name an address are gone, the ledger has the erasure
    asked       the providers were asked to erase what they keep, where the client wants it
    destroyed   salts and values are gone: what was sealed under these handles cannot be read again
    purged      what was projected from their events is gone, and the events are emptied
    rewritten   his part of what others share is gone, and the events are emptied in the files of the archive too
    completed   the receipt is there, CustomerErased is in the log
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.auditing.anchors import private_key
from app.clients.configured import Clients
from app.erasing.archived import empty_archive
from app.erasing.kept import append_line
from app.erasing.ledger import Line, line_of
from app.erasing.propagating import Carry, propagate
from app.erasing.receipt import digest_of, receipt_of
from app.erasing.spelled import Named, naming
from app.settings import Settings
from sql import Deciding, EventStore, Filter, Refused
from sql.erasures import Erasure, Held, Waits
from sql.handles import Owned
from sql.holdings import Holding
from sql.origin import origin

#: Seconds for which messages that are just being sent are waited for, and seconds between two looks at something that is not ready.
PATIENCE, LOOK = 120.0, 0.5
#: Dead letters that are searched at once, and seconds between two removals, in which others append.
LETTERS, PAUSE = 5, 0.05

#: Does a step; returns whether it is done, or has to be tried again.
Step = Callable[[Erasure], Awaitable[bool]]


class Eraser:
    """Does erasures with one store; `carry` makes the calls to providers (None: another process has to). `steps` counts those that this process did, by the state that they led to."""

    def __init__(
        self, store: EventStore, settings: Settings, clients: Clients | None = None, carry: Carry | None = None
    ) -> None:
        self._store, self._settings, self._carry = store, settings, carry
        self._clients = clients or Clients(store, settings)
        self._key: Ed25519PrivateKey | None = (
            private_key(settings.audit.key.get_secret_value()) if settings.audit.key else None
        )
        self._steps: dict[str, Step] = {
            "requested": self._fence,
            "fenced": self._search,
            "searched": self._ask,
            "asked": self._destroy,
            "destroyed": self._purge,
            "purged": self._rewrite,
            "rewritten": self._complete,
        }
        self.steps: Counter[str] = Counter()
        #: Since when the messages of an erasure that are just being sent are waited for, by a monotonic clock.
        self._leaving: dict[UUID, float] = {}

    async def run(self, id: UUID, reached: Callable[[str], None] = lambda _: None) -> Erasure:
        """Do all steps that an erasure still needs; `reached` gets each state that it reaches. Raises Held, Waits where it
        cannot go on now, LookupError for an unknown one, and what the store and the ledger's file raise."""
        while True:
            erasure = await self.advance(id)
            reached(erasure["state"])
            if erasure["state"] == "completed":
                return erasure

    async def advance(self, id: UUID) -> Erasure:
        """Do one step of an erasure, waiting until it can be done; return the erasure then. Raises as `run` does."""
        began = await self._read(id)
        while (now := await self._read(id))["state"] == began["state"] != "completed":
            try:
                if not await self._steps[now["state"]](now):
                    await asyncio.sleep(LOOK)
            except Waits as why:
                await self._store.note_waiting(id, str(why))
                raise
        self.steps[now["state"]] += 1
        return now

    async def _read(self, id: UUID) -> Erasure:
        found = await self._store.erasure(id)
        if found is None:
            raise LookupError(f"there is no erasure {id}")
        return found

    async def _fence(self, erasure: Erasure) -> bool:
        # What is being sent would be settled, under its address, after the fence. Counted from the first look that could lead to the
        # fence, as a hold may have ended just now, or a worker have come back.
        id = erasure["id"]
        began = self._leaving.setdefault(id, time.monotonic())
        patient = time.monotonic() - began < PATIENCE
        try:
            if await self._store.cancel_erased(erasure) and patient:
                return False
            done = await self._store.fence_erasure(erasure, while_leaving=not patient)
        except (Held, Waits):
            del self._leaving[id]
            raise
        if done:
            del self._leaving[id]
        return done

    async def _search(self, erasure: Erasure) -> bool:
        """Note the erasure in the ledger, give addresses whose keys stay to whoever has them next, and remove dead letters in which
        an address of it stands."""
        values, holdings = await self._store.erased_values(erasure), await self._store.holdings(erasure)
        if (file := self._settings.erasure.ledger) is not None and (values or holdings) and erasure["repeats"] is None:
            known = Line(
                erasure["id"],
                erasure["client_id"],
                erasure["customer_id"],
                tuple(erasure["handles"]),
                tuple(digest for _, digest in values),
                tuple(holdings),
                erasure["fenced_at"],
            )
            await asyncio.to_thread(append_line, file, line_of(known, self._key))
        await self._store.suppress_beside(
            erasure
        )  # before the next holder gets the address: the opt-outs count for that person too
        for row in await self._store.holdings_to_end(erasure["id"]):
            by = Deciding("operator", f"erasure {erasure['id']}", erasing=True)
            try:
                await self._store.unlink_handle(
                    row["client_id"], row["customer_id"], row["handle_id"], row["valid_to"], by
                )
            except Refused:  # somebody decided on it meanwhile: look again
                return False
        await self._remove_letters(erasure, [owned for owned, _ in values], holdings)
        return await self._store.end_step(erasure["id"], "fenced", "searched")

    async def _remove_letters(self, erasure: Erasure, values: list[Owned], holdings: list[Holding]) -> None:
        whole = [Named(owned) for owned in values]
        had = [(Named(each.owned), each) for each in holdings if each.owned is not None]
        which, after = Filter(client=erasure["client_id"]), None
        while (whole or had) and (page := await self._store.dead_letters(which, after, LETTERS)):
            after = (page[-1]["recorded_at"], page[-1]["id"])
            # One by one, since each may have megabytes.
            letters = [await self._store.dead_letter(row["id"]) for row in page]
            named = await asyncio.to_thread(_naming, [row for row in letters if row is not None], whole, had)
            if named:
                await self._store.erase_dead_letters(erasure["id"], named)

    async def _ask(self, erasure: Erasure) -> bool:
        await propagate(self._store, self._clients, self._settings, erasure, self._carry)
        return await self._store.end_step(erasure["id"], "searched", "asked")

    async def _destroy(self, erasure: Erasure) -> bool:
        return await self._store.destroy_erasure(erasure)

    async def _purge(self, erasure: Erasure) -> bool:
        while removed := await self._store.purge_erasure(erasure["id"]):
            self.steps["interactions removed"] += removed
            await asyncio.sleep(PAUSE)
        return removed == 0 and await self._store.purged_erasure(erasure["id"])

    async def _rewrite(self, erasure: Erasure) -> bool:
        alone = await empty_archive(self._store, self._settings, erasure, self._emptied)
        rows = await self._store.erased_rows(erasure["id"])
        # What left interactions of others is emptied, and so is a month that was restored since the log was emptied: once more.
        again = alone or rows["eventsWithContent"] or rows["eventsAlone"]
        return await self._store.end_step(erasure["id"], "purged", "destroyed" if again else "rewritten")

    def _emptied(self, events: int) -> None:
        self.steps["files of the archive"] += 1
        self.steps["archived events emptied"] += events

    async def _complete(self, erasure: Erasure) -> bool:
        after, holdings = await self._store.erased_rows(erasure["id"]), await self._store.holdings(erasure)
        receipt = receipt_of(erasure, after, holdings, self._settings, datetime.now(UTC), self._key)
        return await self._store.complete_erasure(erasure, receipt, digest_of(receipt), origin().actor)


def _naming(letters: list[dict[str, Any]], whole: list[Named], had: list[tuple[Named, Holding]]) -> list[UUID]:
    """Return the dead letters in which one of the addresses stands; those of `had` in their time only."""
    named = []
    for row in letters:
        then = [one for one, each in had if each.has(row["recorded_at"])]
        if naming(_text(row), (*whole, *then)):
            named.append(row["id"])
    return named


def _text(row: dict[str, Any]) -> bytes:
    value = bytes(row["value"] or b"")
    return b"\n".join((value, repr((row["detail"], row["items"], row["reason"])).encode("utf-8", "replace")))


__all__ = ["Eraser", "Held", "Waits"]
