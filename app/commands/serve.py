"""`threadline serve`: the HTTP process."""

from app.embedded.running import resolve
from app.http.server import serve
from app.kafka.fitting import refuses
from app.settings import Settings
from app.telemetry import configure


def run() -> int:
    """Serve until told to end; returns the exit status: 2 where the settings do not fit each other or Kafka's topics."""
    settings = resolve(Settings())
    configure(settings.telemetry, service="http")
    if refuses(settings):
        return 2
    return serve(settings)
