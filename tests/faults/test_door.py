"""The short form of the door's part of `make faults`."""

from pathlib import Path

from rich.console import Console

from tests.faults.door import run


async def test_a_crowd_shuts_no_provider_out(servers_folder: Path) -> None:
    """Idle, slow and huge connections beside a provider: none of its webhooks is refused or lost. How late they are is
    for the long form to say."""
    outcome = await run(
        servers_folder / "crowded", idle=300, slow=300, huge=30, rate=50, seconds=12, console=Console(quiet=True)
    )

    assert outcome.kept, outcome
    assert min(outcome.acknowledged.values()) > 300, outcome
    assert outcome.ended["slow head"] > 100
    assert outcome.ended["slow body"] > 100
    assert outcome.ended["large head"] > 30
