"""The worker's own view of itself."""

import asyncio
import time

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from agents.failures import keep_on, until_done
from agents.health import WorkerHealth
from agents.process.pages import readiness
from agents.process.within import WITHIN, Within


def page(health: WorkerHealth) -> str:
    """Its metrics."""
    registry = CollectorRegistry()
    registry.register(health)
    return generate_latest(registry).decode()


def test_failures_show_until_they_pass() -> None:
    """What is failing is named with its reason, and forgotten once it works again."""
    health = WorkerHealth()
    health.failing("database", OSError("away"))

    assert health.failures == {"database": "OSError: away"}

    health.works("database")

    assert health.failures == {}


async def test_a_failure_is_of_the_part_whose_task_met_it() -> None:
    """The database away for the reader of webhooks is reported as that part's, with the partition; the others are
    well."""
    health, tries = WorkerHealth(), 0
    health.ready = True

    async def attempt() -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise OSError("away")
        seen.append(readiness(health))

    seen: list[dict[str, object]] = []

    async def reading() -> None:
        WITHIN.set(Within("inbound", "webhooks.received-3 from offset 17"))
        await asyncio.create_task(until_done("database", attempt, health))

    await asyncio.create_task(reading())

    (during,) = seen
    parts = during["parts"]
    assert isinstance(parts, dict)
    assert during["status"] == "not ready"
    assert parts["inbound"] == {
        "status": "failing",
        "failing": {"database": "webhooks.received-3 from offset 17: OSError: away"},
    }
    assert {part for part, reported in parts.items() if reported["status"] == "ok"} == parts.keys() - {"inbound"}
    assert readiness(health)["status"] == "ok"


async def test_what_begins_again_fails_as_its_part() -> None:
    """`deliveries` is of the callbacks, whichever of their tasks fails."""
    health = WorkerHealth()
    again = asyncio.Event()

    async def work() -> None:
        if health.failures:
            again.set()
            await asyncio.sleep(60)
        raise ValueError("broken")

    task = asyncio.create_task(keep_on("deliveries", work, health))
    await asyncio.wait_for(again.wait(), 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert health.parts["callbacks"] == {"deliveries": "ValueError: broken"}


def test_a_tenants_fault_makes_nothing_unready() -> None:
    """It is shown and counted by client, until it passes."""
    health = WorkerHealth()
    health.ready = True
    health.tenant_fails("shop", "callback", ValueError("does not open"))
    reported = readiness(health)

    assert reported["status"] == "ok"
    assert reported["tenants"] == [{"client": "shop", "what": "callback", "why": "ValueError: does not open"}]
    assert 'threadline_tenant_faults{client="shop",what="callback"} 1.0' in page(health)

    health.tenant_works("shop", "callback")

    assert readiness(health)["tenants"] == []


def test_an_alarm_is_seen_and_does_not_keep_the_worker_from_being_ready() -> None:
    """Else one that waits for an operator could not be started again."""
    health = WorkerHealth()
    health.ready = True
    health.alarms["gap t-0 4"] = "t-0: gone"

    assert (readiness(health)["status"], readiness(health)["alarms"]) == ("alarm", ["t-0: gone"])


def test_the_first_reason_ends_the_process() -> None:
    """What follows from it does not hide it."""
    health = WorkerHealth()
    health.fatal(ValueError("first"))
    health.fatal(ValueError("second"))

    assert health.ending.is_set()
    assert str(health.fault) == "first"


def test_metrics_tell_counts_and_latency() -> None:
    """A commit counts in its bucket and every larger one."""
    health = WorkerHealth()
    health.committed([(time.time() - 0.2, None), (time.time() - 3, "4bf92f3577b34da6a3ce929d0e0e4736")])
    health.counts["records"] = 2
    reported = page(health)

    assert "threadline_worker_records_total 2.0" in reported
    assert 'threadline_processing_latency_seconds_bucket{le="0.25"} 1.0' in reported
    assert 'threadline_processing_latency_seconds_bucket{le="+Inf"} 2.0' in reported
