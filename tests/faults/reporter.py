"""Posts the webhooks of moody providers about the messages that they accepted."""

import asyncio
from datetime import UTC, datetime

import httpx

from adapters.simulating import Sent
from app.simulator import webhooks_of
from tests.faults.moody import Moody
from tests.support.stack import Stack


class Reporter:
    """Posts a delivery webhook for each accepted message, until the door acknowledges it."""

    def __init__(self, stack: Stack, moody: dict[str, Moody]) -> None:
        self.stack, self.moody = stack, moody
        self.reported = dict.fromkeys(moody, 0)

    async def run(self) -> None:
        """Post until cancelled."""
        async with httpx.AsyncClient(timeout=15, verify=False) as client:
            while True:
                for name, each in self.moody.items():
                    for sent in each.sent[self.reported[name] :]:
                        while not await self._posted(client, name, each, sent):  # noqa: ASYNC110
                            await asyncio.sleep(0.2)
                        self.reported[name] += 1
                await asyncio.sleep(0.2)

    async def _posted(self, client: httpx.AsyncClient, name: str, each: Moody, sent: Sent) -> bool:
        url, now = f"{self.stack.url}/webhooks/aggregate/{name}", datetime.now(UTC)
        webhooks = webhooks_of(name)
        assert webhooks.statuses is not None
        post = webhooks.sign(webhooks.statuses.build(sent, "MessageDelivered", now, url), each.settings, now)
        try:
            return (await client.request(post.method, post.url, content=post.body, headers=post.headers)).is_success
        except httpx.TransportError:
            return False

    @property
    def done(self) -> bool:
        """Whether all accepted messages were reported."""
        return all(self.reported[name] == len(each.sent) for name, each in self.moody.items())
