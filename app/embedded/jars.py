"""Downloads the jars of Apache Kafka pinned in `kafka.lock` from Maven Central, verifies and caches them.

`kafka.lock` has one line per jar: `group:artifact:version size sha256`. `python -m app.embedded.jars` rewrites it.
"""

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import jgo.maven
import platformdirs
import requests

LOCK = Path(__file__).with_name("kafka.lock")

#: What is resolved when the lock is written. Kafka logs through SLF4J and brings no binding for it.
ROOTS = ("org.apache.kafka:kafka_2.13:4.3.1", "org.slf4j:slf4j-simple:1.7.36")

TRIES = 3

#: Called with the bytes received and the total.
Progress = Callable[[int, int], None]


class FetchFailed(Exception):
    """A jar could not be downloaded or differs from the pinned one. The message names it and says what to do."""


@dataclass(frozen=True, slots=True)
class Jar:
    """One pinned jar; `size` in bytes, `sha256` in hex."""

    coordinate: str
    size: int
    sha256: str

    @property
    def file_name(self) -> str:
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"

    def is_whole(self, file: Path) -> bool:
        """Return whether `file` is exactly this jar."""
        try:
            return file.stat().st_size == self.size and _digest(file) == self.sha256
        except FileNotFoundError:
            return False


def pinned() -> list[Jar]:
    """Return the pinned jars in the order of the lock file."""
    rows = (line.split() for line in LOCK.read_text().splitlines() if line and not line.startswith("#"))
    return [Jar(coordinate, int(size), sha256) for coordinate, size, sha256 in rows]


def cache() -> Path:
    """Return the user's cache folder for jars: `$XDG_CACHE_HOME/threadline/kafka` on Linux."""
    return platformdirs.user_cache_path("threadline") / "kafka"


def fetch(progress: Progress = lambda got, of: None) -> list[Path]:
    """Return the paths of all pinned jars. Downloads missing or damaged ones. Blocks. Raises FetchFailed.

    An exception from `progress` ends it once the running downloads are complete. Several processes may run it at once,
    since a jar appears in the cache only when complete.
    """
    folder, jars = cache(), pinned()
    folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(4) as pool:
        whole = list(pool.map(lambda jar: jar.is_whole(folder / jar.file_name), jars))
        missing = [jar for jar, kept in zip(jars, whole, strict=True) if not kept]
        got, total = 0, sum(jar.size for jar in missing)
        try:
            for done in as_completed([pool.submit(_download, jar, folder) for jar in missing]):
                got += done.result().size
                progress(got, total)
        except BaseException:
            pool.shutdown(cancel_futures=True)  # without starting the remaining downloads
            raise
    return [folder / jar.file_name for jar in jars]


def _download(jar: Jar, folder: Path) -> Jar:
    reason = ""
    for _ in range(TRIES):
        with _scratch(folder) as scratch:
            try:
                file = _context(scratch).project(*jar.coordinate.split(":")[:2]).at_version(_version(jar)).artifact()
                path = file.resolve()
            except (requests.RequestException, RuntimeError, OSError) as error:
                reason = str(error)
                continue
            if jar.is_whole(path):
                os.replace(path, folder / jar.file_name)
                return jar
            reason = (
                f"{path.stat().st_size} bytes with SHA-256 {_digest(path)} arrived, not {jar.size} with {jar.sha256}"
            )
    raise FetchFailed(
        f"cannot fetch {jar.coordinate} from Maven Central: {reason}. Is there a network connection? A retry continues where "
        "this attempt ended. Or point Threadline at a Kafka that runs elsewhere: THREADLINE_KAFKA__BOOTSTRAP=host:port"
    )


def _version(jar: Jar) -> str:
    return jar.coordinate.rpartition(":")[2]


def _context(folder: Path) -> jgo.maven.MavenContext:
    return jgo.maven.MavenContext(repo_cache=folder, timeout=60)


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    scratch = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=folder))
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def resolve() -> list[Jar]:
    """Resolve the current dependencies of `ROOTS` with checksums, for a new lock file. Downloads everything."""
    with _scratch(Path(tempfile.gettempdir())) as scratch:
        context = _context(scratch)
        roots = []
        for root in ROOTS:
            group, artifact, version = root.split(":")
            roots.append(jgo.maven.Dependency(context.project(group, artifact).at_version(version).artifact()))
        inputs, transitive = context.resolver.resolve(roots)
        found = []
        for artifact in (dependency.artifact for dependency in [*inputs, *transitive]):
            path = artifact.resolve()
            coordinate = f"{artifact.groupId}:{artifact.artifactId}:{artifact.version}"
            found.append(Jar(coordinate, path.stat().st_size, _digest(path)))
    return sorted(found, key=lambda jar: jar.coordinate)


if __name__ == "__main__":
    lines = [f"{jar.coordinate} {jar.size} {jar.sha256}" for jar in resolve()]
    head = "# group:artifact:version size sha256, written by: python -m app.embedded.jars"
    LOCK.write_text("\n".join([head, *lines]) + "\n")
    sys.stdout.write(f"{LOCK.name}: {len(lines)} jars\n")
