"""Kafka's jars: pinned, checked, repaired. A local server stands for Maven Central; jgo and the checks are the real ones."""

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import jgo.maven
import pytest

from app.embedded import jars

ARTIFACTS = {"one": b"the first jar", "two": b"the second, somewhat longer jar"}


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder without a word."""

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A repository with two artifacts, pinned in a lock file, and an empty cache."""
    folder, lines = tmp_path / "repository", []
    for name, content in ARTIFACTS.items():
        jar = folder / "org" / "example" / name / "1.0" / f"{name}-1.0.jar"
        jar.parent.mkdir(parents=True)
        jar.write_bytes(content)
        jar.with_name(f"{jar.name}.sha1").write_text(hashlib.sha1(content).hexdigest())
        lines.append(f"org.example:{name}:1.0 {len(content)} {hashlib.sha256(content).hexdigest()}")
    lock = tmp_path / "kafka.lock"
    lock.write_text("# a comment\n" + "\n".join(lines) + "\n")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    remote = {"here": f"http://127.0.0.1:{server.server_port}"}
    monkeypatch.setattr(jars, "LOCK", lock)
    monkeypatch.setattr(jars, "_context", lambda folder: jgo.maven.MavenContext(repo_cache=folder, remote_repos=remote))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    yield folder
    server.shutdown()
    serving.join()
    server.server_close()


def test_what_is_missing_comes_once(repository: Path) -> None:
    """A first fetch downloads all and shows its progress; a second downloads nothing."""
    reported: list[tuple[int, int]] = []

    first = jars.fetch(lambda got, of: reported.append((got, of)))

    total = sum(map(len, ARTIFACTS.values()))
    assert [path.read_bytes() for path in first] == list(ARTIFACTS.values())
    assert reported[-1] == (total, total)
    assert len(reported) == 2

    reported.clear()
    assert jars.fetch(lambda got, of: reported.append((got, of))) == first
    assert reported == []


@pytest.mark.parametrize("damage", [b"", b"the firs", b"the first jaR", b"the first jar, and more"])
def test_a_damaged_jar_is_repaired(repository: Path, damage: bytes) -> None:
    """A jar that is cut off, altered or too long is found out by its size and checksum, and fetched again."""
    first, _ = jars.fetch()
    first.write_bytes(damage)

    assert jars.fetch()[0].read_bytes() == ARTIFACTS["one"]


def test_another_jar_than_the_pinned_is_refused(repository: Path) -> None:
    """Bytes that are not the pinned ones never reach the cache, and the message names the jar."""
    content = b"THE first jar"
    jar = repository / "org" / "example" / "one" / "1.0" / "one-1.0.jar"
    jar.write_bytes(content)
    jar.with_name(f"{jar.name}.sha1").write_text(hashlib.sha1(content).hexdigest())

    with pytest.raises(jars.FetchFailed, match=r"org\.example:one:1\.0.*SHA-256"):
        jars.fetch()

    assert {path.name for path in jars.cache().iterdir()} <= {"two-1.0.jar"}


def test_a_jar_that_cannot_be_had_says_what_to_do(repository: Path) -> None:
    """Where an artifact is not there, the message names it and a way without it."""
    (repository / "org" / "example" / "two" / "1.0" / "two-1.0.jar").unlink()

    with pytest.raises(jars.FetchFailed, match=r"org\.example:two:1\.0.*THREADLINE_KAFKA__BOOTSTRAP"):
        jars.fetch()


def test_the_lock_file_is_whole() -> None:
    """The pinned set is that of one Kafka release, with a logging binding, and names no host."""
    pinned = jars.pinned()
    kafka = {jar.coordinate.rpartition(":")[2] for jar in pinned if jar.coordinate.startswith("org.apache.kafka:")}

    assert kafka == {"4.3.1"}
    assert {root for root in jars.ROOTS} <= {jar.coordinate for jar in pinned}
    assert len({jar.file_name for jar in pinned}) == len(pinned) > 40
    assert all(len(jar.sha256) == 64 and jar.size > 0 for jar in pinned)
    assert "http" not in jars.LOCK.read_text()
