"""Unwraps the keys of a process that starts: waits for a service that is away, and stops at one that refuses."""

import random
import sys
import time
from collections.abc import Callable

import structlog

from app.keys import keys_of
from app.keys.wrapping import KeysAway, KeysUnavailable
from app.settings import Settings
from webhooks.backoff import exponential

log = structlog.get_logger(__name__)

#: The first and the longest pause between tries, in seconds: they double, with jitter of a half.
FIRST_PAUSE, LAST_PAUSE = 1.0, 30.0


def pause_only(seconds: float) -> bool:
    """Wait for so many seconds. Return False: a process that waits so is ended by a signal, and not asked."""
    time.sleep(seconds)
    return False


def keys_ready(settings: Settings, pause: Callable[[float], bool] = pause_only) -> bool:
    """Unwrap the keys of the settings, and return whether the process may go on. Each failure is logged; one that no retry
    resolves is printed too. `pause` waits for so many seconds, and returns whether the process is to end."""
    failures = 0
    while True:
        try:
            keys_of(settings)
            return True
        except KeysAway as error:
            wait = exponential(FIRST_PAUSE, LAST_PAUSE, failures) * random.uniform(0.5, 1)  # noqa: S311  # jitter
            effect = "this process starts once the key is unwrapped"
            log.warning("keys_away", reason=str(error), effect=effect, again_in=round(wait, 1))
            failures += 1
            if pause(wait):
                return False
        except KeysUnavailable as error:
            log.critical("keys_refused", reason=str(error))
            print(f"the keys of secrets.wrapped cannot be unwrapped: {error}", file=sys.stderr)
            return False
