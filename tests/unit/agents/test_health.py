"""The worker's own view of itself."""

import time

from prometheus_client import CollectorRegistry, generate_latest

from agents.health import Health


def test_idle_is_no_stall() -> None:
    """After an hour without work, the first lag starts the clock anew."""
    health = Health()
    health.stirred = time.monotonic() - 3600
    health.behind({"webhooks.received": 0})
    health.behind({"webhooks.received": 5})

    assert health.stalled_for() < 1


def test_lag_without_progress_is_a_stall() -> None:
    """With records waiting and nothing done, the stall grows; a success, and also a failing try, ends it."""
    health = Health()
    health.behind({"webhooks.received": 5})
    health.stirred -= 100

    assert health.stalled_for() >= 100

    health.failing("database", OSError("away"))

    assert health.stalled_for() < 1


def test_failures_show_until_they_pass() -> None:
    """What is failing is named with its reason, and forgotten once it works again."""
    health = Health()
    health.failing("database", OSError("away"))

    assert health.failures == {"database": "OSError: away"}

    health.succeeded("database")

    assert health.failures == {}


def test_metrics_tell_counts_and_latency() -> None:
    """A commit counts in its bucket and every larger one."""
    health, registry = Health(), CollectorRegistry()
    registry.register(health)
    health.committed([time.time() - 0.2, time.time() - 3])
    health.counts["records"] = 2
    page = generate_latest(registry).decode()

    assert "threadline_worker_records_total 2.0" in page
    assert 'threadline_processing_latency_seconds_bucket{le="0.25"} 1.0' in page
    assert 'threadline_processing_latency_seconds_bucket{le="+Inf"} 2.0' in page
