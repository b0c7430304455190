"""The options of `threadline simulate`, which are many."""

from typing import Annotated

import typer


def simulate(
    provider: Annotated[
        str, typer.Argument(help="Whom to play: twilio, sendgrid, … (threadline providers lists them).")
    ],
    source: Annotated[
        str | None, typer.Option(help="The source to play it to; by default the provider's name.")
    ] = None,
    rate: Annotated[
        float,
        typer.Option(
            min=0, max=5000, help="Messages a second that happen by themselves; 0: only what is sent to its API."
        ),
    ] = 1.0,
    count: Annotated[int, typer.Option(min=0, help="End after so many of them; 0: go on.")] = 0,
    seconds: Annotated[float, typer.Option(min=0, help="End after so many seconds; 0: go on.")] = 0.0,
    duplicates: Annotated[float, typer.Option(min=0, max=1, help="Share of webhooks that are posted twice.")] = 0.0,
    shuffle: Annotated[float, typer.Option(min=0, help="Seconds by which any may be late, and so out of order.")] = 0.0,
    lose: Annotated[float, typer.Option(min=0, max=1, help="Share that is never posted.")] = 0.0,
    skew: Annotated[
        float, typer.Option(help="Seconds by which the provider's clock is ahead; negative: behind.")
    ] = 0.0,
    drift: Annotated[
        float, typer.Option(min=0, max=1, help="Share in a form that nobody documented: new words, keys renamed.")
    ] = 0.0,
    failing: Annotated[float, typer.Option(min=0, max=1, help="Share of messages that do not arrive.")] = 0.05,
    inbound: Annotated[float, typer.Option(min=0, max=1, help="Share of messages that customers write.")] = 0.2,
    errors: Annotated[
        float, typer.Option(min=0, max=1, help="Share of API calls that fail for the provider's own reasons.")
    ] = 0.0,
    throttle: Annotated[
        float, typer.Option(min=0, help="Sends a second above which the API says too many; 0: no limit.")
    ] = 0.0,
    customers: Annotated[int, typer.Option(min=1, help="How many customers there are.")] = 100,
    tries: Annotated[int, typer.Option(min=1, help="How often a webhook is tried that is not taken.")] = 8,
    seed: Annotated[int | None, typer.Option(help="The same chances again.")] = None,
    to: Annotated[str | None, typer.Option(help="Where the webhooks go; by default the system that runs here.")] = None,
    setting: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE of the source, or NAME=@FILE. Repeatable.")
    ] = None,
    host: Annotated[str, typer.Option(help="Where its API listens.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port of its API; 0: any that is free.")] = 9090,
) -> None:
    """Play a provider: take sends by its API, answer as it does, and post signed webhooks of what becomes of them.

    Duplicated, late, lost, drifted as asked for. For tests, demonstrations, and whoever has no account. Ctrl-C ends it.
    """
    from app.commands.simulate import Run, run
    from app.simulator.faults import Faults
    from app.simulator.server import Plan

    faults = Faults(duplicates, shuffle, lose, skew, drift)
    plan = Plan("", "", faults, failing, inbound, errors, throttle, customers, tries, seed)
    run_for = Run(rate, count, seconds, host, port)
    raise typer.Exit(run(provider, source=source, settings=setting or [], to=to, run_for=run_for, plan=plan))
