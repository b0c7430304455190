"""Passes on a cancellation that a call has lost."""

import asyncio


def pass_on(error: Exception) -> None:
    """Raise CancelledError if the current task is being cancelled; else return. Call it where a task without end catches any error and goes
    on: `asyncio.wait_for` of Python 3.11, which clients of Kafka and PostgreSQL use too, loses a cancellation that comes at the moment in
    which the call fails, and the process would wait for the task for ever."""
    if (task := asyncio.current_task()) is not None and task.cancelling():
        raise asyncio.CancelledError from error


async def rest(seconds: float) -> None:
    """Sleep between two rounds of work without end. Raises CancelledError at once if the current task is being cancelled: a round that
    succeeds can lose a cancellation too (`asyncio.wait_for` returns what came at that moment), and the process would wait for its sleep."""
    if (task := asyncio.current_task()) is not None and task.cancelling():
        raise asyncio.CancelledError
    await asyncio.sleep(seconds)
