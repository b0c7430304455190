"""Finding the system that runs from a data folder."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from app.embedded import running
from app.settings import Kafka, Postgres, Settings

HOLDER = """
import sys, time
from pathlib import Path
from app.embedded.running import lock

with lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder as a running system leaves it: addresses in `run.json`, passwords beside each server's data."""
    (tmp_path / "postgres").mkdir()
    passwords = {"superuser": "s/1", "owner": "o/2", "service": "v@3", "port": 5444}
    (tmp_path / "postgres" / "postgres.json").write_text(json.dumps(passwords))
    (tmp_path / "kafka").mkdir()
    kafka = {"port": 9999, "mechanism": "SCRAM-SHA-512", "password": "k"}
    (tmp_path / "kafka" / "kafka.json").write_text(json.dumps(kafka))
    state = {"pid": 4711, "bootstrap": "127.0.0.1:9999", "doorPort": 8090, "workerPort": 8091}
    running.publish(tmp_path, state)
    return tmp_path


def test_a_running_system_fills_in_what_is_embedded(data: Path) -> None:
    """Connections and ports come from the folder, passwords quoted for a URI."""
    with running.lock(data):
        settings = running.resolve(Settings(data=data))

    assert settings.postgres.dsn and settings.postgres.owner_dsn
    assert settings.postgres.dsn.get_secret_value() == "postgresql://threadline_service:v%403@127.0.0.1:5444/threadline"
    assert settings.postgres.owner_dsn.get_secret_value().startswith("postgresql://threadline_owner:o%2F2@")
    assert settings.kafka.bootstrap == "127.0.0.1:9999"
    assert (settings.kafka.security_protocol, settings.kafka.username) == ("SASL_PLAINTEXT", "threadline")
    assert settings.kafka.password == SecretStr("k")
    assert (settings.door.port, settings.worker.port) == (8090, 8091)


def test_what_is_outside_stays_as_it_is(tmp_path: Path) -> None:
    """Where both are configured nothing needs to run here."""
    outside = Settings(
        data=tmp_path, postgres=Postgres(dsn=SecretStr("postgresql://db")), kafka=Kafka(bootstrap="broker:9093")
    )

    assert running.resolve(outside) is outside


def test_a_part_that_is_outside_is_not_replaced(data: Path) -> None:
    """With an outside Kafka only PostgreSQL is filled in."""
    with running.lock(data):
        settings = running.resolve(Settings(data=data, kafka=Kafka(bootstrap="broker:9093")))

    assert settings.kafka.bootstrap == "broker:9093"
    assert settings.postgres.dsn is not None


def test_where_nothing_runs_the_message_says_how_to_start(tmp_path: Path) -> None:
    """An empty folder ends a command with a sentence and exit code 1."""
    with pytest.raises(running.NotRunning, match="threadline up") as ended:
        running.resolve(Settings(data=tmp_path))

    assert isinstance(ended.value, SystemExit)


def test_what_a_killed_system_left_counts_for_nothing(data: Path) -> None:
    """`run.json` without a process that holds the lock is a leftover."""
    assert not running.is_held(data)
    with pytest.raises(running.NotRunning):
        running.resolve(Settings(data=data))


def test_a_second_system_is_refused(data: Path) -> None:
    """While one runs, another on the same data ends with an error that names it and says what to do; a kill -9 gives
    the folder back."""
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(data)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        assert running.is_held(data)
        with pytest.raises(running.AlreadyRunning, match=r"process 4711.*THREADLINE_DATA"), running.lock(data):
            pass
        holder.kill()

    with running.lock(data):
        assert running.is_held(data)


def test_leaving_removes_the_addresses(data: Path) -> None:
    """After an orderly end nothing says that something runs."""
    running.withdraw(data)
    running.withdraw(data)

    assert not (data / "run.json").exists()
