"""TCP ports of the loopback interface."""

import asyncio
import random
import socket
import time

LOOPBACK = "127.0.0.1"
#: Where `free` looks: below the ports that systems give to outgoing connections (Linux from 32768, others from 49152, see
#: RFC 6335 section 6), which would take a server's port before it listens, or between its stop and its restart.
SEARCHED = range(15_000, 32_768)
TRIES = 100
#: Entropy of the system: if `random` is seeded with a constant, as tests do, each process would try the same ports.
_RANDOM = random.SystemRandom()
#: Ports that this process was given. One is not given twice, since a server does not listen at once.
_GIVEN: set[int] = set()


class PortTaken(Exception):
    """Another program has a required port. The message names the port."""


def free(preferred: int | None = None, host: str = LOOPBACK) -> int:
    """Return `preferred` if it is free, else a free port of `SEARCHED` that this process was not given before, chosen at random
    so that two programs that look at the same time do not get the same one. Raises PortTaken if `TRIES` ports in a row are
    taken."""
    if preferred and is_free(preferred, host):
        _GIVEN.add(preferred)
        return preferred
    for port in _RANDOM.choices(SEARCHED, k=TRIES):
        if port not in _GIVEN and is_free(port, host):
            _GIVEN.add(port)
            return port
    raise PortTaken(f"found no free port on {host}: {TRIES} of {SEARCHED.start} to {SEARCHED.stop - 1} are taken")


async def regain(port: int, within: float = 10.0) -> int:
    """Wait until a port is free that a server had before and that its clients know; return it. Raises PortTaken."""
    deadline = time.monotonic() + within
    while not is_free(port):
        if time.monotonic() > deadline:
            raise PortTaken(f"something else listens on {LOOPBACK}:{port} now")
        await asyncio.sleep(0.05)
    return port


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Return whether a server could listen there now."""
    return why_not(port, host) is None


def why_not(port: int, host: str = LOOPBACK) -> str | None:
    """Return why a server could not listen there now, or None if it could (with SO_REUSEADDR, as servers set it, so that old
    connections do not count)."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.strerror or str(error)
        return None


def answers(port: int, host: str = LOOPBACK) -> bool:
    """Return whether something accepts connections there. Unlike `is_free`, it cannot disturb a starting server."""
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False
