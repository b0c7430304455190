"""Ports: which are free, what happens where one is not, and how a program is reached."""

import asyncio
import random
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.embedded import addresses, ports
from app.settings import Door, Settings, Worker


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that something listens on."""
    with socket.create_server((ports.LOOPBACK, 0)) as server:
        yield server.getsockname()[1]


def test_a_taken_port_is_seen(taken: int) -> None:
    """It is not free, it answers, and another is given in its place."""
    assert not ports.is_free(taken)
    assert ports.answers(taken)
    assert ports.free(taken) != taken


def test_a_remembered_port_is_given_again() -> None:
    """A server keeps its port from one start to the next where nobody else has it."""
    port = ports.free()

    assert ports.free(port) == port
    assert not ports.answers(port)


def test_a_chosen_port_is_never_one_of_an_outgoing_connection() -> None:
    """The system would give it to any client that connects before the server listens."""
    low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])

    assert all(1024 < ports.free() < min(low, 32_768) for _ in range(200))


def test_no_free_port_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the range that was searched."""
    monkeypatch.setattr(ports, "is_free", lambda port, host: False)

    with pytest.raises(ports.PortTaken, match="15000 to 32767"):
        ports.free()


async def test_a_restarted_server_waits_for_its_port() -> None:
    """Others know it by that port: it is waited for, and another program that has it is named."""
    with socket.create_server((ports.LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
        waiting = asyncio.create_task(ports.regain(port, within=5))
        await asyncio.sleep(0.1)
        assert not waiting.done()
    assert await waiting == port

    with socket.create_server((ports.LOOPBACK, port)), pytest.raises(ports.PortTaken, match=str(port)):
        await ports.regain(port, within=0)


def test_where_a_default_port_is_taken_the_next_is_used(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The output says which it is instead."""
    monkeypatch.setattr(ports, "is_free", lambda port, host: port not in (8080, 8082))
    output: list[str] = []

    settings = addresses.choose(Settings(), output.append)

    assert (settings.door.port, settings.worker.port) == (8084, 8081)
    assert output == ["port 8080 is taken, so 8084 instead"]


def test_a_port_that_was_asked_for_is_not_exchanged(taken: int) -> None:
    """A provider may be configured with that port: it is an error that names it, and the variable."""
    with pytest.raises(ports.PortTaken, match=f"{taken}.*THREADLINE_WORKER__PORT"):
        addresses.choose(Settings(door=Door(port=ports.free()), worker=Worker(port=taken)), print)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8080"),
        ("0.0.0.0", "http://127.0.0.1:8080"),
        ("::1", "http://[::1]:8080"),
        ("hooks.internal", "http://hooks.internal:8080"),
    ],
)
def test_how_a_program_is_reached(host: str, url: str) -> None:
    """A server that listens everywhere is reached by loopback; an IPv6 address is in brackets."""
    assert addresses.url(Door(host=host)) == url


def test_a_port_is_given_once_and_whoever_seeds_random_gets_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two servers that do not listen yet get two ports, in one process and in two that seeded `random` alike."""
    given = [ports.free() for _ in range(200)]
    assert len(set(given)) == len(given)
    found = []
    for _ in range(2):
        random.seed(7)
        monkeypatch.setattr(ports, "_GIVEN", set())  # as in another process
        found.append([ports.free() for _ in range(5)])
    assert found[0] != found[1]
