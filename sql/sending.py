"""Messages to be sent: accepted once, claimed by one worker at a time, and what came of each."""

from collections.abc import Callable, Sequence
from typing import Any

import orjson
import psycopg

from sql.append import Appending
from sql.messages import Answer, Health, InFlight, Lane, NewMessage, Remembered, Settled, Told, Verdict
from sql.parameters import always_written, json
from sql.pool import Connection
from sql.rows import Row
from sql.statements import statement

#: Calls of one account that fail in a row before it is left alone, and the longest that is, in seconds.
TROUBLE, LONGEST_PAUSE = 10, 60.0


class Sending(Appending):
    """What sends go through. All raise psycopg's errors as `append` does."""

    async def accept(
        self, messages: Sequence[NewMessage], lanes: Sequence[Lane], rows: Sequence[Row], answer: Answer | None = None
    ) -> list[Verdict]:
        """Take requests, each with the event (`rows`, in the same order) that says so; those taken before change
        nothing. Durable on return. The answers that `answer` makes of the verdicts are kept with them, or nothing is.

        Raises InFlight where a request with the same key is being answered in another transaction, and psycopg's
        UniqueViolation where one was."""
        parameters = {
            "messages": json(orjson.dumps([tuple(each) for each in messages])),
            "lanes": json(orjson.dumps(list(lanes))),
        }

        async def work(connection: Connection) -> list[Verdict]:
            found = await (await connection.execute(statement("accept"), parameters, prepare=True)).fetchall()
            fresh = [row["fresh"] for row in found]
            if any(row["same"] is None for row in found):  # taken while this one waited: a second look sees it
                found = await (await connection.execute(statement("accept"), parameters, prepare=True)).fetchall()
            verdicts = [Verdict(new, row["same"]) for new, row in zip(fresh, found, strict=True)]
            await self.write(connection, [row for row, new in zip(rows, fresh, strict=True) if new])
            if answers := answer(verdicts) if answer is not None else ():
                columns = {
                    name: [*column] for name, column in zip(Remembered._fields, zip(*answers, strict=True), strict=True)
                }
                cursor = await connection.execute(statement("remember"), columns, prepare=True)
                if len(await cursor.fetchall()) < len(answers):
                    raise InFlight
            return verdicts

        return await self.transact(work)

    async def claim(self, most: int, lease: float, busy: dict[str, int]) -> list[dict[str, Any]]:
        """At most `most` messages that are due, taken for `lease` seconds; `busy`: calls in flight here by lane."""
        parameters = {"most": most, "lease": lease, "busy": json(orjson.dumps(busy)), "trouble": TROUBLE}
        return await self._run("claim", parameters)

    async def begin(self, attempts: Sequence[tuple[str, int, str, str]]) -> set[str]:
        """Write attempts down (message's id, claim, channel, account); the ids of those that may be made."""
        rows = await self._run("begin", {"attempts": json(orjson.dumps(attempts))})
        return {str(row["id"]) for row in rows}

    async def settle(self, settled: Sequence[Settled], rows: Sequence[Row]) -> None:
        """Write down what came of claims, with the events that tell it."""
        parameters = {"settled": json(orjson.dumps([tuple(each) for each in settled]))}

        async def work(connection: Connection) -> None:
            await connection.execute(statement("settle"), parameters, prepare=True)
            await self.write(connection, rows)

        await self.transact(work)

    async def set_lanes(self, lanes: Sequence[Lane]) -> None:
        """Have lanes as their accounts are configured now."""
        await self._run_only("set_lanes", {"lanes": json(orjson.dumps(list(lanes)))})

    async def note_lanes(self, lanes: Sequence[Health]) -> None:
        """Write down how accounts did. Apart from what came of their messages: a lane that is being written to is claimed
        from by nobody."""
        parameters = {"lanes": json(orjson.dumps(lanes)), "trouble": TROUBLE, "longest": LONGEST_PAUSE}
        await self._run_only("lane_health", parameters)

    async def told(self, references: Sequence[Told]) -> None:
        """Providers told that these messages failed: (client, provider, our id, theirs)."""
        await self._run_only("told", {"told": json(always_written(references))})

    async def on_accepted(self, call: Callable[[], None]) -> None:
        """Call this at once and whenever requests were accepted, in any process; on a connection of its own, until that is
        lost."""
        dsn = self._pool.conninfo
        assert isinstance(dsn, str)
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            await connection.execute(statement("listen"))
            call()
            async for _ in connection.notifies():
                call()

    async def sweep(self) -> int:
        """Settle unanswered attempts of which the provider told since; how many."""
        return len(await self._run("sweep"))

    async def sending_counts(self) -> list[dict[str, Any]]:
        """What waits: `state`, `messages`, `oldest` (seconds)."""
        return await self._rows("sending_counts")

    async def recall(self, client_id: str, key: str) -> dict[str, Any] | None:
        """What was answered under an Idempotency-Key (`fingerprint`, `status`, `answer`, `created_at`)."""
        return await self._row("recall", {"client_id": client_id, "key": key})

    async def message(self, client_id: str, message_id: str) -> dict[str, Any] | None:
        """A message with its `attempts`, and its interaction's `delivery`; columns as in `messages`."""
        return await self._row("message", {"client_id": client_id, "message_id": message_id})

    async def waits(self, client_id: str, message_id: str) -> dict[str, Any] | None:
        """What a message waits for beside its own time: its account's `open_until`, `trouble` and `rate`, how many are
        due `ahead` of it (counted up to 1001), and its recipient's `opted_out` (channels) and `zone`."""
        return await self._row("waits", {"client_id": client_id, "message_id": message_id})

    async def cancel(self, client_id: str, message_id: str, row: Row) -> str | None:
        """Cancel a message, with the event that says so where it waited: the state it was in; None where it is too late
        or unknown. One that was `sending` may still be sent, and is not tried again."""

        async def work(connection: Connection) -> str | None:
            parameters = {"client_id": client_id, "message_id": message_id}
            found = await (await connection.execute(statement("cancel"), parameters, prepare=True)).fetchone()
            if found is not None and found["was"] != "sending":
                await self.write(connection, [row])
            return None if found is None else str(found["was"])

        return await self.transact(work)

    async def release(self, client_id: str, message_id: str, resend: bool, actor: str) -> str | None:
        """Let go a message that is held, or (`resend`) one whose attempt went unanswered: the state it was in, or None.
        The audit says that `actor` did."""
        parameters = {"client_id": client_id, "message_id": message_id, "resend": resend, "actor": actor}
        return next((str(row["was"]) for row in await self._run("release", parameters)), None)
