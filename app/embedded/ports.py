"""TCP ports of the loopback interface."""

import asyncio
import socket
import time

LOOPBACK = "127.0.0.1"


class PortTaken(Exception):
    """A port that had to be this one is another program's. The message says which."""


def free(preferred: int | None = None, host: str = LOOPBACK) -> int:
    """`preferred` if nothing has it, else one that is free now. Whoever binds it next may still lose a race for it."""
    if preferred and is_free(preferred, host):
        return preferred
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


async def regain(port: int, within: float = 10.0) -> int:
    """The port that a server had before, which others know it by: waits until it is free. Raises PortTaken."""
    deadline = time.monotonic() + within
    while not is_free(port):
        if time.monotonic() > deadline:
            raise PortTaken(f"something else listens on {LOOPBACK}:{port} now")
        await asyncio.sleep(0.05)
    return port


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen there now (SO_REUSEADDR set, as servers do, so that old connections don't count)."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def answers(port: int, host: str = LOOPBACK) -> bool:
    """Whether something accepts connections there. Unlike `is_free`, it cannot get in a starting server's way."""
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False
