"""The check of unread webhooks ends when it is asked to, whatever Kafka does at that moment."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from app.kafka import holding
from app.settings import Kafka, Settings


async def test_a_stop_counts_also_where_the_call_loses_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As `wait_for` does, if the call fails at the same moment."""
    begun = asyncio.Event()

    async def losing(_: Any) -> tuple[float, int]:
        begun.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise OSError("away") from None
        raise AssertionError

    monkeypatch.setattr(holding, "_used", losing)
    settings = Settings(data=tmp_path, kafka=Kafka(bootstrap="127.0.0.1:1"))
    keep: Any = None  # nothing is decided
    task = asyncio.create_task(holding.hold_back(keep, settings))
    await asyncio.wait_for(begun.wait(), 10)
    task.cancel()
    ended, _ = await asyncio.wait({task}, timeout=5)
    assert ended and task.cancelled()
