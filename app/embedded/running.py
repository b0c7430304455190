"""Finds the system that runs from a data folder, by its lock and `run.json`, which holds its addresses."""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from pydantic import SecretStr

from app.embedded.postgres import Postgres
from app.settings import Settings

if TYPE_CHECKING:
    from app.embedded.kafka import Kafka as Broker


class NotRunning(SystemExit):
    """Nothing runs from this data folder. Uncaught, it ends a command with its message and exit code 1."""


class AlreadyRunning(Exception):
    """Another `threadline up` runs from this data folder. The message names its process."""


class FolderUnusable(Exception):
    """The data folder cannot be made, or not be written. The message says why and what to do."""


@contextmanager
def lock(data: Path) -> Iterator[None]:
    """Hold the lock of the data folder, which is created if missing. Raises AlreadyRunning, FolderUnusable.

    The kernel releases the lock if the process is killed.
    """
    try:
        file = _prepared(data)
    except OSError as error:
        raise FolderUnusable(
            f"the data folder {data} cannot be used ({error.filename}: {error.strerror}). Set THREADLINE_DATA to a folder that "
            "you may write"
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            pid = _read(data).get("pid")
            which = f" (process {pid})" if pid else ""
            raise AlreadyRunning(
                f"Threadline runs from {data} already{which}. Use that one, stop it with Ctrl-C where it runs, "
                "or start another beside it with its own folder: THREADLINE_DATA=…"
            ) from error
        yield


def is_held(data: Path) -> bool:
    """Return whether a system runs from this data folder, or is starting."""
    try:
        with (data / "lock").open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except BlockingIOError:
        return True
    return False


def postgres_of(data: Path) -> Postgres:
    """Return the embedded PostgreSQL of a data folder, not started."""
    return Postgres(data / "postgres", data / "logs" / "postgres.log")


def kafka_of(data: Path) -> "Broker":
    """Return the embedded Kafka of a data folder, not started."""
    # Imported here: what is needed to start it costs every command that uses an outside Kafka half a second.
    from app.embedded.kafka import Kafka as Broker

    return Broker(data / "kafka", data / "logs" / "kafka.log")


def is_starting(data: Path) -> bool:
    """Return whether a system starts from this data folder, and not all of it works yet."""
    return is_held(data) and not _read(data).get("ready")


def publish(data: Path, state: Mapping[str, Any]) -> None:
    """Write `run.json`: `{"pid", "ready", "door", "worker", "bootstrap", "postgresPort", "pids", …}`; no secrets."""
    file = data / "run.json"
    unfinished = file.with_suffix(f".{os.getpid()}")
    unfinished.write_text(json.dumps(state, indent=2) + "\n")
    unfinished.replace(file)


def withdraw(data: Path) -> None:
    """Remove `run.json`."""
    (data / "run.json").unlink(missing_ok=True)


def state(data: Path) -> dict[str, Any]:
    """Return the content of `run.json`. Raises NotRunning."""
    found = _read(data)
    if not found or not is_held(data):
        raise NotRunning(
            f"Nothing is running here ({data.absolute()}). Start it with: threadline up\n"
            "Or set where it runs: THREADLINE_POSTGRES__DSN, THREADLINE_KAFKA__BOOTSTRAP"
        )
    return found


def resolve(settings: Settings, login: str = "service") -> Settings:
    """Return the settings completed with the addresses of the embedded system that runs from their data folder; `login`: one of
    the database's, of which `door` and `worker` are those of the processes.

    If PostgreSQL and Kafka are both configured, the settings are returned unchanged. Raises NotRunning.
    """
    postgres, kafka = settings.postgres, settings.kafka
    if postgres.dsn and kafka.bootstrap:
        return settings
    found = state(settings.data)
    if not postgres.dsn:
        server = postgres_of(settings.data)
        server.remembered()
        dsns = {"dsn": SecretStr(server.dsn(login)), "owner_dsn": SecretStr(server.dsn("owner"))}
        postgres = postgres.model_copy(update=dsns)
    if not kafka.bootstrap:
        broker = kafka_of(settings.data)
        broker.remembered()
        kafka = kafka.model_copy(update=broker.settings)
    # An explicitly set port belongs to another process beside those that run here.
    addresses = {
        name: getattr(settings, name).model_copy(update={"port": found[f"{name}Port"]})
        for name in ("door", "worker")
        if "port" not in getattr(settings, name).model_fields_set
    }
    return settings.model_copy(update={"postgres": postgres, "kafka": kafka, **addresses})


def _prepared(data: Path) -> TextIO:
    """Create the data folder if it is missing, and return the file of its lock. Raises OSError."""
    data.mkdir(parents=True, exist_ok=True)
    # Under root, PostgreSQL runs as another account, which must be able to traverse the folder.
    data.chmod(0o711 if os.geteuid() == 0 else 0o700)
    # Files may hold errors about customers' messages, so only this account may read them.
    (data / "logs").mkdir(exist_ok=True)
    (data / "logs").chmod(0o700)
    return (data / "lock").open("a+")


def _read(data: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((data / "run.json").read_text())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return found
