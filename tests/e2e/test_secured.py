"""The wire to PostgreSQL and Kafka: encrypted, verified, with a login and the least rights for each part, from a webhook to its
timeline; and what is seen where a right is missing."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, KafkaError, TopicAuthorizationFailedError

from app.cli.topics import USERS
from app.kafka import TopicsFailed, admin, client_args, ensure_topics
from app.kafka.rights import RIGHTS, commands
from app.kafka.topics import TOPICS
from tests.support import traffic
from tests.support.certificate import Authority
from tests.support.secured import SecuredStack, rights_of
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Secured:
    """The running whole, each process with its own logins."""

    def __init__(self, stack: SecuredStack, token: str, door: dict[str, str], worker: dict[str, str]) -> None:
        self.stack, self.door, self.worker = stack, door, worker
        self.http = httpx.AsyncClient(base_url=stack.url, timeout=20, headers={"authorization": f"Bearer {token}"})

    async def post(self, number: int, status: str = "delivered") -> str:
        """Post a webhook and return its recipient."""
        to = f"+1555700{number:04d}"
        form = {"AccountSid": "AC1", "From": "+18005550199", "To": to, "MessageSid": f"SM{number:032x}"}
        post = traffic.twilio({**form, "MessageStatus": status})
        answer = await self.http.post("/webhooks/aggregate", content=post.body, headers=post.headers)
        assert answer.status_code == 200, answer.text
        return to

    async def delivery(self, handle: str) -> str | None:
        """Return how the recipient's message is, as the API tells."""
        found = await self.http.get("/api/customers", params={"handle": handle})
        if found.status_code == 404:
            return None
        page = await self.http.get(f"/api/customers/{found.raise_for_status().json()['customerId']}/interactions")
        interactions: list[dict[str, Any]] = page.raise_for_status().json()["interactions"]
        return interactions[0]["delivery"] if interactions else None


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def secured(servers_folder: Path) -> AsyncIterator[Secured]:
    """One system for the tests of this file."""
    async with SecuredStack(servers_folder / "secured") as stack:
        token = await stack.key(
            "timeline:read", "personal:read", "messages:write", "messages:read", "webhooks:write", "dead-letters:read"
        )
        door = stack.as_part(USERS["door"], await stack.login("serving", "threadline_http"))
        worker = stack.as_part(USERS["worker"], await stack.login("working", "threadline_service"))
        await asyncio.gather(stack.start("serve", **door), stack.start("work", **worker))
        running = Secured(stack, token, door, worker)
        yield running
        await running.http.aclose()


async def test_a_webhook_reaches_its_timeline(secured: Secured) -> None:
    """Through door, Kafka, worker, PostgreSQL and API; over TLS alone, as the database and the broker say."""
    to = await secured.post(1)
    assert await eventually(lambda: secured.delivery(to), lambda found: found == "delivered")
    sessions = await secured.stack.rows(
        "SELECT a.usename, bool_and(s.ssl), min(s.version) FROM pg_stat_activity a JOIN pg_stat_ssl s USING (pid) "
        "WHERE a.usename IN ('serving', 'working') GROUP BY 1 ORDER BY 1"
    )
    assert [(name, over_tls) for name, over_tls, _ in sessions] == [("serving", True), ("working", True)]
    assert {version for *_, version in sessions} <= {"TLSv1.2", "TLSv1.3"}


async def test_the_database_is_verified_and_takes_no_plain_connection(secured: Secured) -> None:
    """Another authority, another name, and no encryption are refused."""
    stack = secured.stack
    plain = stack.postgres.dsn("service")
    other = Authority(stack.folder, "other").file
    for dsn, words in (
        (f"{plain}?{stack.verified(other)}", "certificate verify failed"),
        (f"{plain}?{stack.verified()}&host=database.example&hostaddr=127.0.0.1", "does not match host name"),
        (f"{plain}?sslmode=disable", "no pg_hba.conf entry"),
    ):
        with pytest.raises(psycopg.OperationalError, match=words):
            await psycopg.AsyncConnection.connect(dsn)


async def test_the_broker_is_verified_and_asks_for_a_password(secured: Secured) -> None:
    """Another authority, no encryption, and a false password are refused."""
    stack = secured.stack
    right = client_args(stack.kafka_as(USERS["door"]))
    other = stack.kafka_as(USERS["door"]).model_copy(update={"ca_file": Authority(stack.folder, "another").file})
    plain = {"bootstrap_servers": stack.bootstrap, "request_timeout_ms": 3000}
    for args in (client_args(other), plain, right | {"sasl_plain_password": "guessed"}):
        producer = AIOKafkaProducer(**args)
        with pytest.raises((KafkaConnectionError, KafkaError)):
            await producer.start()
        await producer.stop()


