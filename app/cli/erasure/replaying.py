"""`threadline erasure replay`: repeats erasures after the database was restored to a time before them."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.erasure.keys import PublicKeys, keys_of
from app.cli.support.json_output import AsJson, print_json
from app.cli.support.store import in_store
from app.cli.support.terminal import FAILED, MISUSED, print_error, print_lines, print_note
from app.embedded.running import resolve
from app.erasing.ledger import Line, read_ledger
from app.erasing.steps import Eraser, Held, Waits
from app.numbered import numbered
from app.settings.loading import load
from sql import EventStore


def replay(
    file: Annotated[Path, typer.Argument(metavar="LEDGER", help="The ledger: the file of the setting erasure.ledger.")],
    public_keys: PublicKeys = None,
    unsigned: Annotated[bool, typer.Option("--unsigned", help="Do not ask for signatures.")] = False,
    as_json: AsJson = False,
) -> int:
    """Repeat the erasures of a ledger that this database does not know, after it was restored to a time before them.

    Run it before workers and doors start, and again once Kafka was read again: what came before an erasure may come back by
    it. Repeating it changes nothing. Exit code 1 where one is kept from it by a legal hold.
    """
    try:
        keys = None if unsigned else keys_of(public_keys)
        if keys == []:
            return print_error(
                "By which key was it signed? Give --public-key, set audit.key, or say --unsigned.", MISUSED
            )
        lines = list(read_ledger(file, keys))
    except OSError as error:
        return print_error(f"{file}: {error.strerror}.", MISUSED)
    except ValueError as error:
        return print_error(f"Nothing was repeated: {error}.")

    async def work(store: EventStore) -> int:
        done = [await _repeat(store, line) for line in {line.erasure: line for line in lines}.values()]
        count = sum(handles for handles, _ in done)
        held = sum(kept for _, kept in done)
        if as_json:
            print_json({"erasures": len(done), "addresses": count, "held": held})
        else:
            again = numbered(count, "address that was there was", "addresses that were there were")
            print_lines(f"{numbered(len(done), 'erasure')} in the ledger; {again} erased again.")
        if held:
            return print_error(
                f"{numbered(held, 'erasure is', 'erasures are')} kept waiting, as by a legal hold.", FAILED
            )
        return 0

    return in_store(work)


async def _repeat(store: EventStore, line: Line) -> tuple[int, bool]:
    """Repeat one; return how many handles were there, and whether a legal hold keeps it waiting."""
    handles = await store.handles_of_ledger(line.client, frozenset(line.handles), frozenset(line.digests))
    emptied = await store.holdings_of_ledger(line.client, line.emptied)
    if line.fenced is not None:
        handles, before = await store.until_fence(line.client, handles, line.fenced)
        emptied += before
    id = await store.replay_erasure(line.erasure, line.client, line.customer, handles, emptied)
    count = len({*handles, *(each.handle for each in emptied)})
    if not count:
        return 0, False
    try:
        await Eraser(store, resolve(load())).run(id)
    except (Held, Waits) as why:
        print_note(f"Erasure {line.erasure} is kept waiting: {why}")
        return count, True
    return count, False
