"""Messages to be sent: accepted once, claimed by one worker at a time, and settled."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from hmac import compare_digest
from typing import Any

import orjson
import psycopg

from sql.append import Appending
from sql.keyed_requests import keyed_mark, keyed_name
from sql.letters import note_outcomes
from sql.messages import (
    Accepted,
    Answer,
    InFlight,
    KeptAnswer,
    KeyTaken,
    Lane,
    LaneReport,
    NewMessage,
    Recalled,
    Reference,
    Settled,
)
from sql.origin import noted
from sql.parameters import json
from sql.personal.keys import handle_of
from sql.personal.masking import mask_row
from sql.pool import Connection, vigilant
from sql.rows import Replayed, Row
from sql.sealed import ANSWER, Sealed
from sql.sealed_messages import sealed_answers
from sql.sealing import Tampered
from sql.showing import showing, shows
from sql.statements import statement
from sql.suppressing import Suppressing

#: Failures of one account in a row before its circuit opens, and its longest pause in seconds. Concurrent calls count as one
#: failure: if a provider hangs, each failure costs a time-out, and leaves the calls made meanwhile unanswered.
TROUBLE, LONGEST_PAUSE = 3, 60.0
#: Most resting accounts that are listed.
MOST_RESTING = 100
#: Most seconds before a resting lane is looked at again; and least lanes that one claim looks at.
REST, LOOKS = 10.0, 128


class SendingStore(Appending, Suppressing):
    """The statements of sending. All raise psycopg's errors as `append` does."""

    async def accept(
        self,
        messages: Sequence[NewMessage],
        answer: Answer | None = None,
        replays: Sequence[Replayed | None] = (),
    ) -> list[Accepted]:
        """Accept messages, each with its event; a message that was accepted before changes nothing. Durable on return. The answers that
        `answer` makes are kept in the same transaction. `replays`: for each message whose request is the replay of a dead letter, that
        replay; its outcome is recorded, unless another request was accepted under the message's id.

        Raises InFlight if another transaction is answering a request with the same key, psycopg's UniqueViolation if such a request was
        answered meanwhile, and KeyTaken if the key of a request for several messages was used for another request."""
        lanes = {each.lane[:2]: each.lane for each in messages if each.lane is not None}
        rows: list[Row] = [(each.event, each.client_id, each.received_at, None) for each in messages]

        async def once() -> list[Accepted]:
            requests, events = await self._sealed_messages(messages), await self._sealed(rows)
            answering = await self._answering({each.client_id for each in messages}) if answer is not None else {}
            parameters = {
                "messages": json(orjson.dumps(requests.messages)),
                "handles": requests.handles,
                "lanes": json(orjson.dumps([*lanes.values()])),
            }

            def kept(accepted: list[Accepted]) -> list[tuple[KeptAnswer, tuple[Any, ...]]]:
                answers = answer(accepted) if answer is not None else ()
                return list(zip(answers, sealed_answers(answers, answering, requests.named), strict=True))

            return await self.transact(lambda connection: work(connection, parameters, events, kept))

        async def work(
            connection: Connection,
            parameters: dict[str, Any],
            events: Sealed,
            kept: Callable[[list[Accepted]], list[tuple[KeptAnswer, tuple[Any, ...]]]],
        ) -> list[Accepted]:
            found = await (await connection.execute(statement("accept"), parameters, prepare=True)).fetchall()
            fresh = [row["fresh"] for row in found]
            if any(
                row["same"] is None for row in found
            ):  # another call took the key while this one waited: a second look sees it
                found = await (await connection.execute(statement("accept"), parameters, prepare=True)).fetchall()
            accepted = [Accepted(new, row["same"], row["meant"]) for new, row in zip(fresh, found, strict=True)]
            new_ones = [place for place, new in enumerate(fresh) if new]
            await self.write(connection, [rows[place] for place in new_ones], events.only(new_ones))
            noted = [
                replace(replay, events=int(new), rows=1)
                for each, new, replay in zip(accepted, fresh, replays, strict=False)
                if replay is not None and each.same
            ]
            if noted:
                await note_outcomes(connection, noted)
            if answers := kept(accepted):
                await _keep(connection, answers)
            return accepted

        return await self.afresh(once)

    async def claim(self, most: int, lease: float, busy: dict[str, int]) -> list[dict[str, Any]]:
        """Claim at most `most` due messages for `lease` seconds. `busy`: this worker's calls in flight, by lane. A message that cannot be
        opened has `closed`: True, and no request."""
        parameters = {
            "most": most,
            "lease": lease,
            "busy": json(orjson.dumps(busy)),
            "trouble": TROUBLE,
            "rest": REST,
            "looks": max(LOOKS, 2 * most),
        }
        return await self._stopped(await self._opened(await self._run("claim", parameters), closed=True))

    async def claimable(self) -> bool:
        """Return whether a claim might find something. A claim that finds nothing costs far more than this."""
        row = await self._row("claimable", {"rest": REST})
        return row is not None and bool(row["due"])

    async def begin(self, attempts: Sequence[tuple[str, int, str, str]]) -> dict[str, bool]:
        """Record attempts (message's id, claim, channel, account) before they are made. Return, for each message that
        this worker still holds, whether the attempt may be made (False if it was cancelled meanwhile)."""
        rows = await self._run("begin", {"attempts": json(orjson.dumps(attempts))})
        return {str(row["id"]): not row["cancelled"] for row in rows}

    async def settle(self, settled: Sequence[Settled], rows: Sequence[Row]) -> None:
        """Write the outcomes of claims, with their events."""

        async def once() -> None:
            events = await self._sealed(rows)
            parameters = {"settled": json(orjson.dumps(await self._sealed_outcomes(settled, rows)))}
            await self.transact(lambda connection: work(connection, parameters, events))

        async def work(connection: Connection, parameters: dict[str, Any], events: Sealed) -> None:
            await connection.execute(statement("settle"), parameters, prepare=True)
            await self.write(connection, rows, events)

        await self.afresh(once)

    async def set_lanes(self, lanes: Sequence[Lane]) -> None:
        """Set lanes to the present configuration of their accounts."""
        await self._run_only("set_lanes", {"lanes": json(orjson.dumps(list(lanes)))})

    async def note_lanes(self, lanes: Sequence[LaneReport]) -> None:
        """Write how accounts did, apart from `settle`, since no worker can claim from a lane while it is being written."""
        told = time.monotonic()
        sealed = await self._sealed_reports(lanes)
        async with self._transaction() as connection:
            # The calls have aged while the reports were sealed and this waited for a connection.
            since = time.monotonic() - told
            aged = [tuple(each._replace(age=each.age + since)) for each in sealed]
            parameters = {"lanes": json(orjson.dumps(aged)), "trouble": TROUBLE, "longest": LONGEST_PAUSE}
            await connection.execute(statement("lane_health"), parameters, prepare=True)

    async def recheck_watched(self, references: Sequence[Reference]) -> None:
        """Make those of these messages that are watched due, because providers reported that they failed."""
        await self._run_only("recheck_watched", {"references": await self._references(references)})

    async def on_accepted(self, call: Callable[[], None]) -> None:
        """Call `call` now, and whenever any process accepts requests, until the connection is lost. Uses a connection
        of its own."""
        dsn = self._sessions.conninfo
        assert isinstance(dsn, str)
        async with await psycopg.AsyncConnection.connect(
            dsn, autocommit=True, connect_timeout=5, **vigilant(dsn)
        ) as connection:
            await connection.execute(statement("listen"))
            call()
            async for _ in connection.notifies():
                call()

    async def sweep(self) -> int:
        """Settle the unanswered messages on which the provider has reported meanwhile; return how many."""
        return len(await self._run("sweep"))

    async def after_setback(self) -> int:
        """Correct the due times of waiting messages after the database's clock was set back; return how many. Reads all waiting
        messages."""
        (row,) = await self._run("after_setback")
        return int(row["messages"])

    async def resting_accounts(self) -> list[dict[str, Any]]:
        """Return the accounts whose calls fail (at most 100): `client_id`, `account`, `trouble`, `failures`, `probed` (messages are tried
        one at a time), `rests_until` (None: a message is being tried)."""
        rows = await self._rows("resting_accounts", {"trouble": TROUBLE, "limit": MOST_RESTING})
        return await self._opened(rows, closed=True)

    async def unanswered_counts(self) -> list[dict[str, Any]]:
        """Return the number of unanswered `messages` that wait for a person, for each `client_id`."""
        return await self._rows("unanswered_counts")

    async def sending_counts(self) -> list[dict[str, Any]]:
        """Return the number of `messages` that wait in each `state`, the age of the `oldest` in seconds, and for how many seconds the
        longest due message has been due (`overdue`)."""
        return await self._rows("sending_counts")

    async def recall(self, client_id: str, key: str, fingerprint: bytes) -> Recalled | None:
        """Return the answer kept for an Idempotency-Key, compared with the fingerprint of a request."""
        if (secrets := await self._known_secrets(client_id)) is None:
            return None
        row = await self._row("recall", {"client_id": client_id, "key": keyed_name(key, secrets.root)})
        if row is None:
            return None
        if row["answer"] is None:
            return Recalled(False, row["status"], None)
        sealed = bytes(row["answer"])
        whose = handle_of(sealed)
        key_of = (await self._keys_by_id({whose}))[whose]
        if key_of is None:
            raise Tampered("it names a key that was erased")
        same = compare_digest(bytes(row["fingerprint"]), keyed_mark(fingerprint, secrets.root))
        return Recalled(same, row["status"], key_of.open(sealed, ANSWER))

    async def message(self, client_id: str, message_id: str) -> dict[str, Any] | None:
        """Return a message with its `attempts` and its interaction's `delivery`; columns as in `messages`. `message_id`: its id,
        or the key of its request."""
        secrets = await self._known_secrets(client_id)
        key = keyed_name(message_id, secrets.root) if secrets is not None else ""
        row = await self._row("message", {"client_id": client_id, "message_id": message_id, "key": key})
        if row is not None:
            row["attempts"] = await self._opened(row["attempts"])
        return await self._opened_one(row)

    async def taken_before(
        self, client_id: str, message_id: str, key: str | None, fingerprint: bytes
    ) -> dict[str, Any] | None:
        """Return the message that was accepted for a request with this id (or else this key) and this fingerprint, in the form of
        `message`."""
        row = await self.message(client_id, message_id)
        if row is None and key is not None:
            row = await self.message(client_id, key)
        secrets = await self._known_secrets(client_id)
        if row is None or secrets is None:
            return None
        mark = keyed_mark(fingerprint, secrets.root)
        return row if compare_digest(bytes(row["fingerprint"]) or mark, mark) else None

    async def waits(self, client_id: str, message_id: str) -> dict[str, Any] | None:
        """Return what a message waits for beside its own time: its account's `open_until`, `trouble` and `rate`, how many messages are due
        `ahead` of it (counted up to 1001), and its recipient's `opted_out` (channels) and `zone`."""
        with showing(True):  # shows the addresses, whose digests are needed
            rows = await self._opened(await self._rows("waits", {"client_id": client_id, "message_id": message_id}))
            row = next(iter(await self._stopped(rows)), None)
        return row if row is None or shows() else mask_row(row, ("trouble", "handles"))

    async def cancel(self, client_id: str, message_id: str, row: Row) -> str | None:
        """Cancel a message, with its event if it waited. Return the state it was in, or None if it is too late or unknown. A
        message that was `sending` may still be sent, and is not retried."""

        async def work(connection: Connection, event: Sealed) -> str | None:
            parameters = {"client_id": client_id, "message_id": message_id} | noted()
            found = await (await connection.execute(statement("cancel"), parameters, prepare=True)).fetchone()
            if found is not None and found["was"] != "sending":
                await self.write(connection, [row], event)
            return None if found is None else str(found["was"])

        async def once() -> str | None:
            event = await self._sealed([row])
            return await self.transact(lambda connection: work(connection, event))

        return await self.afresh(once)

    async def release(self, client_id: str, message_id: str, resend: bool, actor: str) -> str | None:
        """Release a message that is held, or with `resend` a message that is unanswered. Return the state it was in, or None. The audit
        names `actor`."""
        parameters = {"client_id": client_id, "message_id": message_id, "resend": resend, "actor": actor}
        return next((str(row["was"]) for row in await self._run("release", parameters | noted())), None)

    async def hold_restored(self, actor: str) -> list[dict[str, Any]]:
        """After the database was restored, make unanswered each message that is due, being sent or watched, since it may have
        been sent since the restored time. Return their `client_id` and `message_id`. The audit names `actor`."""
        return await self._run("hold_restored", {"actor": actor} | noted())


async def _keep(connection: Connection, answers: Sequence[tuple[KeptAnswer, tuple[Any, ...]]]) -> None:
    """Keep the answers under their keys; each comes with its form in the table. Raises InFlight, KeyTaken."""
    rows = {"answers": json(orjson.dumps([row for _, row in answers]))}
    cursor = await connection.execute(statement("remember"), rows, prepare=True)
    if len(await cursor.fetchall()) < len(answers):
        raise InFlight
    if several := [row for each, row in answers if each.several]:
        keys = {"client_id": [row[0] for row in several], "key": [row[1] for row in several]}
        cursor = await connection.execute(statement("name_keys"), keys, prepare=True)
        if len(await cursor.fetchall()) < len(several):
            raise KeyTaken
