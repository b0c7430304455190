"""Whose the events of an interaction are, and how the rest is linked."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import UUID, uuid4

import pytest

from sql.erased_parts import Parts, Told, links_of, parts_of

START = datetime(2026, 11, 21, tzinfo=UTC)
HIS, OTHERS, GONE, SHARED = (UUID(int=each) for each in (1, 2, 3, 4))
THEIRS, OURS, MORE = (UUID(int=each) for each in (100, 90, 80))


def event(handle: UUID | None = None, minute: int = 0, **more: Any) -> Told:
    """An event of a message that the provider knows."""
    id = uuid4()
    fields = {
        "reference": THEIRS,
        "identity": id,
        "ours": None,
        "ties": False,
        "living": handle in (OTHERS, SHARED),
    } | more
    return Told(THEIRS, HIS, START, event=id, handle=handle, at=START + timedelta(minutes=minute), **fields)


def parts(*told: Told) -> Parts:
    """Take apart; the shared handle was his in the first ten minutes."""
    return parts_of(told, lambda handle, at: handle == HIS or (handle == SHARED and at < START + timedelta(minutes=10)))


def test_events_are_whose_handle_they_name() -> None:
    """What names nobody is anybody's."""
    his, others, nobodys = event(HIS), event(OTHERS), event()
    made = parts(his, others, nobodys)
    assert (made.his, made.nobodys, made.shared) == ([his.event], [nobodys.event], True)
    assert made.gone == set() and made.left == {THEIRS}


def test_a_message_or_another_version_tells_whose_an_event_is() -> None:
    """Of ours that names one person alone; one that names both tells nothing."""
    his, others = event(HIS, ours=OURS, reference=OURS), event(OTHERS, ours=MORE, reference=MORE)
    by_ours, by_more = event(ours=OURS, ties=True), event(ours=MORE, ties=True)
    version = event(identity=his.identity)
    made = parts(his, others, by_ours, by_more, version)
    assert set(made.his) == {his.event, by_ours.event, version.event} and made.nobodys == []
    assert made.gone == {OURS} and made.links == {THEIRS: MORE, MORE: MORE}
    both = parts(event(HIS, ours=OURS), event(OTHERS, ours=OURS), unknown := event(ours=OURS, ties=True))
    assert both.nobodys == [unknown.event] and both.links == {}


@pytest.mark.parametrize(("minute", "whose"), [(5, True), (15, False)])
def test_a_handle_of_two_is_whose_it_was_when_it_took_part(minute: int, whose: bool) -> None:
    """Later events of it go with the first one."""
    first, later = event(SHARED, minute), event(SHARED, 20)
    made = parts(event(OTHERS), first, later)
    assert set(made.his) == ({first.event, later.event} if whose else set())


def test_who_is_erased_too_does_not_count_as_another() -> None:
    """Then it is the erased one's alone, whatever the other one's erasure does."""
    made = parts(event(HIS), event(GONE), event())
    assert (made.others, made.shared, len(made.his)) == (False, False, 1)


def test_nothing_of_his() -> None:
    """Then there is nothing to take apart."""
    made = parts(event(OTHERS), event())
    assert (made.his, made.others, made.shared) == ([], True, False)


def test_links_do_not_depend_on_the_order() -> None:
    """A chain of ids is one message, under the least of ours; an event with two references is one too."""
    one = uuid4()
    told = [
        event(ours=OURS, ties=True),
        event(ours=MORE, ties=True),
        event(reference=UUID(int=5), identity=one),
        event(reference=OURS, identity=one, ours=OURS),
        event(reference=UUID(int=7)),
    ]
    members = {THEIRS, OURS, MORE, UUID(int=5), one}
    for order in permutations(told):
        assert links_of(order) == dict.fromkeys(members, min(OURS, MORE, one))
