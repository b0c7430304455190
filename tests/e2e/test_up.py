"""`threadline up` as a newcomer meets it: one command, a sample that works as printed, and nothing left behind."""

import fcntl
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from app.embedded import ports, sample
from tests.conftest import Dsns
from tests.integration.command_line import INTERRUPTIBLE

UP_WITHIN = 120.0  # seconds, on a busy machine
T = TypeVar("T")


class Up:
    """A `threadline up` of its own, as a process."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.output = data.with_name(f"{data.name}.out")
        kept = {k: v for k, v in os.environ.items() if not k.startswith("THREADLINE_")}
        self.environment = kept | {
            "THREADLINE_DATA": str(data),
            "THREADLINE_DOOR__PORT": str(ports.free()),
            "THREADLINE_WORKER__PORT": str(ports.free()),
        }
        self.process: subprocess.Popen[bytes] | None = None
        self.seen: set[int] = set()

    def start(self) -> str:
        """Start it, wait until it prints that it is up, return its output."""
        with self.output.open("wb") as output:
            command = [sys.executable, "-m", "app", "up"]
            self.process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=self.environment)
        eventually(self._is_up)
        self.seen |= set(self.state["pids"].values())
        return self.output.read_text()

    def _is_up(self) -> bool:
        result = self.output.read_text()
        assert self.process and self.process.poll() is None, result
        return "Ctrl-C stops everything" in result

    @property
    def state(self) -> dict[str, Any]:
        """What it publishes for other commands."""
        found: dict[str, Any] = json.loads((self.data / "run.json").read_text())
        return found

    def threadline(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Another command on the same data."""
        return subprocess.run(
            [sys.executable, "-m", "app", *arguments],
            capture_output=True,
            text=True,
            env=self.environment | {"COLUMNS": "160"},
            timeout=60,
            check=False,
        )

    def end(self, how: signal.Signals) -> int:
        """Send a signal and wait for its end."""
        assert self.process
        self.process.send_signal(how)
        return self.process.wait(60)

    def left(self) -> list[str]:
        """Processes that still work on its data."""
        pids = {pid for pid in self.seen if alive(pid)}
        for process in psutil.process_iter(["pid", "cmdline"]):
            if str(self.data) in " ".join(process.info["cmdline"] or ()) and process.pid != os.getpid():
                pids.add(process.pid)
        return [f"{pid}: {psutil.Process(pid).cmdline()}" for pid in pids if alive(pid)]


@pytest.fixture
def up(servers_folder: Path) -> Iterator[Up]:
    """One that is not started yet; whatever a failing test leaves of it is ended."""
    folder = Path(tempfile.mkdtemp(dir=servers_folder))
    folder.chmod(0o711)
    made = Up(folder / "data")
    yield made
    if made.process and made.process.poll() is None:
        made.end(signal.SIGKILL)
    eventually(lambda: not made.left())
    shutil.rmtree(folder)


def eventually(question: Callable[[], T], within: float = UP_WITHIN) -> T:
    """The first answer that is true."""
    deadline = time.monotonic() + within
    while not (answer := question()):
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.1)
    return answer


def alive(pid: int) -> bool:
    """Whether it runs."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def samples(result: str) -> list[str]:
    """The sample's commands in the output: one that posts, and the two that read."""
    post, *read = re.findall(r"^  (curl (?:.*\\\n)*.*)$", result, re.MULTILINE)
    return [post, "\n\n".join(read)]


def shell(command: str) -> str:
    """What a command prints, run in some other folder."""
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, cwd="/", timeout=30, check=True)
    return done.stdout


def readable_by_others(folder: Path) -> set[str]:
    """The files below a folder that another account of this machine can open: each folder on the way lets it through."""
    found: set[str] = set()
    for root, folders, files in os.walk(folder):
        folders[:] = [each for each in folders if (Path(root) / each).stat().st_mode & 0o001]
        found |= {each for each in files if (Path(root) / each).stat().st_mode & 0o004}
    return found


def interactions(command: str) -> list[dict[str, Any]]:
    """The timeline that the sample's last command prints, with the id that the one before it gives."""
    find, read = command.split("\n\n")
    if not (customer := json.loads(shell(find)).get("customerId")):
        return []
    found: list[dict[str, Any]] = json.loads(shell(read.replace("CUSTOMER_ID", customer))).get("interactions", [])
    return found


