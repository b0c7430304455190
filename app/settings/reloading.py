"""Takes over changed settings in a running process: at SIGHUP, and when the settings file or a definition file was changed.

The new settings are read and checked as at a start. If anything is wrong with them, all are refused and those in force stay.
"""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from app.declared import register
from app.embedded.running import resolve
from app.kafka.fitting import not_startable, unfit
from app.settings import Settings, settings_file
from app.settings.digest import digest
from app.settings.loading import SettingsRefused, load, read
from app.settings.reloaded import changed, taken_over
from app.settings.stamp import Stamp, stamp_of, stamp_of_file
from webhooks.cancelled import pass_on

log = structlog.get_logger("settings")

#: Seconds between two looks at the files. A changed file is read once it was the same at two looks, so that one that is being
#: written is not read half.
EVERY = 2.0


class Reloading:
    """The settings of one process. Make it by `started`, then `run` it."""

    def __init__(self, found: Stamp, loaded: Settings, settings: Settings) -> None:
        """Take the state of the files before they were read, the settings as they were read, and the same with the addresses
        of embedded servers."""
        self.stamp, self.settings = found, settings
        #: Unix time of the reading of the settings in force, and the state of the files then.
        self.read_at, self.read_stamp = time.time(), found
        self._digest: str | None = None
        self.reloads = self.failures = 0
        #: What is wrong with the files as they are now, if they were refused.
        self.faults: list[str] = []
        #: Changed settings that need a restart.
        self.waiting: list[str] = []
        self._loaded = loaded
        self._had_file = settings_file().is_file()
        self._terminal = has_terminal()
        #: How often SIGHUP came, which only its handler changes, and how many of these were handled.
        self._asked = self._handled = 0
        self._wake: Callable[[], Any] = lambda: None

    @classmethod
    def started(cls, login: str = "service") -> "Reloading":
        """Load the settings of a process that starts, and add the providers of definition files to the registry; `login` as
        in `resolve`. Raises SettingsRefused and NotRunning.

        From here on SIGHUP does not end the process, if this is its main thread."""
        file = stamp_of_file()  # before it is read, so that a change in between is noticed
        loaded = load()
        made = cls(stamp_of(loaded, file), loaded, resolve(loaded, login))
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGHUP, made.hang_up)
        return made

    def hang_up(self, *_: Any) -> None:
        """Handle SIGHUP: read the settings, or end the process if its terminal was closed."""
        if self._terminal and not has_terminal():
            os.kill(os.getpid(), signal.SIGTERM)
        else:
            self._asked += 1
            self._wake()

    @property
    def digest(self) -> str:
        """The digest of the settings in force. Not made before it is asked for, since its key may have to be unwrapped."""
        if self._digest is None:
            self._digest = digest(self.settings)
        return self._digest

    async def run(self, take: Callable[[Settings], None], every: float = EVERY) -> None:
        """Follow the files and SIGHUP until cancelled. `take` puts settings into force: all of them or, if it raises, none."""
        loop, woken = asyncio.get_running_loop(), asyncio.Event()
        self._wake = lambda: loop.call_soon_threadsafe(woken.set)
        last = self.stamp
        try:
            while True:
                if self._asked == self._handled:
                    try:
                        async with asyncio.timeout(every):
                            await woken.wait()
                    except TimeoutError as late:
                        pass_on(late)
                woken.clear()
                before, self._handled = self._handled, self._asked
                now = await asyncio.to_thread(stamp_of, self.settings)
                if self._handled != before or (now != self.stamp and now == last):
                    await self.reload(now, take)
                last = now
        finally:
            self._wake = lambda: None

    async def reload(self, found: Stamp, take: Callable[[Settings], None]) -> None:
        """Read the files, whose state is `found`, and put them into force, or log why they are refused."""
        self.stamp = found
        try:
            loaded = await asyncio.to_thread(self._read)
            settings = taken_over(self.settings, loaded)
            # All that may fail comes before `take`, so that what is in force is what this object says.
            files, names = found.changed_since(self.read_stamp), changed(self.settings, settings, reloaded=True)
            waiting, described = changed(self._loaded, loaded, reloaded=False), digest(settings)
            take(register(settings))
        except SettingsRefused as refused:
            self._refuse(refused.faults)
        except Exception as error:  # whatever it is, the settings in force stay
            pass_on(error)
            register(self.settings)
            self._refuse([f"they cannot be put into force: {type(error).__name__}"])
        else:
            self.settings, self._digest, self.waiting = settings, described, waiting
            self.read_at, self.read_stamp = time.time(), found
            self.faults, self.reloads = [], self.reloads + 1
            log.info("settings_reloaded", changed=names, files=files)
            for name in self.waiting:
                log.warning("setting_needs_restart", setting=name)

    def state(self) -> dict[str, Any]:
        """Return what `/healthz` says of the settings in force. It has no value of a setting and no secret."""
        return {
            "readAt": datetime.fromtimestamp(self.read_at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            "digest": self.digest,
            "files": self.read_stamp.text,
            "refused": bool(self.faults),
            "needRestart": self.waiting,
        }

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        yield CounterMetricFamily("threadline_settings_reloads", "Changed settings put into force.", self.reloads)
        yield CounterMetricFamily("threadline_settings_reload_failures", "Changed settings refused.", self.failures)
        yield GaugeMetricFamily(
            "threadline_settings_refused",
            "1: the files as they are now were refused; older settings are in force.",
            bool(self.faults),
        )
        yield GaugeMetricFamily(
            "threadline_settings_need_restart", "Changed settings that need a restart.", len(self.waiting)
        )
        yield GaugeMetricFamily(
            "threadline_settings_read_timestamp_seconds",
            "Unix time at which the settings in force were read.",
            self.read_at,
        )

    def _read(self) -> Settings:
        """Return the settings that the files have now. Raises SettingsRefused."""
        if self._had_file and not settings_file().is_file():
            raise SettingsRefused([f"{settings_file()}: the file was removed"])
        loaded = read()
        if faults := [*unfit(loaded), *not_startable(loaded)]:
            raise SettingsRefused(faults)
        return loaded

    def _refuse(self, faults: list[str]) -> None:
        self.faults, self.failures = faults, self.failures + 1
        log.error("settings_refused", faults=faults, in_force_since=round(self.read_at, 3))


def has_terminal() -> bool:
    """Return whether this process has a terminal. It has none any more after its terminal was closed, which sends SIGHUP."""
    try:
        os.close(os.open(Path("/dev/tty"), os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True
