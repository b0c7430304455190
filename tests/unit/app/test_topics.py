"""Waiting until the brokers know what was changed of topics."""

from typing import Any, cast

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from app import kafka
from app.kafka import LARGEST, TopicsFailed, TopicState
from app.kafka.topics import TOPICS
from app.settings import Settings

SETTINGS, CLIENT = Settings(), cast(AIOKafkaAdminClient, None)  # the client is not asked


def states(*small: str) -> dict[str, TopicState]:
    """All topics as wanted, but for the record limit of these."""
    differs = {LARGEST: ("1", "2")}
    return {t.name: TopicState(t, 9, 1, differs=differs if t.name in small else {}) for t in TOPICS}


async def test_a_broker_that_does_not_know_of_a_larger_record_yet_is_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A limit that was refused is not waited for."""
    widened, refused = TOPICS[0].name, TOPICS[1].name
    answers = iter([states(widened, refused), states(widened, refused), states(refused)])

    async def ask(client: Any, settings: Settings) -> dict[str, TopicState]:
        return next(answers)

    monkeypatch.setattr(kafka, "_states", ask)
    after = await kafka._settled(CLIENT, SETTINGS, {widened})
    assert [name for name, state in after.items() if state.too_small] == [refused]


async def test_a_change_that_never_shows_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the topic."""

    async def ask(client: Any, settings: Settings) -> dict[str, TopicState]:
        return states(TOPICS[0].name)

    monkeypatch.setattr(kafka, "_states", ask)
    monkeypatch.setattr(kafka, "SETTLE_WITHIN", 0.2)
    with pytest.raises(TopicsFailed, match=f"not visible.*{TOPICS[0].name}"):
        await kafka._settled(CLIENT, SETTINGS, {TOPICS[0].name})