def test_up_runs_its_sample_heals_and_stops(up: Up) -> None:
    """The sample works as printed, what is killed comes back, Ctrl-C leaves nothing, and a second start finds the data."""
    post, read = samples(up.start())
    assert "202" in shell(post).splitlines()[0]
    (interaction,) = eventually(lambda: interactions(read), within=20)
    assert interaction["content"] == {"text": "Hello, is this on?"}
    assert interaction["direction"] == "inbound"

    doctor = up.threadline("doctor")
    assert doctor.returncode == 0, doctor.stdout

    second = up.threadline("up")
    assert second.returncode == 1
    assert f"process {up.state['pid']}" in second.stdout

    before = up.state["pids"]
    assert before.keys() == {"PostgreSQL", "Kafka", "Worker", "Door and API"}
    given = {name: psutil.Process(before[name]).environ() for name in ("Worker", "Door and API")}
    assert urlsplit(given["Worker"]["THREADLINE_POSTGRES__DSN"]).username == "threadline_worker"
    assert urlsplit(given["Door and API"]["THREADLINE_POSTGRES__DSN"]).username == "threadline_door"
    assert not [value for variables in given.values() for value in variables.values() if "threadline_owner" in value]
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: all(alive(pid) and pid != before[name] for name, pid in up.state["pids"].items()))
    up.seen |= set(up.state["pids"].values())
    eventually(lambda: up.threadline("doctor").returncode == 0)
    assert readable_by_others(up.data) <= {"run.json", "lock"}
    changed = post.replace("Hello, is this on?", "And after the crash?")
    assert "202" in shell(changed).splitlines()[0]
    eventually(lambda: len(interactions(read)) == 2, within=30)

    assert up.end(signal.SIGINT) == 0
    assert up.left() == []
    assert not (up.data / "run.json").exists()
    assert up.threadline("doctor").returncode == 1

    _, again = samples(up.start())
    assert again == read
    assert {found["content"]["text"] for found in interactions(again)} == {"Hello, is this on?", "And after the crash?"}
    assert "made by cli:" in (keys := up.threadline("keys", "list").stdout) and "unknown" not in keys
    assert up.process
    up.process.send_signal(signal.SIGTERM)  # make passes on the one that its group got
    assert up.end(signal.SIGTERM) == 0 and "Stopped. The data stays in" in up.output.read_text()
    assert up.left() == []


def test_a_first_start_makes_the_key_of_clients_secrets(up: Up) -> None:
    """What the HTTP process encrypts, a command on the same data can read: both have the key without being given it."""
    result = up.start()
    assert "secrets/keys" in result
    key = sample.key_file(up.data).read_text().strip()
    account = {"adapter": "twilio", "settings": {"account_sid": "AC1", "auth_token": "hidden-token"}}
    url = f"{up.state['door']}/v1/clients/default/accounts/main"
    put = httpx.put(url, json=account, headers={"authorization": f"Bearer {key}"}, trust_env=False)
    assert put.status_code == 201, put.text
    shown = up.threadline("clients", "show", "default")
    assert shown.returncode == 0 and "account_sid=AC1" in shown.stdout
    assert "hidden-token" not in shown.stdout + put.text
    again = up.threadline("clients", "account", "default", "main", "--adapter", "twilio", "--set", "account_sid=AC2")
    assert again.returncode == 0, again.stderr
    up.end(signal.SIGTERM)


def test_sighup_has_both_processes_read_their_settings(up: Up) -> None:
    """The supervisor passes it on, and itself goes on. A source that was added is there afterwards."""
    up.start()
    file = up.data / "threadline.toml"
    file.write_text(file.read_text() + '\n[sources.added]\nadapter = "slack"\nsigning_secret = "s"\n')
    before = up.state["pids"]
    both = up.state["doorPort"], up.state["workerPort"]
    for _ in range(2):  # at the second nothing was changed, so that it is not the file that they have noticed
        counts = {port: reloads(port) for port in both}
        assert up.process
        up.process.send_signal(signal.SIGHUP)
        eventually(partial(all_above, counts))
    doctor = up.threadline("doctor")
    assert doctor.returncode == 0 and "Source added" in doctor.stdout, doctor.stdout
    assert up.state["pids"] == before
    assert up.end(signal.SIGTERM) == 0


def all_above(counts: dict[int, int]) -> bool:
    """Whether each process has taken over settings more often than that."""
    return all(reloads(port) > count for port, count in counts.items())


def reloads(port: int) -> int:
    """How often the process at this port has taken over changed settings."""
    page = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
    found = re.search(r"^threadline_settings_reloads_total (\d+)", page, re.MULTILINE)
    assert found
    return int(found[1])


