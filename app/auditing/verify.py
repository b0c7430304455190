"""Checks the chain of the audit from its first batch to its last, and what anchors say of it.

It reads a few batches at a time, so that its memory does not grow with the audit.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from app.auditing.anchors import Anchor
from app.settings.retention import LEAST
from sql import EventStore
from sql.audit import BATCH, Head, micros_of
from sql.audit_chain import NOTHING, SIZE, head_of, leaf_of, root_of

#: Most findings that are reported: the first says where to look.
FINDINGS = 20
#: Most entries outside of their batches that are remembered until a later batch has them.
STRAYS = 100_000
#: Farther than any position, and than any number of a batch.
FAR = 2**62
#: No entry is removed before this time has passed since it was sealed.
KEPT = timedelta(days=LEAST["audit"])


@dataclass
class Report:
    """What the check saw. `findings`: empty where nothing was changed, else in the order of the chain; `since`: when the first batch
    that still has its entries was sealed; `forgotten`: batches whose entries were removed as too old; `unsealed`: entries behind
    the last batch, at most `BATCH` of them counted; `anchors`: how many were compared."""

    findings: list[str] = field(default_factory=list)
    batches: int = 0
    entries: int = 0
    forgotten: int = 0
    since: datetime | None = None
    unsealed: int = 0
    anchors: int = 0

    def found(self, what: str) -> None:
        """Add a finding, unless there are enough."""
        if len(self.findings) < FINDINGS:
            self.findings.append(what)


async def verify(
    store: EventStore,
    anchors: Sequence[Anchor],
    advance: Callable[[int], None] = lambda _: None,
    *,
    now: datetime | None = None,
) -> Report:
    """Check the whole chain; `advance` is called with the number of batches that were checked since its last call. `now`: by default the
    time of this machine, since the owner of the database can change that of the database."""
    checking = _Checking(store, anchors, now or datetime.now(UTC))
    while heads := await store.audit_heads(checking.batch):
        noted = await store.audit_anchored(checking.batch, heads[-1]["batch"])
        for head in heads:
            checking.chain(head, [row for row in noted if row["batch"] == head["batch"]])
            await checking.entries(head)
        advance(len(heads))
    await checking.end()
    return checking.report


class _Checking:
    """The state of a check: the last batch, and the entries that a later batch should have."""

    def __init__(self, store: EventStore, anchors: Iterable[Anchor], now: datetime) -> None:
        self._store, self._now = store, now
        self._anchors: dict[int, list[Anchor]] = {}
        for anchor in anchors:
            self._anchors.setdefault(anchor.batch, []).append(anchor)
        self.report = Report(anchors=sum(map(len, self._anchors.values())))
        self.batch, self._head, self._total, self._upto = 0, NOTHING, 0, 0
        #: The last batch whose entries were removed as old enough.
        self._forgotten = 0
        #: Position of an entry that its batch has not, and that batch; whether the batch is young enough to be waited for.
        self._strays: dict[int, tuple[int, bool]] = {}

    def chain(self, head: Head, noted: Sequence[dict[str, Any]]) -> None:
        """Compare a batch with the one before it, with its own hash, and with its anchors."""
        number, found = head["batch"], self.report.found
        if number != self.batch + 1:
            found(f"batch {self.batch + 1} is missing (the next one is {number}): it was deleted with its head")
        elif bytes(head["previous"]) != self._head:
            found(f"batch {number} does not continue batch {self.batch}: one of them was replaced")
        hashed = {name: head[name] for name in ("batch", "entries", "first_position", "last_position")}
        expected = head_of(
            previous=bytes(head["previous"]), root=bytes(head["root"]), micros=micros_of(head["sealed_at"]), **hashed
        )
        if expected != bytes(head["head"]):
            found(f"the head of batch {number} was altered")
        self._total += head["entries"]
        if (head["total"] != self._total and number == self.batch + 1) or head["after"] != self._upto:
            found(f"the counts of batch {number} were altered")
        for anchor in self._anchors.pop(number, ()):
            if (anchor.head, anchor.entries) != (bytes(head["head"]), head["total"]):
                found(
                    f"batch {number} is not the one that was anchored at {anchor.at:%Y-%m-%dT%H:%M:%SZ}: it, or one before it, was "
                    "rewritten"
                )
        for row in noted:
            if bytes(row["head"]) != bytes(head["head"]):
                found(f"batch {number} is not the one whose anchor was noted at {row['at']:%Y-%m-%dT%H:%M:%SZ}")
        self.batch, self._head, self._total, self._upto = number, bytes(head["head"]), head["total"], head["upto"]
        self.report.batches += 1

    async def entries(self, head: Head) -> None:
        """Compare the entries of a batch with their hashes."""
        report, number = self.report, head["batch"]
        if head["forgotten_at"] is not None:
            report.forgotten += 1
            self._forgotten = number
            if report.since is not None:
                report.found(f"the entries of batch {number} were removed, and those of older batches were not")
            if self._now - head["sealed_at"] < KEPT:
                report.found(f"the entries of batch {number} were removed, which is not {KEPT.days} days old")
            return await self._rows(head, {})
        report.since = report.since or head["sealed_at"]
        leaves = [head["leaves"][at : at + SIZE] for at in range(0, len(head["leaves"] or b""), SIZE)]
        if len(leaves) != head["entries"] or root_of(leaves) != bytes(head["root"]):
            return report.found(f"the hashes of the entries of batch {number} were altered")
        expected = dict(zip(head["expected"], leaves, strict=False))
        if len(head["expected"]) != head["entries"]:
            return report.found(f"the positions of batch {number} were altered")
        await self._rows(head, expected)
        report.entries += head["entries"]

    async def _rows(self, head: Head, expected: dict[int, bytes]) -> None:
        number, missing = head["batch"], set(expected)
        late = [position for position in expected if position <= head["after"]]
        # Before the first batch there is nothing, and no position below 1 is given out.
        after, past = head["after"] or -FAR, -FAR
        while rows := await self._store.audit_of_batch(after, head["upto"], late, past):
            for row in rows:
                past = row["position"]
                if past not in expected:
                    if len(self._strays) < STRAYS:
                        self._strays[past] = number, head["waiting"]
                    continue
                missing.discard(past)
                self._strays.pop(past, None)
                if leaf_of(row) != expected[past]:
                    self.report.found(_altered(row, number, expected))
            if len(rows) < BATCH:
                break
        for position in sorted(missing):
            self.report.found(f"entry {position} of batch {number} is missing")

    async def end(self) -> None:
        """Report the entries that no batch has, and the anchors of batches that are not there."""
        await self._removals()
        unsealed = await self._store.audit_unsealed()
        self.report.unsealed = len(unsealed)
        for position, (number, waiting) in sorted(self._strays.items()):
            if not waiting or position not in {row["position"] for row in unsealed}:
                self.report.found(
                    f"entry {position} was inserted: it stands among those of batch {number}, which has it not"
                )
        for number in sorted(number for number in self._anchors if number > self.batch):
            self.report.found(
                f"batch {number} was anchored and is missing: the audit was cut behind batch {self.batch}, or the database "
                "was restored to a time before it"
            )
        for row in await self._store.audit_anchored(self.batch, FAR):
            self.report.found(
                f"batch {row['batch']} is missing, whose anchor was noted at {row['at']:%Y-%m-%dT%H:%M:%SZ}"
            )

    async def _removals(self) -> None:
        """Report entries that were removed without one that tells of it: what removes them writes one, and that is younger than they were."""
        if not self._forgotten:
            return
        told = await self._store.audit_listed(action="entries.forget", limit=1)
        last = told[0]["detail"].get("lastBatch") if told else None
        if not isinstance(last, int) or last < self._forgotten:
            self.report.found(
                f"the entries up to batch {self._forgotten} were removed, and no entry (entries.forget) tells of it"
            )


def _altered(row: dict[str, Any], number: int, expected: dict[int, bytes]) -> str:
    """Return what became of an entry whose hash is not that of its position: it was altered, or stood elsewhere in its batch."""
    for position, leaf in expected.items():
        if position != row["position"] and leaf_of(row, position) == leaf:
            return f"entry {row['position']} of batch {number} has what entry {position} had: they were reordered"
    return f"entry {row['position']} of batch {number} was altered"
