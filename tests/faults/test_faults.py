"""The short form of `make faults`."""

from pathlib import Path

from rich.console import Console

from tests.faults.faults import VICTIMS, run


async def test_kill_9_loses_doubles_and_regresses_nothing(servers_folder: Path) -> None:
    """Each part is killed once under load; every acknowledged webhook is in the log once, every timeline right."""
    outcome = await run(servers_folder / "stack", webhooks=1500, rate=100, kills=4, seed=7, console=Console(quiet=True))

    assert outcome.acknowledged == 1500
    assert outcome.kills == dict.fromkeys(VICTIMS, 1)
    assert (outcome.lost, outcome.doubled, outcome.regressed, outcome.dead) == (0, 0, 0, 0)
