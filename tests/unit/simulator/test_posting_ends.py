"""The end of the simulator's posting."""

import asyncio
import time

import pytest

from adapters.simulating import Post
from app.simulator.posting import Posting, Tally


async def test_it_ends_though_a_webhook_is_queued_at_that_moment() -> None:
    """On Ctrl-C, while webhooks are tried again all the time."""
    posting = Posting(lambda post: post, "http://127.0.0.1:1/", "http://127.0.0.1:1/", 1, Tally())
    posting.put(time.monotonic() + 60, Post(body=b"", headers={}, url="http://127.0.0.1:1/"))  # what it waits for
    running = asyncio.create_task(posting.run())
    await asyncio.sleep(0.1)
    posting.put(time.monotonic() + 60, Post(body=b"", headers={}, url="http://127.0.0.1:1/"))
    running.cancel()
    done, _ = await asyncio.wait({running}, timeout=5)
    assert done
    with pytest.raises(asyncio.CancelledError):
        await running
