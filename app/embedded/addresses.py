"""Chooses the ports of the HTTP process and the worker, and their URLs from this machine."""

from collections.abc import Callable

from app.embedded import ports
from app.settings import Door, Settings, Worker


def choose(settings: Settings, say: Callable[[str], None]) -> Settings:
    """Return the settings with free ports. If a default port is taken, use the next free one and report that to `say`.

    Raises PortTaken if a port that was set explicitly is taken.
    """
    chosen: set[int] = set()
    for name in ("door", "worker"):
        server: Door | Worker = getattr(settings, name)
        port = server.port
        while port in chosen or not ports.is_free(port, server.host):
            if "port" in server.model_fields_set:
                variable = f"THREADLINE_{name.upper()}__PORT"
                raise ports.PortTaken(f"something else listens on {server.host}:{port}: stop it, or set {variable}")
            port += 2  # the door's are even, the worker's odd
        chosen.add(port)
        if port != server.port:
            say(f"port {server.port} is taken, so {port} instead")
            settings = settings.model_copy(update={name: server.model_copy(update={"port": port})})
    return settings


def url(server: Door | Worker) -> str:
    """Return the server's base URL from this machine."""
    host = ports.LOOPBACK if server.host in ("0.0.0.0", "::", "") else server.host  # noqa: S104  # compared, not bound
    return f"http://[{host}]:{server.port}" if ":" in host else f"http://{host}:{server.port}"
