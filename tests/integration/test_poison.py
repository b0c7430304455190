"""The short forms of hostile records on every topic, and of hostile webhooks at the door. `make faults` has the long ones."""

import os
from pathlib import Path

from rich.console import Console

from app.settings import Settings
from tests.faults import knocking, poisoning
from tests.faults.poison import Poison

#: Hostile records; posts; seconds for a canary, where other work shares two cores.
RECORDS = int(os.environ.get("THREADLINE_TESTS_POISON", "10000"))
POSTS = max(100, RECORDS // 10)
WITHIN = 60.0
SEED = 11


async def test_no_record_stops_the_others(servers_folder: Path) -> None:
    """Of every topic, codec, size and kind of nonsense: each ends in events, a message or a dead letter; each canary
    between them is on its timeline; the worker that began commits all, relays all, and reports that it is ready."""
    outcome = await poisoning.run(servers_folder / "poison", records=RECORDS, seed=SEED, console=Console(stderr=True))

    assert outcome.lost == []
    assert outcome.records + outcome.refused.total() == RECORDS
    assert outcome.records > 0.8 * RECORDS
    assert min(outcome.ended[kind] for kind in ("events", "messages", "dead letters")) > 0
    assert (outcome.lag, outcome.relay_lag) == (0, 0)
    assert outcome.canaries == outcome.on_timelines > 0
    assert outcome.slowest < WITHIN
    assert (outcome.same_worker, outcome.unready) == (True, "")


async def test_no_webhook_gets_more_than_an_answer(servers_folder: Path) -> None:
    """Signed, and hostile: an answer in time, never a 5xx, never a closed connection; what was kept is read."""
    outcome = await knocking.run(servers_folder / "knocking", posts=POSTS, seed=SEED, console=Console(stderr=True))

    assert (outcome.dropped, outcome.broken) == ([], [])
    assert outcome.slowest < knocking.PATIENCE
    assert outcome.same_processes and outcome.lag == 0
    assert outcome.kept == outcome.read > 0


def test_a_seed_makes_the_same_records() -> None:
    """So that what a run found can be found again; and another seed makes others."""
    first, again, other = (Poison(seed, Settings()) for seed in (1, 1, 2))
    made = [first.one() for _ in range(100)]
    assert made == [again.one() for _ in range(100)]
    assert made != [other.one() for _ in range(100)]
