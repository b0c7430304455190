"""`threadline mqtt`: subscribe to the brokers of MQTT sources, and post what devices publish to the webhook
endpoint."""

import asyncio
import signal
from typing import Annotated

import typer

from app.cli.support.terminal import MISUSED, print_error
from app.embedded import addresses
from app.embedded.running import NotRunning, resolve
from app.settings import Settings
from app.settings.loading import load
from app.telemetry import configure
from webhooks.mqtt.subscriber import Subscriber
from webhooks.mqtt.subscription import Subscription, WrongSetting, subscription_of

ADAPTER = "mqtt"


def mqtt(
    source: Annotated[str | None, typer.Option(help="One source; by default all that have a broker.")] = None,
    to: Annotated[
        str | None, typer.Option(help="The base URL of the HTTP process, if it is not on this machine.")
    ] = None,
) -> int:
    """Subscribe to MQTT brokers, and post what devices publish to the webhook endpoint.

    Runs until Ctrl-C. Exit code 2 where there is no such source, or one of its settings is wrong.
    """
    settings = load()
    try:
        settings = resolve(settings)
    except NotRunning:
        pass  # the HTTP process is reached by its address alone
    try:
        accounts = _accounts(settings, source, (to or addresses.url(settings.door)).rstrip("/"))
    except WrongSetting as error:
        return print_error(f"threadline mqtt: {error}", MISUSED)
    configure(settings.telemetry, service="mqtt")
    asyncio.run(_run(accounts))
    return 0


def _accounts(settings: Settings, source: str | None, base: str) -> list[Subscription]:
    """Return the subscriptions of the MQTT sources, or of the one named `source`. Raises WrongSetting."""
    found = {
        name: one
        for name, one in settings.sources.items()
        if (one.adapter or name) == ADAPTER
        and (source is None or name == source)
        and (source or "broker" in one.values)
    }
    if not found:
        named = f"{source!r} is no configured source of the adapter mqtt" if source else "no source has a broker"
        raise WrongSetting(f"{named}; see adapters/mqtt/README.md")
    return [subscription_of(name, one.values, base) for name, one in found.items()]


async def _run(accounts: list[Subscription]) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await asyncio.gather(*(Subscriber(account).run(stop) for account in accounts))
