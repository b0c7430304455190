"""The checks of `threadline doctor` on the servers, the processes and the machine."""

import shutil
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import httpx
import psycopg
from aiokafka.errors import KafkaError
from pydantic import SecretStr

from app.cli.doctor.finding import Finding, State
from app.cli.support.kafka import kafka_error_text
from app.cli.support.terminal import printable
from app.embedded import addresses, java
from app.kafka import LARGEST, TopicState, describe_topics
from app.kafka.fitting import too_small, unfit
from app.kafka.topics import TOPICS
from app.numbered import numbered
from app.settings import Door, Settings, Worker
from sql.migrate import MigrationError, pending

GIB = 1 << 30
#: Free bytes of the disk below which it is time to act.
LEAST_FREE = 2 * GIB


async def postgres(settings: Settings) -> AsyncIterator[Finding]:
    """Check that both roles can connect, that the service role is no superuser, and that no migration is missing."""
    roles = (("service role", settings.postgres.dsn, "DSN"), ("owner role", settings.postgres.owner_dsn, "OWNER_DSN"))
    for role, dsn, variable in roles:
        what = f"PostgreSQL, {role}"
        if dsn is None:
            yield Finding(what, "look", "not configured", f"migrate and rebuild need THREADLINE_POSTGRES__{variable}")
            continue
        try:
            async with await psycopg.AsyncConnection.connect(dsn.get_secret_value(), connect_timeout=5) as connection:
                info = connection.info
                release, user = info.server_version // 10000, info.user
                superuser = info.parameter_status("is_superuser") == "on"
                found = f"{user} on {info.host}:{info.port}, PostgreSQL {release}"
        except (psycopg.Error, OSError) as error:
            yield Finding(what, "wrong", _first_line(error), f"start it, or correct THREADLINE_POSTGRES__{variable}")
            continue
        if superuser and variable == "DSN":
            yield Finding(
                what,
                "look",
                f"{found}, a superuser",
                "connect as a member of threadline_service: it cannot change events",
            )
        else:
            yield Finding(what, "ok", found)
    yield await _migrations(settings.postgres.owner_dsn or settings.postgres.dsn)


async def kafka(settings: Settings) -> AsyncIterator[Finding]:
    """Check that the cluster answers, and that its topics are as the settings want them."""
    try:
        states = await describe_topics(settings)
    except (KafkaError, OSError, ValueError) as error:
        yield Finding("Kafka", "wrong", kafka_error_text(error, settings), "start it, or correct THREADLINE_KAFKA__…")
        return
    yield Finding("Kafka", "ok", f"{settings.kafka.bootstrap}, {settings.kafka.security_protocol}")
    missing = {topic.name for topic in TOPICS} - {state.topic.name for state in states}
    if missing:
        yield Finding("Topics", "wrong", f"missing: {', '.join(sorted(missing))}", "threadline topics")
    for sentence in unfit(settings) + too_small(states):
        found, _, todo = sentence.partition(": ")
        yield Finding("Limits", "wrong", found, todo)
    for finding in _unlike(states):
        yield finding
    if not missing:
        yield Finding("Topics", "ok", f"{len(states)}, with {numbered(settings.kafka.partitions, 'partition')}")


def _unlike(states: Sequence[TopicState]) -> Iterator[Finding]:
    """Return one finding for each setting that differs from the wanted value in the same way, with all its topics."""
    topics: dict[tuple[str, str, str], list[str]] = {}
    for state in states:
        for name, (found, wanted) in state.differs.items():
            if name != LARGEST or not state.too_small:
                topics.setdefault((name, found or "unset", wanted), []).append(state.topic.name)
    for (name, found, wanted), names in topics.items():
        short = name in ("partitions", "replication")
        todo = "threadline topics" if name == "partitions" else f"set it to {wanted}, with Kafka's own tools"
        of = f", of {', '.join(names)}" if len(names) > 1 else ""
        what = names[0] if len(names) == 1 else f"{len(names)} topics"
        yield Finding(what, "wrong" if short else "look", f"{name} is {found}, not {wanted}{of}", todo)


