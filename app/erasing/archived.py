"""Takes an erased customer's part out of interactions that others share, and empties his events in the files of the archive: each
file that has some is written anew, durably, takes the place of the former one in the database, and then the former one is removed.
Killed anywhere, it goes on with the file at which it was.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

from app.archive import archived_events, fetch, files_of
from app.settings import Settings
from sql import EventStore
from sql.archive import ArchiveError, Files
from sql.erased_parts import parts_of
from sql.erasures import Erasure, Waits
from sql.holdings import Holding
from sql.separating import erased_by
from webhooks.blobs import StoreMisconfigured

_EXTRA = "the archive has files, and this process has no pyarrow: pip install 'pyarrow>=26' into its environment"


async def empty_archive(
    store: EventStore, settings: Settings, erasure: Erasure, done: Callable[[int], None] = lambda _: None
) -> int:
    """Take apart what others share, and go through all files of the archive; `done` gets the number of events that were emptied in each.
    Return how many interactions are to be removed, as they turned out to be the customer's alone. Raises Waits where a file cannot
    be read or written now, or where a rebuild, an archive or another erasure is under way."""
    async with store.archive_alone() as mine:
        if not mine:
            raise Waits("a rebuild, an archive or another erasure of this database is under way")
        if detached := await store.detached_months():
            raise Waits(f"{detached[0]} was archived and not dropped: run threadline archive --run")
        rows, left = await store.files_to_empty(erasure["id"]), await store.files_to_remove()
        shared = await store.shared_archived(erasure)
        if not rows and not left and not shared:
            return await store.separate_erasure(erasure, await store.holdings(erasure))
        try:
            files = files_of(settings)
            alone = await _separate(store, files, erasure, shared)
            await _through(store, files, erasure, rows, left, done)
        except ImportError as error:
            raise Waits(_EXTRA) from error
        except (ArchiveError, StoreMisconfigured, OSError) as error:
            raise Waits(f"the archive: {error}") from error
        return alone


async def _separate(store: EventStore, files: Files, erasure: Erasure, references: set[UUID]) -> int:
    """Take apart what others share; `references`: by which some of it is known that the archive may have events of."""
    archived: list[dict[str, Any]] = []
    if references:
        archived = await archived_events(files, await store.files_to_empty(None), erasure["client_id"], references)
    return await store.separate_erasure(erasure, await store.holdings(erasure), archived)


async def _through(
    store: EventStore,
    files: Files,
    erasure: Erasure,
    rows: list[dict[str, Any]],
    left: list[str],
    done: Callable[[int], None],
) -> None:
    holdings = await store.holdings(erasure)
    with TemporaryDirectory(prefix="threadline-erasing-") as folder:
        await _remove(store, files, left)
        # Before any file is written anew: one may have a message and another what was told of it.
        having = await _messages(store, files, erasure, rows, holdings, Path(folder))
        wanted = await _wanted(store, erasure, holdings)
        for row in rows:
            if row["file"] in having:
                done(await _empty(store, files, erasure, row, wanted, Path(folder)))
            else:
                await store.swap_file(erasure["id"], row, [])
                done(0)


async def _wanted(store: EventStore, erasure: Erasure, holdings: list[Holding]) -> Any:
    """Return what is to be emptied, by what is known now."""
    from sql.archive.emptying import Wanted

    return Wanted(
        erasure["id"],
        erasure["client_id"],
        await store.erased_references(erasure["id"]),
        erasure["handles"],
        holdings,
        *await store.parted_events(erasure["id"]),
    )


async def _messages(
    store: EventStore,
    files: Files,
    erasure: Erasure,
    rows: list[dict[str, Any]],
    holdings: list[Holding],
    folder: Path,
) -> set[str]:
    """Note what all files say of messages that may be the customer's, also of those that are gone from the timeline. Return the files that
    have to be looked into once more: those with such messages, and with what is to be emptied by what is known before."""
    from sql.archive.emptying import find
    from sql.archive.messages import Messages

    handles = {*erasure["handles"], *(each.handle for each in holdings)}
    messages = Messages(erasure["client_id"], handles, await store.erased_references(erasure["id"]))
    known, having = await _wanted(store, erasure, holdings), set[str]()
    more = first = True
    while more:
        more = False
        for row in rows:
            await fetch(files, row, folder / "old")
            more |= await asyncio.to_thread(messages.read, folder / "old", row["file"])
            if first and (await asyncio.to_thread(find, folder / "old", known)).ids:
                having.add(row["file"])
        first = False
    apart = set().union(*await store.parted_events(erasure["id"]))
    found = [
        (parts_of(each.told, erased_by(erasure, holdings)), each.said)
        for each in messages.found(await store.living(messages.named()))
        if apart.isdisjoint(told.event for told in each.told)  # what the timeline has of it was taken apart
    ]
    if spared := [parts for parts, _ in found if parts.others]:
        await store.spare_archived(erasure, spared)
    if said := [one for parts, all_said in found if not parts.others for one in all_said]:
        await store.erase_gone(erasure["id"], said)
    return having | messages.files


async def _empty(
    store: EventStore, files: Files, erasure: Erasure, row: dict[str, Any], wanted: Any, folder: Path
) -> int:
    """Go through one file; return how many events were emptied in it."""
    from sql.archive.emptying import find, rewrite
    from sql.archive.parquet import checksum_of, digest_of

    old, new, back = folder / "old", folder / "new", folder / "back"
    await fetch(files, row, old)
    found = await asyncio.to_thread(find, old, wanted)
    if not found.ids:
        await store.swap_file(erasure["id"], row, [])
        return 0
    await asyncio.to_thread(rewrite, old, new, wanted, await store.living(found.handles))
    # A name of its own, so that the database always names a file that is there as it says.
    name = f"{row['month']:%Y-%m}/{row['part']:05}-{erasure['id']}.parquet"
    await asyncio.to_thread(files.put, name, new)
    await asyncio.to_thread(files.get, name, back)
    checksum, digest = await asyncio.to_thread(checksum_of, new), await asyncio.to_thread(digest_of, back)
    if await asyncio.to_thread(checksum_of, back) != checksum:
        raise ArchiveError(f"{name} is not what was written: its digest differs")
    if not await store.swap_file(erasure["id"], row, found.ids, file=name, digest=digest, checksum=checksum):
        raise ArchiveError(f"{row['file']} was changed meanwhile")
    await _remove(store, files, [row["file"]])
    return len(found.ids)


async def _remove(store: EventStore, files: Files, names: list[str]) -> None:
    for name in names:
        await asyncio.to_thread(files.remove, name)
        await store.removed_file(name)
