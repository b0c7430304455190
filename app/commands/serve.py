"""`threadline serve`: the HTTP process."""

from app.embedded.running import resolve
from app.server import serve
from app.settings import Settings
from app.telemetry import configure


def run() -> int:
    """Serve until told to end; returns the exit status."""
    settings = resolve(Settings())
    configure(settings.telemetry, service="http")
    return serve(settings)
