"""Unknown words are counted and logged, within bounds."""

import json

import pytest

from adapters import ADAPTERS
from agents.health import WorkerHealth
from agents.records.drift import MOST, OTHER, Drift
from tests.fixtures import fixtures


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
    """Prometheus sees the source and the word, so that a rule can leave some out."""
    health = WorkerHealth()
    health.drift.note("twilio", "delivered_v2")
    (metric,) = (one for one in health.collect() if one.name == "threadline_worker_unknown_events")
    assert [(sample.labels, sample.value) for sample in metric.samples] == [
        ({"source": "twilio", "word": "delivered_v2"}, 1.0)
    ]


@pytest.mark.parametrize(
    ("provider", "unlisted"),
    [
        ("telegram", {"managed_thing"}),
        ("slack", set()),
        ("twilio", {"com.twilio.voice.insights.call-summary.complete"}),
        ("whatsapp_cloud", {"MISSED", "hold", "other", "held_for_review", "hologram", "revoke"}),
    ],
)
def test_only_words_that_the_adapter_does_not_list_are_unknown(provider: str, unlisted: set[str]) -> None:
    """Of the words in the fixtures without a type of ours, those that the adapter's page keeps on purpose are no news."""
    found = set()
    for request in fixtures(provider):
        for event in json.loads(request.with_suffix(".json").read_text("utf-8")):
            if event.get("type") == "ProviderEventReceived":
                found.add(event["payload"].get("providerStatus"))
    assert found - ADAPTERS[provider].unmapped == unlisted
