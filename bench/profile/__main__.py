"""Shows where the processor time of a webhook goes, at several rates: by part, by package and function, and by statement.

It starts its own PostgreSQL, Kafka, door and worker, as the benchmark does, offers signed webhooks at each rate, samples the
door and the worker with py-spy, and reads how long the database's statements took from its log. Sampling and logging cost
something themselves, so that compare shares and not sums; `make bench` has the sums. Run nothing else meanwhile.
py-spy needs root, or kernel.yama.ptrace_scope = 0.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path

from rich.table import Table

from bench.alone import in_folder, parser_of
from bench.profile.functions import Sampled, sample
from bench.profile.statements import Spent, log_durations, spent
from bench.progress import console, say
from bench.together import WARM_UP, offer
from tests.support.stack import Stack

#: Rows of each table.
ROWS = 25
#: Seconds before a sample, in which the rate settles.
SETTLE = 3


async def profile(folder: Path, rates: list[int], seconds: int, kept: Path) -> None:
    """Print the tables of each rate; the stacks are kept in the folder `kept`."""
    async with Stack(folder) as stack:
        await asyncio.gather(stack.start("serve"), stack.start("work"))
        say("warming up: caches, plans, the broker's compiler")
        for rate in WARM_UP:
            await offer(stack, rate, 5, seed=rate)
        log = folder / "postgres.log"
        for number, rate in enumerate(rates):
            say(f"[bold]{rate:,} webhooks/s[/] for {seconds} s")
            await log_durations(stack.postgres.dsn("superuser"), on=True)
            begins = log.stat().st_size
            offering = asyncio.create_task(offer(stack, rate, seconds + 2 * SETTLE, seed=number))
            await asyncio.sleep(SETTLE)
            sampled = await asyncio.gather(
                *(
                    sample(stack.children[child].pid, seconds, kept / f"{part}-{rate}.txt")
                    for part, child in PARTS.items()
                )
            )
            step = await offering
            await log_durations(stack.postgres.dsn("superuser"), on=False)
            logged = await asyncio.to_thread(log.read_bytes)
            statements = spent(logged[begins:].decode(errors="replace"))
            cost, webhooks = step["cost"], step["acknowledged"] * (seconds + 2 * SETTLE)
            say(f"{step['acknowledged']:,.0f} acknowledged and {step['stored']:,.0f} stored a second")
            say("processor time of a webhook in µs: " + ", ".join(f"{part} {took}" for part, took in cost.items()))
            for part, found in zip(PARTS, sampled, strict=True):
                console.print(*by_function(part, found, cost[part]), sep="\n")
            console.print(by_statement(statements, webhooks))
    say(f"stacks, for https://www.speedscope.app: {kept}")


#: The parts that are sampled, with the commands that they are.
PARTS = {"door": "serve", "worker": "work"}


def by_function(part: str, found: Sampled, cost: int) -> Iterator[Table]:
    """Yield tables of a part: the microseconds of a webhook by package, by function alone, and by function with what it calls."""
    for name, shares in zip(("package", "function itself", "function with what it calls"), found, strict=True):
        table = Table(name, "µs", title=f"{part}: {cost} µs a webhook")
        for one, share in list(shares.items())[:ROWS]:
            table.add_row(one, f"{share * cost:.1f}")
        yield table


def by_statement(found: dict[str, Spent], webhooks: float) -> Table:
    """Return the statements with their times: of all webhooks, and of one."""
    table = Table("statement", "times", "ms each", "µs a webhook", title="statements, elapsed time")
    for name, (milliseconds, times) in list(found.items())[:ROWS]:
        table.add_row(
            name, f"{times:,}", f"{milliseconds / max(1, times):.2f}", f"{milliseconds * 1000 / webhooks:.1f}"
        )
    return table


def main() -> None:
    """Read the arguments, and profile."""
    parser = parser_of("profile", __doc__)
    parser.add_argument("--rates", default="500,2000,6000", help="webhooks/s, one after another (default: %(default)s)")
    parser.add_argument("--seconds", type=int, default=12, help="of each sample (default: %(default)s)")
    given = parser.parse_args()
    kept = Path("build") / "profile"
    kept.mkdir(parents=True, exist_ok=True)
    rates = [int(rate) for rate in given.rates.split(",")]
    in_folder("stack", lambda folder: profile(folder, rates, given.seconds, kept))


if __name__ == "__main__":
    main()
