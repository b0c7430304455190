"""Whether what runs has read the file of settings as it is now."""

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from app.cli.doctor import settings as settings_checks
from app.embedded import ports
from app.settings import Door, Settings, Worker


@contextmanager
def running(uptime: float) -> Iterator[int]:
    """The health page of a process that runs for so many seconds; its port."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"status": "ok", "uptime": uptime}).encode())

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


@pytest.mark.parametrize(("door", "worker", "late"), [(10, 10, None), (100, 10, "the door"), (100, 100, "the worker")])
async def test_a_file_that_changed_since_is_named_with_who_has_not_read_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, door: float, worker: float, late: str | None
) -> None:
    """A source that was added a minute ago is not known to a process that runs for longer."""
    file = tmp_path / "threadline.toml"
    file.write_text("")
    os.utime(file, (time.time() - 60, time.time() - 60))
    monkeypatch.setenv("THREADLINE_CONFIG", str(file))
    with running(door) as one, running(worker) as two:
        settings = Settings(data=tmp_path, door=Door(port=one), worker=Worker(port=two))
        (found,) = [each async for each in settings_checks.in_use(settings)]
    assert found.state == ("ok" if late is None else "wrong")
    assert late is None or (late in found.found and found.todo)


async def test_nothing_is_said_without_a_file_or_an_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not run is another check's to say."""
    monkeypatch.setenv("THREADLINE_CONFIG", str(tmp_path / "none.toml"))
    settings = Settings(data=tmp_path, door=Door(port=ports.free()), worker=Worker(port=ports.free()))
    assert [each async for each in settings_checks.in_use(settings)] == []
