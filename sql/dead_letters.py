"""Dead letters: listing, grouping, replaying and discarding them."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sql.hours import HoursStore
from sql.letters import open_letter
from sql.origin import noted
from sql.pool import Connection
from sql.sealing import NoKey
from sql.statements import statement

#: The latest dead letters that are grouped, and the groups that are returned, at most.
GROUPED, GROUPS = 100_000, 200
#: Most dead letters that are published again in one transaction, each of which may have megabytes.
PUBLISHED = 20

#: Publishes records (topic, value, dead letter's id, number of the replay), and returns for each whether it was taken, or None if
#: that is not known.
Publish = Callable[[Sequence[tuple[str, bytes, UUID, int]]], Awaitable[Sequence[bool | None]]]
#: The `recorded_at` and `id` of a dead letter, after which a page begins.
Place = tuple[datetime, UUID]


@dataclass(frozen=True, slots=True)
class Filter:
    """Which dead letters are meant; a member that is None passes all. `client`: only those of this client; None: those of all clients
    and of none. `reason`: a part of the reason in its general form. `since` is inclusive, `until` exclusive. `handled`: those that were
    replayed or discarded (True), or neither (False). `lost`: those that were replayed and have no outcome."""

    client: str | None = None
    topic: str | None = None
    source: str | None = None
    reason: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    handled: bool | None = None
    lost: bool = False

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of `dead_letter_filter.sql`."""
        return {
            "client_id": self.client,
            "topic": self.topic,
            "source": self.source,
            "reason": self.reason,
            "since": self.since,
            "until": self.until,
            "handled": self.handled,
            "lost": self.lost,
        }


class DeadLettersStore(HoursStore):
    """The statements about dead letters."""

    async def dead_letters(
        self, which: Filter | None = None, after: Place | None = None, limit: int = 100
    ) -> list[dict[str, Any]]:
        """Return dead letters without their records (`whole`: the record is stored), newest first, after a place. `unopenable`: why
        a dead letter's sealed columns cannot be opened, None if they were; if not, its reason is in the general form."""
        which = which or Filter()
        name = "dead_letters_listed" if which.client is None else "dead_letters_of_client"
        return await self._letters_opened(await self._rows(name, _page(which, after, limit)))

    async def dead_letter(self, id: UUID, client: str | None = None) -> dict[str, Any] | None:
        """Return one dead letter with its record (`value`), `detail` and `items`; None if there is none, or with `client` if it
        is another's."""
        rows = await self._letters_opened(await self._rows("dead_letter", {"id": id, "client_id": client}))
        return rows[0] if rows else None

    async def dead_letters_by_id(self, ids: Sequence[UUID]) -> list[dict[str, Any]]:
        """Return these dead letters without their records."""
        return await self._letters_opened(await self._rows("dead_letters_by_id", {"ids": list(ids)}))

    async def _letters_opened(
        self, rows: list[dict[str, Any]], connection: Connection | None = None
    ) -> list[dict[str, Any]]:
        """Open the sealed columns of these rows. If a `connection` is given, on which the rows are locked, raises sql.sealing.NoKey."""
        names = ("sealed_reason", "sealed_detail", "value")
        try:
            await self.keys_for((row.get(name) for row in rows if row["sealed_reason"] for name in names), connection)
        except NoKey:  # then each of them says so
            if connection is not None:
                raise
        for row in rows:
            open_letter(row, self.hours)
        return rows

    async def dead_letter_groups(self, which: Filter) -> tuple[list[dict[str, Any]], int]:
        """Group the latest dead letters (at most `GROUPED`) by `source`, `topic`, `reason` (in its general form) and `shape`: return
        at most `GROUPS` groups with `letters` (their number), `first_at`, `last_at` and `example`, the largest first; and how many
        dead letters were looked at."""
        name = "dead_letter_groups" if which.client is None else "dead_letter_groups_of_client"
        rows = await self._rows(name, _page(which, None, GROUPED) | {"groups": GROUPS})
        return rows, int(rows[0]["seen"]) if rows else 0

    async def dead_letters_count(self, which: Filter) -> tuple[int, int]:
        """Return the number of dead letters, and how many of them still have their record."""
        row = await self._row("dead_letters_count", which.parameters)
        assert row is not None
        return int(row["letters"]), int(row["whole"])

    async def dead_letters_by_source(self, since: datetime) -> list[dict[str, Any]]:
        """Count the dead letters since a time that were not handled (`letters`), by `topic` and `source`, most first."""
        return await self._rows("dead_letters_by_source", {"since": since})

    async def replay_dead_letters(
        self, ids: Sequence[UUID], actor: str, key: UUID | None = None, *, again: bool = False
    ) -> set[UUID]:
        """Ask a worker to put records on their topics again; return the ids of their dead letters. Dead letters without a record, those
        that were discarded and, unless `again`, those that were replayed are left out. The audit names `actor` and the API key."""
        parameters = {"ids": list(ids), "actor": actor, "key": key and str(key), "again": again}
        return {row["id"] for row in await self._run("replay_dead_letters", parameters | noted())}

    async def discard_dead_letters(
        self, ids: Sequence[UUID], why: str, actor: str, key: UUID | None = None, *, remove: bool = False
    ) -> set[UUID]:
        """Discard dead letters; with `remove`, also remove their records. Return the ids of those that were not handled before. The
        audit names `actor`, the API key and the reason."""
        parameters = {"ids": list(ids), "why": why, "actor": actor, "key": key and str(key), "remove": remove}
        return {row["id"] for row in await self._run("discard_dead_letters", parameters | noted())}

    async def publish_replays(self, publish: Publish, resting: Sequence[str] = ()) -> int:
        """Publish the next records that are to be put on their topics again, except those of the `resting` topics; return how
        many were taken or refused. They are locked meanwhile, so that only one worker publishes each. If the worker dies before the
        commit, or it is not known whether Kafka took a record, the record is published again."""
        given = {"limit": PUBLISHED, "resting": list(resting)}
        look = await self._row(
            "replays_wait", {"resting": given["resting"]}
        )  # mostly there is no such record, and then no transaction is needed
        if look is None or not look["waits"]:
            return 0
        async with self._pool.connection() as connection, connection.transaction():
            cursor = await connection.execute(statement("due_replays"), given, prepare=True)
            rows = await self._letters_opened(await cursor.fetchall(), connection)
            if not rows:
                return 0
            whole = [row for row in rows if row["value"] is not None]  # the others cannot be opened
            taken = await publish([(row["topic"], bytes(row["value"]), row["id"], row["replays"]) for row in whole])
            refused = {row["id"]: not each for row, each in zip(whole, taken, strict=True) if each is not None}
            refused |= {row["id"]: True for row in rows if row["value"] is None}
            marks = {"ids": list(refused), "refused": list(refused.values())}
            await connection.execute(statement("replays_published"), marks, prepare=True)
        return len(refused)


def _page(which: Filter, after: Place | None, limit: int) -> dict[str, Any]:
    after_at, after_id = after or (None, None)
    return which.parameters | {"after_at": after_at, "after_id": after_id, "limit": limit}
