"""Finds which repeated events say something that the log does not have."""

from collections.abc import Mapping, Sequence
from typing import Any

from sql.parameters import events_of, json
from sql.personal.withheld import MODES, Contents, Mode
from sql.rows import Row
from sql.sealed import Sealed
from sql.sealed_messages import SealingMessages


class Repeating(SealingMessages):
    """The part of the store that compares."""

    async def _differing(self, rows: Sequence[Row], sealed: Sealed) -> list[dict[str, Any]]:
        """Return which of these repeated events differ from the log, as `queries/differing.sql` does. An event with the same content does
        not differ, even if its client has changed the mode of storing contents since. So each event is compared in every form that it
        would have under the modes that its client ever had."""
        differing = await self._rows(
            "differing", {"events": json(events_of(sealed.records)), "handles": sealed.handles}
        )
        if not differing:
            return differing
        contents = await self.contents({row[1] for row in rows})
        for mode in MODES:
            places = [one["place"] for one in differing if _had(rows[one["place"]], mode, contents)]
            if not places:
                continue
            former = {client: Contents(mode) for client in contents}
            again = await self._sealed([rows[place] for place in places], former)
            given = {"events": json(events_of(again.records)), "handles": again.handles}
            found = await self._rows("differing", given)
            known = set(places).difference(places[one["place"]] for one in found if not one["said"])
            differing = [one for one in differing if one["place"] not in known]
        return differing


def _had(row: Row, mode: Mode, contents: Mapping[str, Contents]) -> bool:
    """Return whether the client of an event once had this mode and has another now; in the present mode the event was compared already."""
    wanted = contents.get(row[1])
    return wanted is not None and mode in wanted.ever and mode != wanted.mode(row[0].channel)
