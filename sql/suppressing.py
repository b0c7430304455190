"""Keeps opt-outs of addresses that were erased, and finds them again when such an address comes back.

An entry is the digest of an address under a separate pepper, a channel, and the time since which it counts: nothing leads from it to the
log. The separate pepper is derived from the client's, so that no further secret is needed. Somebody who has neither pepper cannot test
which address a digest is of.
"""

import hmac
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from schemas.events import Handle
from sql.handles import PLACE, Owned, digest_of, owned_by
from sql.naming import Naming, Secrets
from sql.personal.keys import HandleKey

#: Separates the digests of suppressions, and of the ledger of erasures, from those by which handles are found.
_SUPPRESSION, _LEDGER = b"threadline suppressions 1", b"threadline ledger of erasures 1"
#: The basis of an opt-out that is known by a suppression only.
BASIS = "suppression"


def suppression_of(owned: Owned, pepper: bytes) -> bytes:
    """Return the digest by which a suppression is found; `pepper`: the client's."""
    return digest_of(owned, hmac.digest(pepper, _SUPPRESSION, "sha256"))


def ledgered(owned: Owned, pepper: bytes) -> bytes:
    """Return the digest by which the ledger of erasures names an address; `pepper`: the client's."""
    return digest_of(owned, hmac.digest(pepper, _LEDGER, "sha256"))


def address_of(client: str, row: Mapping[str, Any], root: bytes) -> Owned:
    """Return the address of a row of `handles` (`id`, `kind`, `salt`, `sealed`) that is not destroyed; `root`: the client's root key."""
    value = HandleKey(row["id"], bytes(row["salt"]), root).open(bytes(row["sealed"]), PLACE)
    return Owned(client, row["kind"], value.decode())


class Suppressed(NamedTuple):
    """An address of a list, by its place, is suppressed on a channel (`*`: on all) since a time."""

    place: int
    channel: str
    since: datetime


class Suppressing(Naming):
    """Look-ups of suppressions."""

    async def suppressed(self, addresses: Sequence[Owned]) -> list[Suppressed]:
        """Return which of the addresses are suppressed, unless they opted in again since."""
        if not addresses:
            return []
        secrets = await self._secrets_of({each.client for each in addresses})
        parameters = {
            "clients": [each.client for each in addresses],
            "digests": [suppression_of(each, secrets[each.client].pepper) for each in addresses],
            "handles": [digest_of(each, secrets[each.client].pepper) for each in addresses],
        }
        return [Suppressed(*row.values()) for row in await self._rows("suppressed", parameters)]

    async def _stopped(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return messages (`client_id`, `handles`, `opted_out`, `suppressing`), whose `opted_out` then also has the channels that suppressions
        stop."""
        addresses: dict[Owned, int] = {}
        dialled: dict[int, list[tuple[int, str]]] = {}
        for at, row in enumerate(rows):
            for channel, address, *_ in (row["handles"] or ()) if row["suppressing"] else ():
                kind, _, value = address.partition("\x1f")
                place = addresses.setdefault(owned_by(row["client_id"], Handle(kind, value)), len(addresses))
                dialled.setdefault(at, []).append((place, channel))
        found = await self.suppressed(list(addresses)) if dialled else []
        if found:
            for at, whither in dialled.items():
                if channels := stopped(whither, found):
                    rows[at]["opted_out"] = sorted(channels.union(rows[at]["opted_out"] or ()))
        return rows


def stopped(dialled: Iterable[tuple[int, str]], suppressed: Iterable[Suppressed]) -> set[str]:
    """Return the channels of a message that suppressions stop. `dialled`: its addresses by their places, each with the channel that
    it is for, or `user` for the service's own id, which stops the channels that its suppressions name."""
    by_place: dict[int, list[str]] = {}
    for each in suppressed:
        by_place.setdefault(each.place, []).append(each.channel)
    found: set[str] = set()
    for place, asked in dialled:
        for channel in by_place.get(place, ()):
            if asked == "user":
                found.add(channel)
            elif channel in (asked, "*"):
                found.add(asked)
    return found


def suppressions(
    client: str, rows: Iterable[Mapping[str, Any]], secrets: Secrets
) -> Iterator[list[tuple[bytes, str, datetime]]]:
    """Yield for each handle the suppressions to keep. `rows`: of `handles` as `address_of` takes them, a handle's together, each with the
    `channel` and the time (`since`) of an opt-out; `channel` is None where there is none."""
    for _, group in groupby(rows, itemgetter("id")):
        channels = list(group)
        if out := [row for row in channels if row["channel"] is not None]:
            yield rows_of(address_of(client, channels[0], secrets.root), secrets.pepper, out)


def to_suppress(client: str, kept: Sequence[tuple[bytes, str, datetime]]) -> dict[str, Any]:
    """Return the parameters of the statement `suppress`, which writes some suppressions, at least one."""
    digests, names, times = (list(column) for column in zip(*kept, strict=True))
    return {"client_id": client, "digests": digests, "channels": names, "times": times}


def rows_of(owned: Owned, pepper: bytes, opted_out: Iterable[Mapping[str, Any]]) -> list[tuple[bytes, str, datetime]]:
    """Return the suppressions to keep for an address: digest, channel and time of each opt-out."""
    digest = suppression_of(owned, pepper)
    return [(digest, row["channel"], row["since"]) for row in opted_out]
