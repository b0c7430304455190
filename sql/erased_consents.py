"""Keeps the opt-outs at addresses that are being erased for the other addresses that they count for."""

import asyncio
from itertools import groupby
from operator import itemgetter

from sql.erasures import Erasure
from sql.suppressing import Suppressing, address_of, rows_of

#: Suppressions that one statement writes.
AT_ONCE = 500


class ErasedConsentsStore(Suppressing):
    """The statements by which an erasure keeps opt-outs for other addresses."""

    async def suppress_beside(self, erasure: Erasure) -> int:
        """Keep the opt-outs at the handles of a fenced erasure, which are removed with the handles, for each address that stays and for
        which they count: an address that was ever stated to be one person's with an erased one, or that another customer has or had too.
        Return the number of these suppressions. Call this while the customer still has the handles."""
        rows = await self._rows("erase_opted_out_beside", {"id": erasure["id"]})
        client = erasure["client_id"]
        secrets = (await self._secrets_of({client}))[client] if rows else None
        kept = []
        for _, group in groupby(rows, itemgetter("id")):
            assert secrets is not None
            channels = list(group)
            kept += rows_of(address_of(client, channels[0], secrets.root), secrets.pepper, channels)
            if len(kept) % AT_ONCE == 0:
                await asyncio.sleep(0)  # many addresses may have been linked with one
        for start in range(0, len(kept), AT_ONCE):
            digests, names, times = (list(column) for column in zip(*kept[start : start + AT_ONCE], strict=True))
            given = {"client_id": client, "digests": digests, "channels": names, "times": times}
            await self._run_only("suppress", given)
        return len(kept)
