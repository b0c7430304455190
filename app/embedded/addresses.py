"""Chooses the ports of the HTTP process and the worker, and their URLs from this machine."""

import ssl
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


def not_available(server: Door | Worker, section: str) -> str | None:
    """Return in words why the server cannot listen at its address, and what to do, or None if it can. `section`: of its variables."""
    if (why := ports.why_not(server.port, server.host)) is None:
        return None
    return f"cannot listen on {server.host}:{server.port} ({why}): stop what listens there, or set THREADLINE_{section}__PORT"


def url(server: Door | Worker) -> str:
    """Return the server's base URL from this machine."""
    host = ports.LOOPBACK if server.host in ("0.0.0.0", "::", "") else server.host  # noqa: S104  # compared, not bound
    scheme = "https" if isinstance(server, Door) and server.tls.certificate else "http"
    return f"{scheme}://[{host}]:{server.port}" if ":" in host else f"{scheme}://{host}:{server.port}"


def trust(server: Door | Worker) -> ssl.SSLContext | bool:
    """Return how a client on this machine verifies the server, for httpx: by the very certificate that the settings name, whatever
    host it is for. True, for the usual authorities, without TLS or where the file cannot be read."""
    if not isinstance(server, Door) or server.tls.certificate is None:
        return True
    try:
        own, end, _ = server.tls.certificate.read_text("ascii").partition("-----END CERTIFICATE-----")
        context = ssl.create_default_context(cadata=own + end)
    except (OSError, ValueError):  # ssl's errors too
        return True
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the certificate itself is trusted, not its issuer
    return context
