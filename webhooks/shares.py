"""Room for requests, divided among those who want it: all of it while there is enough, an equal part where there is not."""


class Room:
    """For so many `requests` of so many `bytes` at once, and what each party holds of both.

    A party that holds less than its equal part is taken in though others have used up all of it: so none is shut out by
    another. What is held in all is therefore at most twice the room.
    """

    def __init__(self, requests: int, bytes: int) -> None:
        self._most = (requests, bytes)
        self.requests = 0
        self.bytes = 0
        self._parties: dict[str, list[int]] = {}

    def take(self, party: str, bytes: int) -> bool:
        """Hold one request more, of this size, for a party; False where there is no room for it."""
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
        """Give back what was taken."""
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
        # Alone it has nobody to share with: then the room is what there is. The first request needs no room of its own.
        return parties > 1 and mine < max(1, requests // parties) and (not mine or held + bytes <= most // parties)
