"""Unknown words are counted and logged, within bounds."""

from agents.health import WorkerHealth
from agents.records.drift import MOST, OTHER, Drift


def test_a_word_is_counted_by_source() -> None:
    """Each source's words, the most frequent first."""
    drift = Drift()
    for source, word in (("a", "new"), ("a", "newer"), ("a", "newer"), ("b", None)):
        drift.note(source, word)
    assert drift.by_source() == {"a": {"newer": 2, "new": 1}, "b": {"": 1}}


def test_a_provider_cannot_fill_the_memory_with_words() -> None:
    """Beyond so many words the rest count as others of their source, and nothing is uncounted."""
    drift = Drift()
    for number in range(MOST + 50):
        drift.note("a", f"{number:04d}" + "x" * 100)
    assert len(drift.seen) == MOST + 1
    assert drift.seen["a", OTHER] == 50
    assert sum(drift.seen.values()) == MOST + 50


def test_it_is_a_metric() -> None:
    """Prometheus sees the source and the word, so that a rule can leave out words that are known to be unmapped."""
    health = WorkerHealth()
    health.drift.note("twilio", "delivered_v2")
    (metric,) = (one for one in health.collect() if one.name == "threadline_worker_unknown_events")
    assert [(sample.labels, sample.value) for sample in metric.samples] == [
        ({"source": "twilio", "word": "delivered_v2"}, 1.0)
    ]
