"""The short form of killing the sending half between every two steps of a send."""

from pathlib import Path

import pytest

from tests.faults.steps import run


@pytest.mark.parametrize("unanswered", ["hold", "resend"])
async def test_kill_9_between_any_two_steps_sends_nothing_twice(servers_folder: Path, unanswered: str) -> None:
    """Every message ends in one state, none vanishes, and what counts as sent was taken by the provider; by those that
    have idempotency keys, or can be asked, none is taken twice, and by the other none unless the client asked for that
    risk."""
    outcome = await run(servers_folder / f"steps-{unanswered}", messages=400, kills=8, seed=3, unanswered=unanswered)

    assert sum(outcome.kills.values()) >= 6
    assert outcome.interrupted > 50
    assert (outcome.vanished, outcome.unreported, outcome.unsent) == (0, 0, 0)
    assert set(outcome.states) <= {"sent", "failed", "unanswered"}
    assert (outcome.twice["onesignal"], outcome.twice["postmark"]) == (0, 0)
    if unanswered == "hold":
        assert outcome.twice["twilio"] == 0
    else:
        assert outcome.states["unanswered"] == 0
