"""Says which events of a shared interaction are an erased customer's ("his"), and how the rest is linked. Pure.

An event is the erased customer's if it names one of his handles, or if it names no handle and its message (by our id) or its other
versions name him alone. Any other event that names no handle is nobody's. A handle that other customers had too (a recycled number)
counts as his if it was his when it first took part: for the interaction's owner when the interaction began, for any other handle when an
event first named it.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID


class Told(NamedTuple):
    """An event of an interaction, as `queries/erase_told.sql` reads it."""

    interaction: UUID
    owner: UUID | None
    began: datetime
    event: UUID
    identity: UUID
    reference: UUID
    handle: UUID | None
    living: bool | None
    at: datetime
    ours: UUID | None
    ties: bool


@dataclass(frozen=True, slots=True)
class Parts:
    """What becomes of an interaction: the events that leave it (`his`), and those that stay without their words (`nobodys`); the
    references of all its events, the references that name him alone (`gone`), the references of the events that stay (`left`), and the
    links among the latter. `others`: somebody who is not erased has a part in it."""

    interaction: UUID
    others: bool
    his: list[UUID]
    nobodys: list[UUID]
    references: set[UUID]
    gone: set[UUID]
    left: set[UUID]
    links: dict[UUID, UUID]

    @property
    def shared(self) -> bool:
        """Whether both he and others have a part in it; otherwise all of it is his, or nothing."""
        return self.others and bool(self.his)


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of some interactions: those that others share, and those that are his alone."""

    shared: list[Parts]
    alone: list[Parts]

    @property
    def ids(self) -> list[UUID]:
        """The interactions that others share."""
        return [each.interaction for each in self.shared]

    @property
    def his(self) -> list[UUID]:
        """The events that leave."""
        return [event for each in self.shared for event in each.his]

    @property
    def nobodys(self) -> list[UUID]:
        """The events that stay without their words."""
        return [event for each in self.shared for event in each.nobodys]

    @property
    def left(self) -> set[UUID]:
        """The references of the events that stay."""
        return {one for each in self.shared for one in each.left}

    @property
    def links(self) -> dict[UUID, UUID]:
        """The links among the references that stay."""
        return {one: interaction for each in self.shared for one, interaction in each.links.items()}

    @property
    def gone(self) -> list[UUID]:
        """The references that name him alone."""
        whole = (one for each in self.alone for one in each.references)
        return [*(one for each in self.shared for one in each.gone), *whole]

    def leaves_as(self, other: "Plan") -> bool:
        """Return whether the same events leave, or lose their words, and the rest is linked in the same way."""
        return (
            self.ids == other.ids
            and set(self.his) == set(other.his)
            and set(self.nobodys) == set(other.nobodys)
            and self.links == other.links
        )


def plan_of(told: Iterable[Told], erased: Callable[[UUID, datetime], bool]) -> Plan:
    """Return what becomes of the interactions of these events."""
    by: dict[UUID, dict[UUID, Told]] = defaultdict(dict)
    for each in told:
        by[each.interaction][each.event] = each  # a month may be in the log and in the archive
    every = [parts_of([*by[interaction].values()], erased) for interaction in sorted(by)]
    return Plan([each for each in every if each.shared], [each for each in every if each.his and not each.shared])


def with_plain(plan: Plan, late: Iterable[Told], erased: Callable[[UUID, datetime], bool]) -> Plan | None:
    """Return a plan with later events of people who are not erased, which tie nothing: they stay, and so do their references. Return None
    if one of them may be another kind of event, so that everything has to be looked at again."""
    came: dict[UUID, set[UUID]] = defaultdict(set)
    for each in late:
        if each.handle is None or each.ours is not None or each.identity != each.event or erased(each.handle, each.at):
            return None
        if each.at < each.began or not each.living:
            return None
        came[each.interaction].add(each.reference)
    if not came.keys() <= set(plan.ids):
        return None
    shared = [
        replace(each, left=each.left | came[each.interaction], gone=each.gone - came[each.interaction])
        for each in plan.shared
    ]
    return Plan(shared, plan.alone)


def with_late(told: Iterable[Told], late: Iterable[Told]) -> set[Told]:
    """Return events together with later ones, which may have made their interaction older, or another customer's."""
    now: dict[UUID, dict[str, Any]] = {each.interaction: {"owner": each.owner, "began": each.began} for each in late}
    return {each._replace(**now.get(each.interaction, {})) for each in told} | set(late)


def parts_of(told: Sequence[Told], erased: Callable[[UUID, datetime], bool]) -> Parts:
    """Return the parts of one interaction. `erased`: whether a handle was the erased customer's at a time."""
    owner, began = told[0].owner, told[0].began
    first: dict[UUID, datetime] = {}
    for each in told:
        if each.handle is not None:
            first[each.handle] = min(each.at, first.get(each.handle, each.at))
    is_his = {handle: erased(handle, began if handle == owner else at) for handle, at in first.items()}
    his, nobodys, rest = _sorted(told, is_his)
    named = {each.reference for each in rest} | {each.ours for each in rest if each.ours is not None}
    mine = {each.reference for each in his} | {each.ours for each in his if each.ours is not None}
    staying = [*rest, *(each._replace(ours=None, ties=False) for each in nobodys)]
    return Parts(
        told[0].interaction,
        any(each.living for each in rest),
        [each.event for each in his],
        [each.event for each in nobodys],
        {each.reference for each in told} | {told[0].interaction},
        mine - named - {each.reference for each in nobodys},
        {each.reference for each in staying},
        links_of(staying),
    )


def _sorted(told: Iterable[Told], is_his: dict[UUID, bool]) -> tuple[list[Told], list[Told], list[Told]]:
    """Return the events that are his, nobody's and others'."""
    named: dict[UUID, set[bool]] = defaultdict(set)
    for each in told:
        if each.handle is not None:
            for known in {each.identity, each.ours} - {None}:
                named[known].add(is_his[each.handle])  # type: ignore[index]
    parts: dict[bool | None, list[Told]] = {True: [], None: [], False: []}
    for each in told:
        if each.handle is not None:
            parts[is_his[each.handle]].append(each)
            continue
        said = named[each.identity] or (named[each.ours] if each.ours is not None else set())
        parts[next(iter(said)) if len(said) == 1 else None].append(each)
    return parts[True], parts[None], parts[False]


def links_of(told: Collection[Told]) -> dict[UUID, UUID]:
    """Return the links that events make, as `queries/link.sql` does: for each linked reference, the least reference of a message of ours,
    or the least identity of an event with several versions, that belongs to the same message."""
    pairs = {(each.reference, each.ours) for each in told if each.ties and each.ours is not None}
    versions: dict[UUID, dict[UUID, bool]] = defaultdict(dict)
    for each in told:
        message = each.ours is not None and not each.ties
        versions[each.identity][each.reference] = versions[each.identity].get(each.reference, False) or message
    for identity, references in versions.items():
        if len(references) > 1:
            pairs.add((identity, identity))
            pairs |= {(identity, one) if message else (one, identity) for one, message in references.items()}
    groups: dict[UUID, set[UUID]] = {}
    for pair in pairs:
        group = set().union(*(groups.get(node, {node}) for node in pair))
        groups |= dict.fromkeys(group, group)
    ours = {our for _, our in pairs}
    return {node: min(group & ours) for node, group in groups.items()}
