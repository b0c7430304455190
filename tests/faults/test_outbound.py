"""The short form of killing every part while messages leave."""

from pathlib import Path

from rich.console import Console

from tests.faults.faults import VICTIMS
from tests.faults.outbound import run


async def test_kill_9_of_any_part_loses_and_doubles_no_send(servers_folder: Path) -> None:
    """Every accepted request ends in one state; none vanishes; none is taken twice by a provider."""
    quiet = Console(quiet=True)
    outcome = await run(servers_folder / "outbound", messages=600, rate=60, kills=4, seed=5, console=quiet)

    assert outcome.accepted == 600
    assert outcome.kills == dict.fromkeys(VICTIMS, 1)
    assert (outcome.vanished, outcome.unsettled, outcome.unsent, outcome.unreported, outcome.dead) == (0, 0, 0, 0, 0)
    assert set(outcome.twice.values()) == {0}
    assert outcome.states["sent"] > 400
