"""Which assignments are one customer, by links and decisions: a function of their set, whatever their order."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from sql.deciding import Change, Decided, Link, decide

NOW = datetime(2026, 11, 21, tzinfo=UTC)
NODES = [UUID(int=n) for n in range(1, 9)]
OWNS = {node: UUID(int=100 + node.int) for node in NODES}


def link(one: int, other: int, at: int = 0) -> Link:
    return Link(NODES[one], NODES[other], NOW + timedelta(seconds=at))


def change(kind: str, position: int, ones: Sequence[int], others: Sequence[int], **more: object) -> Change:
    return Change(
        UUID(int=1000 + position), position, kind, tuple(NODES[n] for n in ones), tuple(NODES[n] for n in others),
        UUID(int=2000 + position), UUID(int=3000 + position), **more,  # type: ignore[arg-type]
    )  # fmt: skip


def groups(decided: Decided) -> set[frozenset[int]]:
    found: dict[UUID, set[int]] = {}
    for node, (customer, _) in decided.customers.items():
        found.setdefault(customer, set()).add(NODES.index(node))
    return {frozenset(one) for one in found.values() if len(one) > 1}


def test_links_join_and_the_least_id_names() -> None:
    """Without a decision it is the component with the least of the own ids."""
    decided = decide(OWNS, [link(0, 1), link(1, 2)], [])
    assert groups(decided) == {frozenset({0, 1, 2})}
    assert {decided.customers[NODES[n]] for n in range(3)} == {(OWNS[NODES[0]], None)}


def test_the_link_that_was_stated_first_counts() -> None:
    """Of two links that a split does not allow together, the later one is refused, in whichever order they are given."""
    split = change("split", 1, [0], [1])
    links = [link(0, 2, 5), link(1, 2, 3)]
    for given_links in (links, links[::-1]):
        decided = decide(OWNS, given_links, [split])
        assert groups(decided) == {frozenset({1, 2})}
        assert decided.refused == {(NODES[0], NODES[2]): split.event_id}


def test_a_newer_merge_that_sets_a_split_aside_wins_over_it() -> None:
    """And loses to the next split; undone, neither counts."""
    split = change("split", 1, [0], [1])
    merge = change("merge", 2, [0], [1], overrides=(split.event_id,))
    again = change("split", 3, [0], [1])
    links = [link(0, 1)]
    assert groups(decide(OWNS, links, [split])) == set()
    assert groups(decide(OWNS, links, [split, merge])) == {frozenset({0, 1})}
    assert groups(decide(OWNS, links, [split, merge, again])) == set()
    assert groups(decide(OWNS, links, [split, replace(merge, undone=True)])) == set()
    assert groups(decide(OWNS, links, [replace(split, undone=True)])) == {frozenset({0, 1})}


def test_an_id_that_was_given_away_is_not_used_again() -> None:
    """The customer's id stays with the rest, though it was the own id of the one that moved; if that falls apart it gets another."""
    split = replace(change("split", 1, [0, 1], [2]), one_id=UUID(int=77), other_id=OWNS[NODES[0]])
    decided = decide(OWNS, [], [split])
    assert decided.customers[NODES[2]][0] == OWNS[NODES[0]]
    assert decided.customers[NODES[0]][0] == decided.customers[NODES[1]][0] == UUID(int=77)
    later = replace(change("split", 2, [1], [0]), one_id=UUID(int=78), other_id=UUID(int=77))
    names = [decide(OWNS, [], [split, later]).customers[NODES[n]][0] for n in range(3)]
    assert names == [UUID(int=77), UUID(int=78), OWNS[NODES[0]]]
    assert len({customer for customer, _ in decide(OWNS, [], [split, later]).customers.values()}) == len(NODES)


places = st.lists(st.integers(0, 7), min_size=1, max_size=3, unique=True)
links_of = st.lists(st.builds(link, st.integers(0, 7), st.integers(0, 7), st.integers(0, 5)), max_size=10)


@st.composite
def changes_of(draw: st.DrawFn) -> list[Change]:
    made: list[Change] = []
    for position in range(draw(st.integers(0, 6))):
        ones, others = draw(places), draw(places)
        others = [one for one in others if one not in ones] or [next(n for n in range(8) if n not in ones)]
        kind = draw(st.sampled_from(["merge", "split"]))
        splits = [one.event_id for one in made if one.kind == "split"] if kind == "merge" else []
        overrides = tuple(draw(st.sets(st.sampled_from(splits)))) if splits else ()
        made.append(change(kind, position, ones, others, overrides=overrides, undone=draw(st.booleans())))
    return made


@given(links_of, changes_of(), st.randoms())
def test_no_order_matters_and_no_split_is_broken(
    links: list[Link], changes: list[Change], chance: random.Random
) -> None:
    """Shuffled links and changes give the same; everybody has one customer; each has a name of its own; and the newest split holds."""
    expected = decide(OWNS, links, changes)
    chance.shuffle(links)
    chance.shuffle(changes)
    assert decide(OWNS, links, changes) == expected
    assert expected.customers.keys() == OWNS.keys()
    aside = {id for one in changes if one.kind == "merge" and not one.undone for id in one.overrides}
    held = [one for one in changes if one.kind == "split" and not one.undone and one.event_id not in aside]
    if held:
        newest = max(held, key=lambda one: one.position)
        later = [one for one in changes if one.position > newest.position and not one.undone]
        if not later:
            ones = {expected.customers[node][0] for node in newest.ones}
            assert len(ones) == 1 and ones.isdisjoint(expected.customers[node][0] for node in newest.others)