@pytest.mark.parametrize("part", ["door", "worker"])
async def test_a_part_writes_what_it_needs_and_nothing_else(secured: Secured, part: Any) -> None:
    """Of all our topics, each takes records of the users whose right the table has, and refuses all others."""
    producer = AIOKafkaProducer(**client_args(secured.stack.kafka_as(USERS[part])))
    await producer.start()
    taken = set()
    try:
        for topic in TOPICS:
            try:
                await producer.send_and_wait(topic.name, b"\x00not a record of ours", partition=0)
                taken.add(topic.name)
            except TopicAuthorizationFailedError:
                pass
    finally:
        await producer.stop()
    assert taken == {
        name for right in RIGHTS if right.part == part and "Write" in right.operations for name in right.names
    }
    assert "events.recorded.dlq" not in taken


async def test_the_door_reads_nothing_else_and_makes_no_topic(secured: Secured) -> None:
    """What services reported, and what is published, is not the door's; nor are topics."""
    stack = secured.stack
    async with admin(stack.kafka_as(USERS["door"])) as client:
        found = await client.describe_topics(["events.reported", "events.recorded", "webhooks.received"])
    assert {one["topic"]: one["error_code"] for one in found} == {
        "events.reported": TopicAuthorizationFailedError.errno,
        "events.recorded": TopicAuthorizationFailedError.errno,
        "webhooks.received": 0,
    }
    settings = stack.settings.model_copy(update={"kafka": stack.kafka_as(USERS["door"])})
    with pytest.raises((TopicsFailed, KafkaError)):
        await ensure_topics(settings)


async def test_the_topics_user_makes_them_and_does_no_more(secured: Secured) -> None:
    """`threadline topics` needs the rights of its user alone; it may not write a record."""
    kafka = secured.stack.kafka_as(USERS["topics"]).model_copy(update={"partitions": 5})
    states = await ensure_topics(secured.stack.settings.model_copy(update={"kafka": kafka}))
    assert all(not state.differs for state in states)
    producer = AIOKafkaProducer(**client_args(kafka))
    await producer.start()
    with pytest.raises(TopicAuthorizationFailedError):
        await producer.send_and_wait("events.reported", b"{}")
    await producer.stop()


async def test_a_refused_webhook_is_kept_and_the_refusal_is_seen(secured: Secured) -> None:
    """The door loses its right to write: webhooks are acknowledged from the spool, the log says why, and they arrive later."""
    right = rights_of("door", "Write", "topic", "webhooks.received")
    await secured.stack.revoke(*right)
    try:
        to = await secured.post(2)
        log = secured.stack.folder / "serve.log"
        await eventually(lambda: asyncio.to_thread(log.read_text), lambda text: "TopicAuthorizationFailed" in text)
        assert await secured.delivery(to) is None
        ready = (await secured.http.get("/readyz")).json()
        assert (ready["kafka"], ready["spool"]["records"]) == ("away", 1)
    finally:
        await secured.stack.grant(*right)
    assert await eventually(lambda: secured.delivery(to), lambda found: found == "delivered", within=60)


async def test_a_worker_that_may_not_publish_is_seen(secured: Secured) -> None:
    """The worker loses its right to publish the log: its health names the part and the topic's refusal, timelines go on."""
    right = rights_of("worker", "Write", "topic", "events.recorded")
    await secured.stack.revoke(*right)
    try:
        to = await secured.post(3)
        assert await eventually(lambda: secured.delivery(to), lambda found: found == "delivered")
        log = secured.stack.folder / "work.log"
        await eventually(lambda: asyncio.to_thread(log.read_text), lambda text: "TopicAuthorizationFailed" in text)
        ready = f"http://127.0.0.1:{secured.stack.worker}/readyz"
        seen = await eventually(lambda: secured.http.get(ready), lambda answer: answer.status_code == 503, within=60)
        assert "TopicAuthorizationFailed" in seen.json()["parts"]["relay"]["failing"]["relay"], seen.text
    finally:
        await secured.stack.grant(*right)


async def test_the_printed_acls_are_the_table() -> None:
    """`threadline topics --acls` prints each right once, for its user."""
    lines = list(commands(USERS, ["anchors"]))
    assert len(lines) == len(RIGHTS) + 1
    for right, line in zip(RIGHTS, lines, strict=False):
        assert f"User:{USERS[right.part]} " in line
        assert all(f" --{right.kind} {name}" in f"{line}" for name in right.names)
        assert line.count("--operation") == len(right.operations)
    assert lines[-1].endswith("--operation Write --topic anchors")
