"""Keeps the opt-outs at addresses that are being erased for the other addresses that they count for."""

import asyncio
from datetime import datetime

from sql.erasures import Erasure
from sql.suppressing import Suppressing, suppressions, to_suppress

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
        if not rows:
            return 0
        kept: list[tuple[bytes, str, datetime]] = []
        for some in suppressions(client, rows, (await self._secrets_of({client}))[client]):
            kept += some
            if len(kept) % AT_ONCE == 0:
                await asyncio.sleep(0)  # many addresses may have been linked with one
        for start in range(0, len(kept), AT_ONCE):
            await self._run_only("suppress", to_suppress(client, kept[start : start + AT_ONCE]))
        return len(kept)
