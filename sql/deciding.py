"""Decides which assignments of handles are one customer where a person or a service has decided anything. Pure.

The result is a function of the links and the changes alone. It does not depend on the order in which they arrived, so that a
rebuild gives the same:

- Merges count before links, the newest merge first; then links, in the order in which they were first stated.
- A split keeps two sides apart, and each side together. It refuses every link and every older merge that would join the two sides. A newer
  merge that names the split in its `overrides` sets it aside.
- A customer has the id that the newest change gives to one of its assignments; without a change, the least of the ids that its
  assignments have by themselves. An id that a change gave away is not used by its first owner again.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Change:
    """A decision: `merge` joins `ones` to the first of `others`, `split` keeps `ones` apart from `others`, `cut` divides the
    assignment `ones[0]` from `others[0]`. `one_id` and `other_id` are the customers' ids (see `customer_changes`);
    `overrides` are the splits that a merge sets aside."""

    event_id: UUID
    position: int
    kind: str
    ones: tuple[UUID, ...]
    others: tuple[UUID, ...]
    one_id: UUID | None = None
    other_id: UUID | None = None
    overrides: tuple[UUID, ...] = ()
    undone: bool = False

    @property
    def joins(self) -> list[tuple[UUID, UUID]]:
        """The pairs of assignments that the decision gives to one customer."""
        match self.kind:
            case "merge":
                return [(one, self.others[0]) for one in self.ones]
            case "split":
                return [(one, side[0]) for side in (self.ones, self.others) for one in side[1:]]
        return []

    @property
    def names(self) -> list[tuple[UUID, UUID]]:
        """The customer ids that the decision gives, each with the assignment that stands for the customer."""
        given = []
        if self.kind != "merge" and self.one_id is not None:
            given.append((self.one_id, self.ones[0]))
        if self.kind != "cut" and self.other_id is not None:
            given.append((self.other_id, self.others[0]))
        return given


@dataclass(frozen=True, slots=True)
class Link:
    """Two assignments that were stated to be one person's, first at `since`."""

    one: UUID
    other: UUID
    since: datetime


@dataclass(slots=True)
class Decided:
    """The customer of each assignment with the event that moved it last (None: none did), and the links that a split refuses."""

    customers: dict[UUID, tuple[UUID, UUID | None]]
    refused: dict[tuple[UUID, UUID], UUID]


def decide(owns: Mapping[UUID, UUID], links: Iterable[Link], changes: Iterable[Change]) -> Decided:
    """Return the customers of some assignments: `owns` has the customer that each assignment is by itself. Other assignments, which links
    and changes may name, are left out."""
    made = sorted((change for change in changes if not change.undone), key=lambda change: change.position, reverse=True)
    groups = _Groups(owns, _splits(made))
    for change in made:
        for one, other in change.joins:
            groups.join(one, other, change.position)
    refused = {}
    for link in sorted(links, key=lambda link: (link.since, link.one.int, link.other.int)):
        by = groups.join(link.one, link.other, None)
        if by is not None:
            refused[link.one, link.other] = by
    return Decided(_named(owns, groups.members(), made), refused)


def _splits(made: Sequence[Change]) -> list[Change]:
    aside = {event for change in made if change.kind == "merge" for event in change.overrides}
    return [change for change in made if change.kind == "split" and change.event_id not in aside]


class _Groups:
    """Disjoint groups of assignments; no group has assignments of both sides of a split."""

    def __init__(self, all: Collection[UUID], splits: Sequence[Change]) -> None:
        self._splits = [(split.position, split.event_id, set(split.ones), set(split.others)) for split in splits]
        self._groups = {one: {one} for one in all}

    def join(self, one: UUID, other: UUID, position: int | None) -> UUID | None:
        """Join the groups of two assignments by a change at this position of the log, or by a link (None); return the event of the
        split that refuses it, or None."""
        first, second = self._groups.get(one), self._groups.get(other)
        if first is None or second is None or first is second:
            return None
        for at, event, ones, others in self._splits:
            if position is not None and position >= at:
                continue
            if (first & ones and second & others) or (first & others and second & ones):
                return event
        if len(first) < len(second):
            first, second = second, first
        first |= second
        for member in second:
            self._groups[member] = first
        return None

    def members(self) -> list[set[UUID]]:
        """Return the groups."""
        return list({id(group): group for group in self._groups.values()}.values())


def _named(
    owns: Mapping[UUID, UUID], groups: Iterable[set[UUID]], made: Sequence[Change]
) -> dict[UUID, tuple[UUID, UUID | None]]:
    given: dict[UUID, tuple[UUID, Change]] = {}  # by the customer's id: who stands for it, by its newest change
    for change in made:
        for customer, stands in change.names:
            given.setdefault(customer, (stands, change))
    claims: dict[UUID, list[tuple[int, UUID]]] = {}
    for customer, (stands, change) in given.items():
        claims.setdefault(stands, []).append((change.position, customer))
    moved: dict[UUID, UUID] = {}
    for change in made:
        for one in change.ones:
            moved.setdefault(one, change.event_id)
    found: dict[UUID, tuple[UUID, UUID | None]] = {}
    for group in groups:
        claimed = [claim for one in group for claim in claims.get(one, ())]
        if claimed:
            customer = max(claimed, key=lambda claim: (claim[0], claim[1].int))[1]
        else:
            free = [owns[one] for one in group if owns[one] not in given]
            customer = min(free or (_another(owns[one]) for one in group), key=lambda id: id.int)
        found |= {one: (customer, moved.get(one)) for one in group}
    return found


def _another(own: UUID) -> UUID:
    """Return the new id of an assignment whose own id belongs to another customer now. It is made from the own id, which is random, so
    that every rebuild gives the same id."""
    return UUID(bytes=sha256(b"threadline customer after " + own.bytes).digest()[:16], version=8)
