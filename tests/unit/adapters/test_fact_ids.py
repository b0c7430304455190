"""Ids that are made of parts: another list of parts is another id."""

from itertools import combinations

from adapters.reading.facts import fact_id

PARTS = (("a\x1fb", "c"), ("a", "b\x1fc"), ("a", "b", "c"), ("a\x1e\x1fb", "c"), ("a\x1e", "b\x1fc"), ("a\x1f", "c"),
         ("a\x1e\x1d", "c"), ("a\ud800",), ("a?",))  # fmt: skip


def test_no_two_lists_of_parts_make_one_id() -> None:
    """Whatever characters the parts have, what stands between them too."""
    assert all(fact_id(*one) != fact_id(*other) for one, other in combinations(PARTS, 2))


def test_ordinary_ids_stay_as_they_were() -> None:
    """A release must know what it knew."""
    assert fact_id("SM1", None, "delivered") == "23df1e1ac01401aa927ed30263fe0553"
