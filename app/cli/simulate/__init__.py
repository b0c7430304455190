"""`threadline simulate`: the options. `play` runs the simulator, `source` finds the source that it posts to."""

from typing import Annotated

import typer

from app.cli.simulate.play import Run, run
from app.simulator.faults import Faults
from app.simulator.server import Plan


def simulate(
    provider: Annotated[
        str, typer.Argument(help="The provider: twilio, sendgrid, … (threadline providers lists them).")
    ],
    source: Annotated[
        str | None, typer.Option(help="The source that its webhooks are for; by default the provider's name.")
    ] = None,
    rate: Annotated[
        float,
        typer.Option(min=0, max=5000, help="Messages that it invents in a second; 0: only those sent to its API."),
    ] = 1.0,
    count: Annotated[int, typer.Option(min=0, help="End after this many invented messages; 0: never.")] = 0,
    seconds: Annotated[float, typer.Option(min=0, help="End after this many seconds; 0: never.")] = 0.0,
    duplicates: Annotated[float, typer.Option(min=0, max=1, help="The share of webhooks posted twice.")] = 0.0,
    shuffle: Annotated[
        float, typer.Option(min=0, help="The most seconds by which a webhook is late, and so out of order.")
    ] = 0.0,
    lose: Annotated[float, typer.Option(min=0, max=1, help="The share of webhooks never posted.")] = 0.0,
    skew: Annotated[float, typer.Option(help="Seconds by which the provider's clock is fast; negative: slow.")] = 0.0,
    drift: Annotated[
        float,
        typer.Option(min=0, max=1, help="The share of webhooks in an undocumented form: new words, renamed keys."),
    ] = 0.0,
    failing: Annotated[float, typer.Option(min=0, max=1, help="The share of messages that are not delivered.")] = 0.05,
    inbound: Annotated[float, typer.Option(min=0, max=1, help="The share of messages that customers write.")] = 0.2,
    errors: Annotated[
        float, typer.Option(min=0, max=1, help="The share of API calls that fail with a server error.")
    ] = 0.0,
    throttle: Annotated[
        float, typer.Option(min=0, help="The rate limit of its API, in sends a second; 0: none.")
    ] = 0.0,
    customers: Annotated[int, typer.Option(min=1, help="The number of customers.")] = 100,
    tries: Annotated[int, typer.Option(min=1, help="The most attempts to post a webhook.")] = 8,
    seed: Annotated[int | None, typer.Option(help="The seed of the random numbers, to repeat a run.")] = None,
    to: Annotated[
        str | None, typer.Option(help="The base URL to post webhooks to; by default that of the system that runs here.")
    ] = None,
    setting: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE of the source, or NAME=@FILE. Repeatable.")
    ] = None,
    host: Annotated[str, typer.Option(help="The address on which its API listens.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port of its API; 0: any free port.")] = 9090,
) -> int:
    """Simulate a provider: accept sends by its API, and post signed webhooks about them.

    The options make webhooks come twice, late, never, or in an unknown form. For tests and demonstrations, and for
    trying Threadline without an account at a provider. Ctrl-C ends it.
    """
    faults = Faults(duplicates, shuffle, lose, skew, drift)
    plan = Plan("", "", faults, failing, inbound, errors, throttle, customers, tries, seed)
    run_for = Run(rate, count, seconds, host, port)
    return run(provider, source=source, settings=setting or [], to=to, run_for=run_for, plan=plan)
