"""Whether what runs works with the settings as they are now, and what to do if not."""

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from app.cli.doctor import settings as settings_checks
from app.cli.doctor.finding import Finding
from app.embedded import ports
from app.settings import Door, Settings, Source, Worker
from app.settings.digest import digest
from app.settings.stamp import stamp_of

NOW = time.time()


def published(settings: Settings, read: float = NOW - 300, **more: Any) -> dict[str, Any]:
    """What a process publishes that read these settings then."""
    at = datetime.fromtimestamp(read, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    base = {
        "readAt": at,
        "digest": digest(settings),
        "files": stamp_of(settings).text,
        "refused": False,
        "needRestart": [],
    }
    return base | more


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The settings file, changed ten minutes ago."""
    found = tmp_path / "threadline.toml"
    found.write_text("")
    os.utime(found, (NOW - 600, NOW - 600))
    monkeypatch.setenv("THREADLINE_CONFIG", str(found))
    return found


def compared(settings: Settings, published: dict[str, Any]) -> list[Finding]:
    """What doctor says of a process that publishes this."""
    return settings_checks.compare("the worker", published, settings, NOW)


def test_a_file_that_was_changed_since_is_named_with_both_times(file: Path) -> None:
    """Within seconds it is only to look at, since the process is about to read it."""
    settings = Settings()
    page = published(settings)
    assert compared(settings, page) == []
    for changed, state in ((NOW - 60, "wrong"), (NOW - 1, "look")):
        os.utime(file, (changed, changed))
        (found,) = compared(settings, page)
        at = datetime.fromtimestamp(changed, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        assert found.state == state and "SIGHUP" in found.todo
        assert found.found == f"the worker runs with the settings read at {page['readAt']}; {file} was changed at {at}"


def test_what_needs_a_restart_is_named() -> None:
    """Each setting, and the process."""
    (found,) = compared(Settings(), published(Settings(), needRestart=["door.port", "kafka.password"]))
    assert found.state == "wrong" and found.found.endswith(", and `door.port`, `kafka.password` need a restart")
    assert found.todo == "restart the worker"


def test_a_refused_file_is_named() -> None:
    """Whatever else differs; the command that prints the fault is the thing to do."""
    (found,) = compared(Settings(), published(Settings(), refused=True, files="other", needRestart=["door.port"]))
    assert found.state == "wrong" and "refused" in found.found and "threadline settings check" in found.todo


def test_a_copy_of_the_file_is_in_force_and_another_one_is_not() -> None:
    """A file that is older than the reading, and another than the process has, is compared by what is set."""
    settings = Settings(sources={"mine": Source(adapter="twilio")})
    assert compared(settings, published(settings, files="other")) == []
    (found,) = compared(settings, published(Settings(), files="other"))
    assert found.state == "look" and "other settings than this command finds" in found.found
    (found,) = compared(settings, published(Settings()))
    assert "environment" in found.found


@contextmanager
def running(page: dict[str, Any]) -> Iterator[int]:
    """The health page of a process; its port."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(page).encode())

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def test_both_processes_are_asked(tmp_path: Path) -> None:
    """One line if both are well, else one for each fault with its process."""
    with (
        running({"settings": published(Settings(data=tmp_path))}) as one,
        running({"settings": published(Settings(data=tmp_path), needRestart=["worker.port"])}) as two,
    ):
        well = Settings(data=tmp_path, door=Door(port=one), worker=Worker(port=one))
        (found,) = [each async for each in settings_checks.in_use(well)]
        assert (found.state, found.what) == ("ok", "Settings")
        settings = Settings(data=tmp_path, door=Door(port=one), worker=Worker(port=two))
        (found,) = [each async for each in settings_checks.in_use(settings)]
        assert found.state == "wrong" and found.found.startswith("the worker runs")


async def test_nothing_is_said_without_an_answer(tmp_path: Path) -> None:
    """What does not run is another check's to say."""
    settings = Settings(data=tmp_path, door=Door(port=ports.free()), worker=Worker(port=ports.free()))
    assert [each async for each in settings_checks.in_use(settings)] == []