async def programs(settings: Settings) -> AsyncIterator[Finding]:
    """Check that the HTTP process and the worker are ready, that the spool is empty, and that the worker keeps up."""
    door = await _ask(settings.door)
    if isinstance(door, str):
        yield Finding("Door and API", "wrong", door, "threadline up, or threadline serve")
    else:
        state: State = "ok" if door.get("status") == "ok" else "look" if door.get("status") == "degraded" else "wrong"
        away = ", ".join(f"{part} {door[part]}" for part in ("kafka", "postgres") if door.get(part, "ok") != "ok")
        if door.get("held"):
            away = f"held back: {door['held']}"
        todo = "correct that first" if door.get("held") else "see the lines of PostgreSQL and Kafka" if away else ""
        yield Finding("Door and API", state, f"{addresses.url(settings.door)}, {away or door.get('status')}", todo)
        spool = door.get("spool", {})
        waiting = f"{numbered(spool.get('records', 0), 'webhook waits', 'webhooks wait')}, {spool.get('bytes', 0) / (1 << 20):.1f} of {spool.get('limit', 0) >> 20} MiB"
        yield Finding(
            "Spool",
            "look" if spool.get("records") else "ok",
            waiting,
            "nothing: they drain once nothing holds them back" if spool.get("records") else "",
        )
    worker = await _ask(settings.worker)
    if isinstance(worker, str):
        yield Finding("Worker", "wrong", worker, "threadline up, or threadline work")
    elif worker.get("status") not in ("ok", "alarm"):
        yield Finding("Worker", "wrong", _failing(worker), f"see its log, in {settings.data.absolute() / 'logs'}")
    else:
        lag = ", ".join(f"{behind} in {topic}" for topic, behind in (worker.get("lag") or {}).items() if behind)
        found = f"behind by {lag}" if lag else "up to date with all topics"
        yield Finding("Worker", "ok", f"{addresses.url(settings.worker)}, {found}")
    if isinstance(worker, dict):
        for finding in _reported_by(worker):
            yield finding
    for source, words in (worker.get("unknown") or {}).items() if isinstance(worker, dict) else ():
        counts = ", ".join(f"{printable(word) or '(nameless)'} {count}" for word, count in list(words.items())[:5])
        yield Finding(
            f"Source {source}",
            "look",
            f"sent events for which its adapter has no type (name and count: {counts})",
            "see whether the provider added or renamed an event; each is stored as it came",
        )


async def machine(settings: Settings) -> AsyncIterator[Finding]:
    """Check the room on the disk, Java for Kafka, and that only the owner can read the settings file."""
    try:
        settings.data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        todo = "set THREADLINE_DATA to a folder that this account may write"
        yield Finding("Data folder", "wrong", f"{settings.data} cannot be made: {error.strerror}", todo)
        return
    disk = shutil.disk_usage(settings.data)
    room = f"{disk.free / GIB:.1f} of {disk.total / GIB:.0f} GiB free at {settings.data.absolute()}"
    yield (
        Finding("Disk", "ok", room)
        if disk.free > LEAST_FREE
        else Finding("Disk", "wrong", room, "make room, or move THREADLINE_DATA")
    )
    found = java.find()
    yield Finding("Java", "ok", f"{found.release}, {found.executable}")
    file = settings.data / "threadline.toml"
    if file.exists() and file.stat().st_mode & 0o077:
        yield Finding("Configuration", "wrong", f"others can read {file}", f"chmod 600 {file}")


async def _migrations(dsn: SecretStr | None) -> Finding:
    try:
        missing = await pending(dsn.get_secret_value() if dsn else "")
    except (psycopg.Error, OSError, MigrationError) as error:
        return Finding(
            "Migrations",
            "wrong",
            _first_line(error),
            "reach PostgreSQL first" if isinstance(error, psycopg.Error) else "",
        )
    if missing:
        return Finding("Migrations", "wrong", f"missing: {', '.join(missing)}", "threadline migrate")
    return Finding("Migrations", "ok", "all applied")


async def _ask(server: Door | Worker) -> dict[str, Any] | str:
    """Return the JSON of a process's /readyz, or words that say why there is none."""
    async with httpx.AsyncClient(trust_env=False, timeout=5, verify=addresses.trust(server)) as client:
        try:
            ready = (await client.get(addresses.url(server) + "/readyz")).json()
        except (httpx.HTTPError, ValueError) as error:
            late = " in time" if isinstance(error, httpx.TimeoutException) else ""
            return f"no answer{late} from {addresses.url(server)}"
    return ready if isinstance(ready, dict) else f"{addresses.url(server)} is some other program"


def _reported_by(worker: dict[str, Any]) -> Iterator[Finding]:
    """Return findings of the worker's alarms, and of faults in clients' own configurations."""
    for alarm in worker.get("alarms") or ():
        about, _, rest = printable(str(alarm)).partition(": ")
        found, _, todo = rest.partition(": ")
        yield Finding(f"Partition {about}", "wrong", found, todo)
    for fault in worker.get("tenants") or ():
        found = f"{fault.get('what')}: {fault.get('why')}"
        yield Finding(
            f"Client {printable(str(fault.get('client')))}",
            "wrong",
            printable(found),
            "a fault of this client's own settings or endpoint; others are not affected",
        )


def _failing(worker: dict[str, Any]) -> str:
    parts = worker.get("parts") or {}
    failing = [
        f"{part}: {what}: {why}"
        for part, health in parts.items()
        for what, why in (health.get("failing") or {}).items()
    ]
    return "; ".join(failing) or "starting, or stopping"


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).strip().splitlines()[0]
