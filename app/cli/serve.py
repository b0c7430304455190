"""`threadline serve`: the HTTP process."""

from app.embedded.running import resolve
from app.http import server
from app.kafka.fitting import refuses
from app.settings.loading import load
from app.telemetry import configure


def serve() -> int:
    """Run the HTTP process: the webhook endpoint and the API."""
    settings = resolve(load())
    configure(settings.telemetry, service="http")
    if refuses(settings):  # they do not fit each other, or Kafka's topics
        return 2
    return server.serve(settings)
