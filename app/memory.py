"""Tunes the garbage collector for a long-running process."""

import gc


def settle() -> None:
    """Exclude existing objects from garbage collection, and collect less often. Webhooks and messages leave few cycles, and
    collecting at the default rate costs a tenth of the time for a webhook and a third of that for a send."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
