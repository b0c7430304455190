"""`threadline audit verify|key`."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from app.auditing.anchors import Anchor, anchor_of, is_cut, new_key, private_key, public_key, public_text
from app.auditing.bucket import SCHEME, lines, reading
from app.auditing.verify import Report
from app.auditing.verify import verify as verified
from app.cli.support.json_output import AsJson, print_json
from app.cli.support.progress import progress
from app.cli.support.store import in_store
from app.cli.support.terminal import FAILED, MISUSED, minute, print_error, print_lines, print_note
from app.numbered import numbered
from app.settings.loading import load
from sql import EventStore
from webhooks.blobs import StoreAway


class _Unusable(Exception):
    """An option cannot be used. The message is for people."""


def verify(
    anchor: Annotated[
        list[str] | None,
        typer.Option(
            help="File of anchors, a line each, as the worker wrote them, or s3://bucket/prefix/, at the endpoint and with the "
            "credentials of the settings; repeatable."
        ),
    ] = None,
    public_keys: Annotated[
        list[str] | None,
        typer.Option(
            "--public-key", help="Public key that signed them; repeatable. By default that of the setting audit.key."
        ),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Check that nobody changed the audit: every entry, the chain of its batches and, with --anchor, that the chain is the
    one that was anchored.

    Without an anchor from outside the database, an owner of the database who cut the end off, or wrote all of it anew, is not
    found out. Exit code 1 where something was changed; what comes first in the chain is printed first.
    """
    try:
        anchors = _anchors(anchor or [], _keys(public_keys or [], needed=bool(anchor)))
    except _Unusable as error:
        return print_error(str(error), MISUSED)

    async def check(store: EventStore) -> int:
        last = await store.audit_head()
        with progress("batches", last["batch"] if last else 0) as advance:
            report = await verified(store, anchors, advance)
        if as_json:
            print_json(asdict(report))
        else:
            _print(report)
        return FAILED if report.findings else 0

    return in_store(check)


def key() -> int:
    """Make a key that signs anchors, and print it with its public key; it is stored nowhere."""
    made = new_key()
    print_note(
        "The private key, on standard output, is for the workers: THREADLINE_AUDIT__KEY, or key under [audit] in "
        "threadline.toml. Keep the public key apart from the database; `threadline audit verify --public-key` takes it: "
        f"{public_text(private_key(made))}"
    )
    print(made)
    return 0


def _keys(given: Sequence[str], *, needed: bool) -> list[Ed25519PublicKey]:
    """Return the public keys of the options, or else that of the settings. Raises _Unusable."""
    try:
        if given:
            return [public_key(text) for text in given]
        if not needed:
            return []
        own = load().audit.key
    except ValueError as error:
        raise _Unusable(f"--public-key: {error}.") from error
    if own is None:
        raise _Unusable("By which key were the anchors signed? Give --public-key, or set audit.key.")
    return [private_key(own.get_secret_value()).public_key()]


def _anchors(places: Sequence[str], keys: Sequence[Ed25519PublicKey]) -> list[Anchor]:
    """Return the anchors of files and buckets: of each batch the first and, if another differs, that one too. Raises _Unusable."""
    found: dict[tuple[int, bytes, int], Anchor] = {}
    for place in places:
        counted = 0
        try:
            for where, line in _in_bucket(place) if place.startswith(f"{SCHEME}://") else _in_file(Path(place)):
                if is_cut(line):
                    print_note(f"--anchor {place}, {where} was cut off as it was written, and is left out.")
                    continue
                one = _anchor(place, where, line, keys)
                found.setdefault((one.batch, one.head, one.entries), one)
                counted += 1
        except StoreAway as error:
            raise _Unusable(f"--anchor {place}: {error}.") from error
        except OSError as error:
            raise _Unusable(f"--anchor {place}: {error.strerror}.") from error
        if not counted:
            raise _Unusable(f"--anchor {place}: there is no anchor.")
    return list(found.values())


def _anchor(place: str, where: str, line: bytes, keys: Sequence[Ed25519PublicKey]) -> Anchor:
    """Return the anchor of a line. Raises _Unusable, which says where it is."""
    try:
        return anchor_of(line, keys)
    except ValueError as error:
        raise _Unusable(f"--anchor {place}, {where}: {error}.") from error


def _in_file(file: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the lines of a file that are not empty, each with its place. Raises OSError."""
    with file.open("rb") as lines:
        yield from ((f"line {number}", line.strip()) for number, line in enumerate(lines, 1) if line.strip())


def _in_bucket(url: str) -> Iterator[tuple[str, bytes]]:
    """Yield the anchors of a bucket, each with its key. Raises StoreAway."""
    bucket = reading(load().audit, url)
    try:
        yield from lines(bucket)
    finally:
        bucket.close()


def _print(report: Report) -> None:
    for finding in report.findings:
        print_lines(finding)
    if not report.findings:
        against = f", as {numbered(report.anchors, 'anchor has', 'anchors have')} it" if report.anchors else ""
        entries, batches = numbered(report.entries, "entry", "entries"), numbered(report.batches, "batch", "batches")
        are = "is as it was" if report.entries == 1 else "are as they were"
        print_lines(f"{entries} in {batches} {are} sealed{against}.")
    if report.forgotten:
        since = f" Entries are there from {minute(report.since)} on." if report.since else ""
        old = numbered(report.forgotten, "old batch", "old batches")
        heads = "its head is" if report.forgotten == 1 else "their heads are"
        print_note(f"The entries of {old} were removed; {heads} there.{since}")
    if report.unsealed:
        unsealed = numbered(report.unsealed, "entry is", "entries are")
        print_note(
            f"At least {unsealed} not sealed yet; nothing protects {'this one' if report.unsealed == 1 else 'these'}."
        )
    if not report.anchors:
        print_note("Without --anchor a cut end, or a chain that was written anew as a whole, is not found.")