def test_a_killed_supervisor_takes_everything_along(up: Up) -> None:
    """After its kill -9 nothing runs on, and the next start recovers by itself."""
    up.start()

    up.end(signal.SIGKILL)

    eventually(lambda: not up.left(), within=10)
    post, read = samples(up.start())
    assert "202" in shell(post).splitlines()[0]
    eventually(lambda: interactions(read), within=20)
    up.end(signal.SIGTERM)
    assert up.left() == []


def test_outside_servers_are_used_as_they_are(up: Up, postgres_dsn: Dsns, kafka_bootstrap: str) -> None:
    """With PostgreSQL and Kafka elsewhere only the two programs are started, and nothing is stopped that was there."""
    up.environment |= {
        "THREADLINE_POSTGRES__DSN": postgres_dsn.service,
        "THREADLINE_POSTGRES__OWNER_DSN": postgres_dsn.owner,
        "THREADLINE_KAFKA__BOOTSTRAP": kafka_bootstrap,
    }

    post, read = samples(up.start())

    assert up.state["pids"].keys() == {"Worker", "Door and API"}
    assert not (up.data / "kafka").exists()
    assert "202" in shell(post).splitlines()[0]
    eventually(lambda: interactions(read), within=20)
    assert up.end(signal.SIGTERM) == 0
    assert up.left() == []
    assert ports.answers(int(kafka_bootstrap.rpartition(":")[2]))


@pytest.mark.parametrize("reader", ["hangs", "has gone"])
def test_output_that_nobody_reads_holds_nothing_up(
    reader: str, up: Up, postgres_dsn: Dsns, kafka_bootstrap: str
) -> None:
    """It starts, starts again what dies, and stops in order."""
    up.environment |= {
        "THREADLINE_POSTGRES__DSN": postgres_dsn.service,
        "THREADLINE_POSTGRES__OWNER_DSN": postgres_dsn.owner,
        "THREADLINE_KAFKA__BOOTSTRAP": kafka_bootstrap,
    }
    reading, writing = os.pipe()
    if reader == "hangs":
        os.write(writing, b"x" * fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096))
    else:
        os.close(reading)
    command = [sys.executable, "-m", "app", "up"]
    up.process = subprocess.Popen(command, stdout=writing, stderr=subprocess.STDOUT, env=up.environment)
    eventually(lambda: (up.data / "run.json").exists() and up.state["ready"], within=UP_WITHIN)
    worker = up.state["pids"]["Worker"]
    up.seen |= set(up.state["pids"].values())
    os.kill(worker, signal.SIGKILL)
    eventually(lambda: up.state["pids"]["Worker"] != worker)
    up.seen.add(up.state["pids"]["Worker"])
    assert up.end(signal.SIGTERM) == 0
    assert up.left() == [] and not (up.data / "run.json").exists()


@pytest.mark.parametrize("command", ["up", "demo"])
def test_ctrl_c_in_the_middle_of_a_start_leaves_nothing(up: Up, command: str) -> None:
    """What had started is stopped in order, without a traceback, and the folder can be used afterwards."""
    program, environment = [sys.executable, "-c", INTERRUPTIBLE, command], up.environment | {"COLUMNS": "80"}
    with up.output.open("wb") as output:
        up.process = subprocess.Popen(program, stdout=output, stderr=subprocess.STDOUT, env=environment)
    eventually(lambda: "Kafka: starting" in up.output.read_text())
    code = up.end(signal.SIGINT)
    said = up.output.read_text()
    assert code == (0 if command == "up" else 130), said
    assert "Traceback" not in said and "Stopped. The data stays in" in said and "Door and API: running" not in said, (
        said
    )
    assert up.left() == []
    assert not (up.data / "run.json").exists()


def test_a_port_that_is_taken_is_named(up: Up) -> None:
    """Where the door's port was asked for and is another program's, the message says which, and nothing is started."""
    with socket.create_server((ports.LOOPBACK, int(up.environment["THREADLINE_DOOR__PORT"]))):
        done = up.threadline("up")

    assert done.returncode == 1
    assert up.environment["THREADLINE_DOOR__PORT"] in done.stdout
    assert "THREADLINE_DOOR__PORT" in done.stdout
    assert up.left() == []


def test_prepare_sets_up_and_starts_nothing(up: Up) -> None:
    """`threadline up --prepare` leaves a configured folder and no process."""
    done = up.threadline("up", "--prepare")

    assert done.returncode == 0, done.stdout
    assert (up.data / "threadline.toml").exists()
    assert (up.data / "postgres" / "cluster" / "PG_VERSION").exists()
    assert (up.data / "kafka" / "log" / "meta.properties").exists()
    assert up.left() == []
