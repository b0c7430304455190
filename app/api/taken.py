"""The messages of one request, how the store took each, and the answer that follows."""

from collections.abc import Sequence
from typing import Any

from starlette.responses import Response

from app.api.batch import Item
from app.api.bodies import write
from app.http.problems import Problem
from sql import Accepted, KeptAnswer, NewMessage


class Taken:
    """One request for messages. `items`: all that it asks for; `messages`: those to be accepted; `mark`: the fingerprint of
    the request, kept with the answer under its Idempotency-Key (`key`)."""

    def __init__(self, items: list[Item], many: bool, client_id: str, key: str | None, mark: bytes) -> None:
        self.items, self._many = items, many
        self._client_id, self._key, self._mark = client_id, key, mark
        self.messages: list[NewMessage] = []
        self._offered: list[Item] = []

    def offer(self, item: Item, message: NewMessage) -> None:
        """Add an item's message to those to be accepted."""
        item.channel = message.channel
        self.messages.append(message)
        self._offered.append(item)

    def judge(self, accepted: Sequence[Accepted]) -> KeptAnswer | None:
        """Note how the store took the messages, in their order (it may take them twice, after a failure). Return the answer
        to keep under the key: None without a key, or where nothing was taken, which may be corrected and asked again."""
        for item, each in zip(self._offered, accepted, strict=True):
            item.judge(each)
        if self._key is None or not self._some():
            return None
        return KeptAnswer(self._client_id, self._key, self._mark, 202, write(self._json()), self._many)

    def answer(self) -> Response:
        """Return the answer. Raises Problem where nothing was taken."""
        if self._some():
            return Response(write(self._json()), 202, media_type="application/json")
        if not self._many and (refusal := self.items[0].refusal):
            raise refusal.problem()
        raise Problem(422, "None of the messages was taken.", **self._json())

    def _some(self) -> bool:
        return any(item.refusal is None for item in self.items)

    def _json(self) -> dict[str, Any]:
        items = [item.told() for item in self.items]
        return {"messages": items} if self._many else items[0]
