"""`threadline serve`: the HTTP process."""

from app.cli.support.terminal import print_error
from app.embedded.addresses import not_available
from app.erasing.starting import ledger_known
from app.http import server
from app.kafka.fitting import refuses
from app.keys.starting import keys_ready
from app.settings.reloading import Reloading
from app.telemetry import configure


def serve() -> int:
    """Run the HTTP process: the webhook endpoint and the API.

    SIGTERM or Ctrl-C ends it in order: requests in progress are answered, and the exit code is 0. A second Ctrl-C leaves them, with
    exit code 130. Exit code 1 where its port is taken, 2 where the settings cannot be used.
    """
    reloading = Reloading.started(login="door")
    configure(reloading.settings.telemetry, service="http")
    if refuses(reloading.settings):  # they do not fit each other, or Kafka's topics
        return 2
    if why := not_available(reloading.settings.door, "DOOR"):
        return print_error(f"threadline serve: {why}")
    if not keys_ready(reloading.settings) or not ledger_known(reloading.settings, None):
        return 2
    return server.serve(reloading)
