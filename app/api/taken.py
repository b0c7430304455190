"""The messages of one request, which of them the store accepted, and the answer."""

from collections.abc import Sequence
from typing import Any

from starlette.responses import Response

from app.api.batch import Item
from app.api.bodies import write
from app.http.problems import Problem
from sql import Accepted, KeptAnswer, NewMessage


class Taken:
    """One request for messages. `items`: all of its messages; `messages`: those to be accepted; `mark`: the fingerprint
    of the request, stored with the answer under its Idempotency-Key (`key`)."""

    def __init__(self, items: list[Item], many: bool, client_id: str, key: str | None, mark: bytes) -> None:
        self.items, self._many = items, many
        self.client_id, self._key, self._mark = client_id, key, mark
        self.messages: list[NewMessage] = []
        self._offered: list[Item] = []

    def offer(self, item: Item, message: NewMessage) -> None:
        """Add an item's message to those to be accepted."""
        item.channel = message.channel
        self.messages.append(message)
        self._offered.append(item)

    def judge(self, accepted: Sequence[Accepted]) -> KeptAnswer | None:
        """Record which messages the store accepted, in their order; may be called again after a failure. Return the
        answer to store under the key: None without a key, or if none was accepted, since the request may be corrected
        and repeated."""
        for item, each in zip(self._offered, accepted, strict=True):
            item.judge(each)
        if self._key is None or not self._some():
            return None
        return KeptAnswer(self.client_id, self._key, self._mark, 202, write(self._json()), self._many)

    def answer(self) -> Response:
        """Return the answer. Raises Problem if no message was accepted."""
        if self._some():
            return Response(write(self._json()), 202, media_type="application/json")
        if not self._many and (refusal := self.items[0].refusal):
            raise refusal.problem()
        raise Problem(422, "None of the messages was taken.", **self._json())

    def _some(self) -> bool:
        return any(item.refusal is None for item in self.items)

    def _json(self) -> dict[str, Any]:
        items = [item.to_json() for item in self.items]
        return {"messages": items} if self._many else items[0]
