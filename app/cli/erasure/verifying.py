"""`threadline erasure verify`: checks a receipt, and searches for what was erased."""

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import psycopg
import typer

from app.cli.erasure.keys import PublicKeys, keys_of
from app.cli.support.json_output import AsJson, print_json
from app.cli.support.store import opened
from app.cli.support.terminal import FAILED, MISUSED, entry, print_error, print_note
from app.embedded.running import resolve
from app.erasing.needles import needles_of
from app.erasing.receipt import check_receipt, receipt_in
from app.erasing.searching import Found, NotReadable, search_database, search_dump
from app.numbered import numbered
from app.settings import Settings
from app.settings.loading import load
from schemas.typed_handles import searched

#: Exit code of an unsigned receipt, where nothing was found.
UNSIGNED = 3
#: The receipt has no signature: nothing shows that it is as it was made.
_UNSIGNED = (
    "UNSIGNED: no audit.key was set when this receipt was made, so that anybody could have changed it since. What it says of "
    "the erasure is not checked."
)
_NOT_FOUND = (
    "It shows that no table, or no byte of the dump, has the value in plain, JSON, percent-encoded, hexadecimal or base64 form, nor "
    "the digest by which it would be found. "
)
_FOUND = (
    "A row that came after the erasure is another's or a new customer's (threadline customers find shows whether somebody is found by the "
    "address now). One from before it was not erased: request the erasure once more, and report the place. "
)
_UNSEEN = (
    "The search cannot see what is encrypted or compressed (what was sealed is unreadable since its key "
    "is gone: the receipt names it), nor Kafka, blobs, old pages of PostgreSQL's files, backups, or providers."
)


def verify(
    file: Annotated[Path, typer.Argument(metavar="RECEIPT", help="The receipt, as `show --receipt` prints it.")],
    value: Annotated[
        list[str] | None,
        typer.Option(
            "--value", help="An address that was erased: +15551234567, …; repeatable. - reads them from standard input."
        ),
    ] = None,
    dump: Annotated[
        Path | None, typer.Option(help="Search this file of pg_dump (plain or custom) instead of the database.")
    ] = None,
    public_keys: PublicKeys = None,
    as_json: AsJson = False,
) -> int:
    """Check a receipt's signature, and search the database, or a dump of it, for the addresses that were erased.

    Exit code 1 where the receipt is not as it was signed, or an address is found; 2 where it cannot be checked, or what is to be
    searched cannot be read; 3 where nothing is found and the receipt has no signature.
    """
    try:
        receipt, keys = receipt_in(file.read_bytes()), keys_of(public_keys)
        signed = receipt.get("signature") is not None
        if signed and not keys:
            return print_error("By which key was it signed? Give --public-key, or set audit.key.", MISUSED)
        if signed or public_keys:  # who gives a key expects a signature
            check_receipt(receipt, keys)
    except OSError as error:
        return print_error(f"{file}: {error.strerror}.", MISUSED)
    except ValueError as error:
        return print_error(f"{file}: {error}.")
    given = (line for each in value or () for line in (sys.stdin.read().splitlines() if each == "-" else (each,)))
    values = [line.strip() for line in given if line.strip()]
    try:
        return asyncio.run(_run(receipt, signed, values, dump, as_json))
    except OSError as error:
        return print_error(f"{dump}: {error.strerror}.", MISUSED)
    except NotReadable as error:
        return print_error(f"{dump}: {error}", MISUSED)
    except psycopg.Error as error:
        return print_error(f"The database cannot be searched: {type(error).__name__}: {error}", MISUSED)


async def _run(receipt: Mapping[str, Any], signed: bool, values: list[str], dump: Path | None, as_json: bool) -> int:
    settings = resolve(load())
    forms = {form: name for text in values for form, name in needles_of(text).items()}
    for text in values:
        forms |= await _digests(settings, str(receipt["clientId"]), text)
    found, refused = Found(forms), []
    if dump is not None:
        await asyncio.to_thread(search_dump, dump, found)
    elif forms:
        dsn = settings.postgres.owner_dsn or settings.postgres.dsn
        assert dsn is not None  # `resolve` sees to that
        refused = await search_database(dsn.get_secret_value(), found)
    if as_json:
        print_json(
            {
                "signed": signed,
                "searched": found.searched,
                "bytes": found.bytes,
                "notReadable": refused,
                "found": {place: sorted(names) for place, names in found.places.items()},
            }
        )
    else:
        _print(receipt, signed, found, refused, bool(values))
    if found.places:
        return FAILED
    return 0 if signed else UNSIGNED


async def _digests(settings: Settings, client: str, text: str) -> dict[bytes, str]:
    """Return the digest by which an address would be found now, as it stands in dumps. Without the database there is none."""
    try:
        handle = searched(text)
    except ValueError:
        return {}
    try:
        async with opened(settings) as store:
            digest = await store.digest_now(client, handle)
    except SystemExit:
        print_note("The database is not reached: the digest under the present pepper is not looked for.")
        return {}
    return {digest.hex().encode(): "digest of a handle that is there now"} if digest else {}


def _print(receipt: Mapping[str, Any], signed: bool, found: Found, refused: list[str], asked: bool) -> None:
    known = "is as it was signed." if signed else "has no signature."
    print(entry(f"The receipt of erasure {receipt['erasureId']} {known}", f"completed {receipt['completedAt']}"))
    if not signed:
        print_note(_UNSIGNED)
    if not asked:
        print_note("Nothing was searched for: give --value.")
        return
    for place, names in sorted(found.places.items()):
        print(entry(f"FOUND in {place}", ", ".join(sorted(names))))
    if not found.places:
        print(entry("Not found", f"in {numbered(len(found.searched), 'place')}, {numbered(found.bytes, 'byte')}"))
    if refused:
        print(entry("Not searched, as this role may not read them", ", ".join(refused)))
    print_note((_FOUND if found.places else _NOT_FOUND) + _UNSEEN)
