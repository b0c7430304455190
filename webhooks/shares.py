"""Limits requests in progress and shares the room fairly among parties (callers or sources)."""


class Room:
    """Room for `requests` requests of `bytes` in all, and the share of both that each party holds.

    A party below its equal share is admitted even when others have used all of the room, so that no party can lock out
    another. The total is therefore at most twice the room.
    """

    def __init__(self, requests: int, bytes: int) -> None:
        self._most = (requests, bytes)
        self.requests = 0
        self.bytes = 0
        self._parties: dict[str, list[int]] = {}

    def resize(self, requests: int, bytes: int) -> None:
        """Change the size of the room. Requests that are in it stay."""
        self._most = (requests, bytes)

    def take(self, party: str, bytes: int) -> bool:
        """Reserve room for one request of this size. Returns False if there is none."""
        requests, most = self._most
        if self.requests >= requests or self.bytes + bytes > most:
            if not self._fair(party, bytes):
                return False
        self.requests += 1
        self.bytes += bytes
        held = self._parties.get(party)
        if held is None:
            self._parties[party] = [1, bytes]
        else:
            held[0] += 1
            held[1] += bytes
        return True

    def give(self, party: str, bytes: int) -> None:
        """Release what `take` reserved."""
        self.requests -= 1
        self.bytes -= bytes
        held = self._parties[party]
        held[0] -= 1
        held[1] -= bytes
        if not held[0]:
            del self._parties[party]

    def _fair(self, party: str, bytes: int) -> bool:
        requests, most = self._most
        if self.requests >= 2 * requests or self.bytes + bytes > 2 * most:
            return False
        mine, held = self._parties.get(party, (0, 0))
        parties = len(self._parties) + (party not in self._parties)
        # A party alone has the room itself and no more. A party's first request may be of any size.
        return parties > 1 and mine < max(1, requests // parties) and (not mine or held + bytes <= most // parties)
