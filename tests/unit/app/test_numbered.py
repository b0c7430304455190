"""Counts in words."""

import pytest

from app.numbered import numbered


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ((0, "event"), "0 events"),
        ((1, "event"), "1 event"),
        ((1204, "event"), "1,204 events"),
        ((1, "batch", "batches"), "1 batch"),
        ((2, "batch is", "batches are"), "2 batches are"),
    ],
)
def test_the_noun_follows_the_count(given: tuple[int, str], words: str) -> None:
    """One is one alone."""
    assert numbered(*given) == words
