"""The garbage collector of a process that has started and will run for long."""

import gc


def settle() -> None:
    """What is there by now, and stays, is out of the collector's rounds; and those are seldom. Webhooks and messages leave
    few cycles behind, and rounds as frequent as the default's cost a tenth of taking a webhook, a third of a send."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
