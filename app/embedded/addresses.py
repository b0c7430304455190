"""Where our own two programs listen, and how they are reached from this machine."""

from collections.abc import Callable

from app.embedded import ports
from app.settings import Door, Settings, Worker


def choose(settings: Settings, say: Callable[[str], None]) -> Settings:
    """The settings with ports that are free: where a default one is taken, the next, and `say` is told.

    Raises PortTaken where the port was asked for.
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
    """Its base URL, from this machine."""
    host = ports.LOOPBACK if server.host in ("0.0.0.0", "::", "") else server.host  # noqa: S104  # compared, not bound
    return f"http://[{host}]:{server.port}" if ":" in host else f"http://{host}:{server.port}"
