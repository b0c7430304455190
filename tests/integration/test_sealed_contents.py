"""Sealed contents under the function of the database that joins contents."""

import random
from typing import Any
from uuid import UUID

import orjson
import psycopg
from psycopg.types.json import Jsonb

from sql.personal import HandleKey, open_payload, seal_payload
from sql.personal.keys import new_salt
from tests.conftest import Dsns

CONTENTS: list[dict[str, Any]] = [
    {"text": "Where is my order?"},
    {"text": "Where is my order?", "subject": "Order 1001", "media": [{"url": "https://example.com/1", "type": "a/b"}]},
    {"text": "Where is my order", "media": [{"type": "a/b", "url": "https://example.com/1"}], "mine": None},
    {"mine": {"x": 1.5}, "audioUrl": "https://example.com/2"},
]
JOIN = "SELECT threadline.content_join(content ORDER BY at) FROM unnest(%s::jsonb[]) WITH ORDINALITY AS c (content, at)"


async def test_sealed_contents_are_joined_by_the_database_in_any_order(postgres_dsn: Dsns) -> None:
    """However often and in whatever order they come the result is the same, and opens to the keys that the plain contents have
    joined, each with a value that was given."""
    ana = HandleKey(UUID(int=1), new_salt(), bytes(range(32)))
    sealed = [seal_payload("MessageReceived", {"content": one}, ana)["content"] for one in CONTENTS]

    async with await psycopg.AsyncConnection.connect(postgres_dsn.service) as connection:

        async def joined(contents: list[dict[str, Any]]) -> dict[str, Any]:
            row = await (await connection.execute(JOIN, ([Jsonb(one) for one in contents],))).fetchone()
            assert row is not None
            found: dict[str, Any] = row[0]
            return found

        once, plain = await joined(sealed), await joined(CONTENTS)
        for seed in range(20):
            again = sealed * 2
            random.Random(seed).shuffle(again)
            assert await joined(again) == once
    opened = open_payload("MessageReceived", {"content": once}, lambda _: ana)["content"]
    assert opened.keys() == plain.keys() == {"text", "subject", "media", "audioUrl", "mine"}
    assert opened["media"] == plain["media"] and opened["mine"] == {"x": 1.5}
    for key, value in opened.items():
        assert orjson.dumps(value) in {
            orjson.dumps(one[key], option=orjson.OPT_SORT_KEYS) for one in CONTENTS if key in one
        }
