"""Tasks without end of the HTTP process end when they are asked to, also where a call loses that."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from app.clients.account_sources import AccountSources
from app.kafka import holding
from app.settings import Kafka, Settings
from webhooks.keep import Keep
from webhooks.spool import Spool

Task = Coroutine[Any, Any, None]


class Losing:
    """Calls that fail as they are cancelled, as those within `wait_for` may."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()

    async def call(self, *_: Any) -> Any:
        """Wait, and fail instead of being cancelled."""
        self.begun.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise OSError("away") from None

    ready = last_account_change = call


def _holding(losing: Losing, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Task:
    monkeypatch.setattr(holding, "_used", losing.call)
    keep: Any = None  # nothing is decided
    return holding.hold_back(keep, settings)


def _recovering(losing: Losing, settings: Settings, _: pytest.MonkeyPatch) -> Task:
    producer: Any = losing
    keep = Keep(lambda: producer, Spool(settings.data / "spool", 1 << 20), timeout=1)
    keep.reachable, keep._producer, keep._changed = False, producer, asyncio.Event()
    return keep._recover()


def _following(losing: Losing, settings: Settings, _: pytest.MonkeyPatch) -> Task:
    store: Any = losing
    return AccountSources(settings)._follow(store)


@pytest.mark.parametrize("made", [_holding, _recovering, _following])
async def test_a_stop_counts_also_where_a_call_loses_it(
    made: Callable[[Losing, Settings, pytest.MonkeyPatch], Task], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Else the process would wait for the task for ever."""
    losing = Losing()
    settings = Settings(data=tmp_path, kafka=Kafka(bootstrap="127.0.0.1:1"))
    task = asyncio.create_task(made(losing, settings, monkeypatch))
    await asyncio.wait_for(losing.begun.wait(), 10)
    task.cancel()
    ended, _ = await asyncio.wait({task}, timeout=5)
    assert ended and task.cancelled()
