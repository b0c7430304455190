"""`make faults`: kills every part of Threadline under load (kill -9), then counts what was lost, doubled, regressed.

Runs, one after the other: webhooks, sends, a send killed between every two of its steps; and without kills,
a crowd at the door (`door`), hostile records on every topic (`poison`), and hostile webhooks at the door (`knocking`).
"""

import argparse
import asyncio
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.faults import door, faults, knocking, outbound, poisoning, steps

PARTS = ("inbound", "outbound", "steps", "door", "poison", "knocking")


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default=",".join(PARTS), help="parts to run (default %(default)s)")
    parser.add_argument("--webhooks", type=int, default=20_000, help="inbound: how many (default %(default)s)")
    parser.add_argument("--rate", type=float, default=200, help="inbound: posts a second (default %(default)s)")
    parser.add_argument("--kills", type=int, default=20, help="inbound, outbound: kills, in turn (default %(default)s)")
    parser.add_argument("--messages", type=int, default=6000, help="outbound, steps: how many (default %(default)s)")
    parser.add_argument("--deaths", type=int, default=80, help="steps: kills of the sender (default %(default)s)")
    parser.add_argument(
        "--crowd", type=int, default=2000, help="door: idle and slow connections, of each (default %(default)s)"
    )
    parser.add_argument("--records", type=int, default=1_000_000, help="poison: hostile records (default %(default)s)")
    parser.add_argument("--posts", type=int, default=20_000, help="knocking: hostile webhooks (default %(default)s)")
    parser.add_argument("--within", type=float, default=5.0, help="poison: seconds for a canary (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of traffic, order and pauses (default %(default)s)")
    parser.add_argument("--folder", type=Path, help="keep logs and data there (default: a temporary folder)")
    given = parser.parse_args()
    given.parts = given.only.split(",")
    if unknown := set(given.parts) - set(PARTS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are: {', '.join(PARTS)}")
    return given


async def inbound_part(given: argparse.Namespace, folder: Path, console: Console) -> bool:
    """Kill all parts in turn while webhooks come in."""
    outcome = await faults.run(
        folder, webhooks=given.webhooks, rate=given.rate, kills=given.kills, seed=given.seed, console=console
    )
    faults.show(outcome, console)
    return outcome.good


async def outbound_part(given: argparse.Namespace, folder: Path, console: Console) -> bool:
    """Kill all parts in turn while messages leave."""
    outcome = await outbound.run(
        folder, messages=given.messages, rate=given.messages / (4 * given.kills), kills=given.kills, seed=given.seed,
        console=console,
    )  # fmt: skip
    show("What leaves", outcome, console)
    return outcome.good


async def steps_part(given: argparse.Namespace, folder: Path, console: Console) -> bool:
    """Kill the sender between every two steps of a send; with both policies for unanswered calls."""
    good = True
    for policy in ("hold", "resend"):
        outcome = await steps.run(
            folder / policy, messages=given.messages, kills=given.deaths, seed=given.seed, unanswered=policy
        )
        show(f"A send killed between its steps, policy {policy}", outcome, console)
        good &= not (outcome.vanished or outcome.unreported or outcome.unsent)
        good &= not (outcome.twice["onesignal"] or outcome.twice["postmark"])
        good &= policy == "resend" or not outcome.twice["twilio"]
    return good


async def door_part(given: argparse.Namespace, folder: Path, console: Console) -> bool:
    """Post webhooks beside a crowd at the door."""
    outcome = await door.run(
        folder, idle=given.crowd, slow=given.crowd, huge=given.crowd // 10, rate=given.rate, seconds=30, console=console
    )
    show("A crowd at the door", outcome, console)
    return outcome.good


async def poison_part(given: argparse.Namespace, folder: Path, console: Console) -> bool:
    """Put hostile records between healthy ones."""
    outcome = await poisoning.run(folder, records=given.records, seed=given.seed, console=console)
    show("Hostile records", outcome, console)
    return outcome.good(given.within)


async def knocking_part(given: argparse.Namespace, folder: Path, console: Console) -> bool:
    """Post hostile webhooks."""
    outcome = await knocking.run(folder, posts=given.posts, seed=given.seed, console=console)
    show("Hostile webhooks", outcome, console)
    return outcome.good


def show(title: str, outcome: Any, console: Console) -> None:
    """Print the counts."""
    table = Table("count", "figure", title=title, caption=f"{outcome.seconds:.0f} s")
    for name in outcome.__dataclass_fields__:
        value = getattr(outcome, name)
        if isinstance(value, dict | Counter):
            for key, count in sorted(value.items()):
                table.add_row(f"{name}: {key}", str(count))
        elif name != "seconds":
            table.add_row(name, str(value))
    console.print(table)


def main() -> int:
    """Run the parts; return the exit status."""
    given, console = arguments(), Console()
    run = {
        "inbound": inbound_part,
        "outbound": outbound_part,
        "steps": steps_part,
        "door": door_part,
        "poison": poison_part,
        "knocking": knocking_part,
    }
    good = True
    with tempfile.TemporaryDirectory(prefix="threadline-faults-") as temporary:
        os.chmod(temporary, 0o755)  # the embedded PostgreSQL may run under another account
        for part in given.parts:
            good &= asyncio.run(run[part](given, (given.folder or Path(temporary)) / part, console))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
